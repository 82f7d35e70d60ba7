//! The prompt: one line of text that is being typed.

use ratatui::crossterm::event::KeyCode;

use super::keys::Key;

/// What a line is typed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A fault, in the words of a plan file.
    Fault,
    /// Words that events must have.
    Filter,
    /// The file to write the session to.
    Write,
    /// How often the monkey strikes.
    Monkey,
}

/// A line of text that is being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    pub purpose: Purpose,
    text: String,
    /// The place of the cursor, in characters.
    cursor: usize,
    /// What was wrong with it the last time.
    pub refusal: Option<String>,
}

/// What a key did to the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    Changed,
    /// Tab: how it may go on is asked for.
    Complete,
    Done,
    GivenUp,
    Nothing,
}

impl Prompt {
    pub fn new(purpose: Purpose, text: &str) -> Self {
        let cursor = text.chars().count();
        Self { purpose, text: text.to_owned(), cursor, refusal: None }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// What is asked for.
    pub fn label(&self) -> &'static str {
        match self.purpose {
            Purpose::Fault => "fault: ",
            Purpose::Filter => "only events with: ",
            Purpose::Write => "write to: ",
            Purpose::Monkey => "faults a second: ",
        }
    }

    /// Puts text in at the cursor; line ends become spaces.
    pub fn insert(&mut self, text: &str) {
        let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let at = self.byte(self.cursor);
        self.text.insert_str(at, &clean);
        self.cursor += clean.chars().count();
        self.refusal = None;
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "a line needs few of a keyboard's keys")]
    pub fn key(&mut self, key: Key) -> Typed {
        let length = self.text.chars().count();
        match key.code() {
            KeyCode::Enter => return Typed::Done,
            KeyCode::Esc => return Typed::GivenUp,
            KeyCode::Char('c') if key.control() => return Typed::GivenUp,
            KeyCode::Tab => return Typed::Complete,
            KeyCode::Char('u') if key.control() => {
                self.text.clear();
                self.cursor = 0;
            }
            KeyCode::Char('a') if key.control() => self.cursor = 0,
            KeyCode::Char('e') if key.control() => self.cursor = length,
            KeyCode::Char(letter) if !key.control() => self.insert(&letter.to_string()),
            KeyCode::Left => self.cursor = self.cursor.saturating_sub(1),
            KeyCode::Right => self.cursor = (self.cursor + 1).min(length),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = length,
            KeyCode::Backspace if self.cursor > 0 => {
                self.cursor -= 1;
                self.text.remove(self.byte(self.cursor));
            }
            KeyCode::Delete if self.cursor < length => {
                self.text.remove(self.byte(self.cursor));
            }
            _ => return Typed::Nothing,
        }
        self.refusal = None;
        Typed::Changed
    }

    fn byte(&self, place: usize) -> usize {
        self.text.char_indices().nth(place).map_or(self.text.len(), |(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(prompt: &mut Prompt, keys: &[&str]) {
        for key in keys {
            prompt.key(key.parse().expect("a key"));
        }
    }

    #[test]
    fn a_line_is_edited_where_the_cursor_is_whatever_letters_are_in_it() {
        let mut prompt = Prompt::new(Purpose::Fault, "µs");
        typed(&mut prompt, &["home", "4", "right", "right", "right", "!"]);
        assert_eq!(prompt.text(), "4µs!");
        typed(&mut prompt, &["left", "left", "backspace", "delete"]);
        assert_eq!(prompt.text(), "4!");
        prompt.insert("a\nb");
        assert_eq!(prompt.text(), "4a b!");
        typed(&mut prompt, &["ctrl-u", "backspace", "delete", "left"]);
        assert_eq!((prompt.text(), prompt.cursor()), ("", 0));
    }
}
