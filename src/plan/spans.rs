//! Where the values of a RON text stand: a tree of spans, beside the values that serde reads.

use std::ops::Range;

/// One step of a path to a value.
#[derive(Clone, Copy, Debug)]
pub enum To<'a> {
    Field(&'a str),
    Item(usize),
}

/// Where a value and its parts stand.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    key: Option<String>,
    pub(super) span: Range<usize>,
    pub(super) children: Vec<Self>,
}

impl Tree {
    /// The tree of a text that is known to be well formed.
    pub(super) fn of(text: &str) -> Self {
        let mut scanner = Scanner { text, at: 0 };
        scanner.skip_extensions();
        scanner.value()
    }

    fn child(&self, step: &To<'_>) -> Option<&Self> {
        match step {
            To::Field(name) => self.children.iter().find(|c| c.key.as_deref() == Some(name)),
            To::Item(index) => self.children.get(*index),
        }
    }

    /// The value at a path, or the nearest one around it that was written.
    pub(super) fn nearest(&self, path: &[To<'_>]) -> &Self {
        path.iter()
            .fold((self, true), |(tree, on_path), step| {
                match tree.child(step).filter(|_| on_path) {
                    Some(child) => (child, true),
                    None => (tree, false),
                }
            })
            .0
    }

    /// The value at a path, if it was written.
    pub(super) fn at(&self, path: &[To<'_>]) -> Option<&Self> {
        path.iter().try_fold(self, |tree, step| tree.child(step))
    }
}

/// The text with a value put at a path, where one stands already.
pub(super) fn replaced(text: &str, path: &[To<'_>], value: &str) -> Option<String> {
    let span = Tree::of(text).at(path)?.span.clone();
    Some(format!("{}{value}{}", &text[..span.start], &text[span.end..]))
}

/// Walks RON that is known to be well formed; on anything else it only must not hang or panic.
struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl Scanner<'_> {
    fn value(&mut self) -> Tree {
        self.skip_blanks();
        let start = self.at;
        let children = match self.peek() {
            Some('(' | '[' | '{') => self.children(),
            Some('"') => {
                self.string();
                Vec::new()
            }
            _ => {
                self.word();
                let end = self.at;
                self.skip_blanks();
                if self.peek() == Some('(') {
                    self.children()
                } else {
                    self.at = end;
                    Vec::new()
                }
            }
        };
        Tree { key: None, span: start..self.at, children }
    }

    fn children(&mut self) -> Vec<Tree> {
        self.bump();
        let mut children = Vec::new();
        loop {
            self.skip_blanks();
            match self.peek() {
                None => return children,
                Some(')' | ']' | '}') => {
                    self.bump();
                    return children;
                }
                Some(',') => self.bump(),
                Some(_) => {
                    let before = self.at;
                    children.push(self.field());
                    if self.at == before {
                        self.bump();
                    }
                }
            }
        }
    }

    /// A value, or a key, a colon and a value.
    fn field(&mut self) -> Tree {
        let first = self.value();
        let end = self.at;
        self.skip_blanks();
        if self.peek() != Some(':') {
            self.at = end;
            return first;
        }
        self.bump();
        let key = self.text[first.span].trim_matches('"').to_owned();
        Tree { key: Some(key), ..self.value() }
    }

    fn string(&mut self) {
        self.bump();
        while let Some(c) = self.peek() {
            self.bump();
            match c {
                '\\' => self.bump(),
                '"' => return,
                _ => {}
            }
        }
    }

    fn word(&mut self) {
        while self.peek().is_some_and(|c| !c.is_whitespace() && !"()[]{},:\"".contains(c)) {
            self.bump();
        }
    }

    /// `#![enable(…)]` in front of the value.
    fn skip_extensions(&mut self) {
        self.skip_blanks();
        while self.text[self.at..].starts_with("#![") {
            self.at += self.text[self.at..].find(']').map_or(0, |end| end + 1);
            self.skip_blanks();
        }
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = &self.text[self.at..];
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.at += rest.find("*/").map_or(rest.len(), |end| end + 2);
            } else if self.peek().is_some_and(char::is_whitespace) {
                self.bump();
            } else {
                return;
            }
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn bump(&mut self) {
        self.at += self.peek().map_or(0, char::len_utf8);
    }
}
