//! What is typed into the prompt, and what becomes of it.

use std::path::Path;

use super::{App, Mode};
use crate::plan::typed::completion;
use crate::screen::keys::Key;
use crate::screen::prompt::{Purpose, Typed};

/// More faults a second than this leave nothing to look at.
const WILDEST: f64 = 10_000.0;

impl App {
    pub(super) fn type_key(&mut self, key: Key) -> anyhow::Result<()> {
        let Mode::Prompt(prompt) = &mut self.mode else { return Ok(()) };
        match prompt.key(key) {
            Typed::Done => self.typed(),
            Typed::GivenUp => self.mode = Mode::Watch,
            Typed::Complete => {
                if prompt.purpose == Purpose::Fault
                    && let Some(plan) = self.session.plan()
                    && let Some(rest) = completion(prompt.text(), plan)
                {
                    prompt.insert(&rest);
                }
            }
            Typed::Changed => {
                if prompt.purpose == Purpose::Filter {
                    self.cursor.filter = prompt.text().to_owned();
                }
            }
            Typed::Nothing => {}
        }
        Ok(())
    }

    /// The line is whole: does what it says, or keeps it and says what is wrong.
    fn typed(&mut self) {
        let Mode::Prompt(prompt) = &self.mode else { return };
        let (purpose, text) = (prompt.purpose, prompt.text().trim().to_owned());
        let outcome = match purpose {
            Purpose::Filter => {
                self.cursor.filter = text;
                self.mode = Mode::Watch;
                return;
            }
            Purpose::Fault if text.is_empty() => {
                self.mode = Mode::Watch;
                return;
            }
            Purpose::Fault => {
                if let Some(why) = self.would_cost(&text) {
                    self.mode = Mode::Sure { words: text, why };
                    return;
                }
                let outcome = self.session.strike(&text, &self.who());
                if outcome.is_ok() {
                    self.last_fault = Some(text);
                }
                outcome
            }
            Purpose::Write => self.write(&text),
            Purpose::Monkey => self.loose(&text),
        };
        match outcome {
            Err(refusal) => {
                if let Mode::Prompt(prompt) = &mut self.mode {
                    prompt.refusal = Some(refusal);
                }
            }
            Ok(what) => {
                self.mode = Mode::Watch;
                if purpose == Purpose::Fault {
                    self.after_typing(Ok(what));
                } else {
                    self.tell(Ok(what));
                }
            }
        }
    }

    /// Writes the session to a file that is not there yet.
    fn write(&mut self, name: &str) -> Result<String, String> {
        let path = Path::new(name);
        if name.is_empty() {
            return Err("name a file".to_owned());
        }
        if path.exists() {
            return Err(format!("{name} is there already: name another file"));
        }
        let text = self.session.as_fault_plan(path)?;
        crate::view::file::write_whole(path, |to| to.write_all(text.as_bytes()))
            .map_err(|error| format!("{name} cannot be written: {error}"))?;
        self.saved = Some(name.to_owned());
        Ok(format!("written: kofn check {name}"))
    }

    /// The first of session.ron, session-2.ron … that is not there yet.
    pub(super) fn free_name(&self) -> String {
        let mut names = std::iter::once("session.ron".to_owned())
            .chain((2..).map(|number| format!("session-{number}.ron")));
        names.find(|name| !Path::new(name).exists()).unwrap_or_default()
    }

    fn loose(&mut self, text: &str) -> Result<String, String> {
        let rate = text.parse::<f64>().ok().filter(|rate| *rate > 0.0 && *rate <= WILDEST);
        let rate =
            rate.ok_or_else(|| format!("\"{text}\" is no rate: up to {WILDEST} a second"))?;
        self.session.set_monkey(Some(rate))?;
        Ok(format!("the monkey strikes {rate} times a second"))
    }
}
