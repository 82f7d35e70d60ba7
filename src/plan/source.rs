//! A file's text with the places of its values, and problems that point at them.
//!
//! ron says where parsing failed, but not where a parsed value stood. So the text is scanned a second
//! time into a tree of spans, and whoever checks meaning names a path: `devices`, 3, `speed`.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use miette::{LabeledSpan, NamedSource};
use serde::de::DeserializeOwned;

/// A RON file.
#[derive(Clone, Debug)]
pub struct Source {
    path: PathBuf,
    text: String,
    tree: Tree,
}

/// One step of a path to a value.
#[derive(Clone, Copy, Debug)]
pub enum To<'a> {
    Field(&'a str),
    Item(usize),
}

/// Something wrong with a file: where, why, and what to do about it.
#[derive(Debug)]
pub struct Problem {
    message: String,
    fix: String,
    span: Range<usize>,
}

/// Everything wrong with one file; never empty.
#[derive(Debug)]
pub struct Problems {
    path: PathBuf,
    text: String,
    problems: Vec<Problem>,
}

impl Source {
    /// Reads a file and the value in it.
    pub fn read<T: DeserializeOwned>(path: &Path) -> Result<(Self, T), Problems> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let message = format!("cannot be read: {error}");
            let fix = "check the path; paths in a file are relative to that file".to_owned();
            let problems = vec![Problem { message, fix, span: 0..0 }];
            Problems { path: path.to_owned(), text: String::new(), problems }
        })?;
        Self::parse(path, text)
    }

    /// Parses a value from text that came from `path`.
    pub fn parse<T: DeserializeOwned>(path: &Path, text: String) -> Result<(Self, T), Problems> {
        let options = ron::Options::default()
            .with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
        match options.from_str(&text) {
            Ok(value) => {
                let tree = Scanner { text: &text, at: 0 }.value();
                Ok((Self { path: path.to_owned(), text, tree }, value))
            }
            Err(error) => {
                let span = offset(&text, error.span.start.line, error.span.start.col)
                    ..offset(&text, error.span.end.line, error.span.end.col);
                let message = error.code.to_string();
                let fix = "see the shipped files in topologies/ and fault-plans/".to_owned();
                let problems = vec![Problem { message, fix, span }];
                Err(Problems { path: path.to_owned(), text, problems })
            }
        }
    }

    /// A path that the file names, seen from where the file is.
    pub fn resolve(&self, named: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(named)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A problem with the value at a path, or with the nearest value around it that was written.
    pub fn problem(&self, path: &[To<'_>], message: String, fix: impl Into<String>) -> Problem {
        Problem { message, fix: fix.into(), span: self.tree(path).span.clone() }
    }

    /// The line that the value at a path begins on, counted from one.
    pub fn line(&self, path: &[To<'_>]) -> usize {
        self.text[..self.tree(path).span.start].matches('\n').count() + 1
    }

    fn tree(&self, path: &[To<'_>]) -> &Tree {
        let mut tree = &self.tree;
        for step in path {
            let child = match step {
                To::Field(name) => tree.children.iter().find(|c| c.key.as_deref() == Some(name)),
                To::Item(index) => tree.children.get(*index),
            };
            let Some(child) = child else { break };
            tree = child;
        }
        tree
    }

    /// The value, if nothing was wrong with it.
    pub fn verdict<T>(&self, value: Option<T>, problems: Vec<Problem>) -> Result<T, Problems> {
        match value {
            Some(value) if problems.is_empty() => Ok(value),
            _ => Err(Problems { path: self.path.clone(), text: self.text.clone(), problems }),
        }
    }
}

/// The byte at a line and column, both counted from one, columns in characters.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let lines = text.split_inclusive('\n');
    let before: usize = lines.clone().take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text.split_inclusive('\n').nth(line.saturating_sub(1)).unwrap_or("");
    let inside: usize = rest.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum();
    (before + inside).min(text.len())
}

impl Problems {
    /// `file:line:col: what; fix`, one a line.
    fn line(&self, problem: &Problem) -> String {
        let before = &self.text[..problem.span.start];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        format!("{}:{line}:{column}: {}", self.path.display(), problem.message)
    }

    /// One diagnostic a problem, for a terminal.
    pub fn reports(&self) -> impl Iterator<Item = miette::Report> + '_ {
        self.problems.iter().map(|problem| {
            let label = LabeledSpan::at(problem.span.clone(), "here");
            let diagnostic = miette::MietteDiagnostic::new(self.line(problem))
                .with_help(problem.fix.clone())
                .with_labels((!self.text.is_empty()).then_some(label));
            let source = NamedSource::new(self.path.display().to_string(), self.text.clone());
            miette::Report::new(diagnostic).with_source_code(source)
        })
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{} ({})", self.line(problem), problem.fix)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Where a value and its parts stand.
#[derive(Clone, Debug)]
struct Tree {
    key: Option<String>,
    span: Range<usize>,
    children: Vec<Self>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its form matters")]
    struct Fleet {
        devices: Vec<Named>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its form matters")]
    struct Named {
        name: String,
    }

    const TEXT: &str =
        "// a story\nFleet(\n  devices: [\n    (name: \"a\"),\n    (name: \"b\"),\n  ],\n)";

    #[test]
    fn a_problem_points_at_the_value_it_is_about() {
        let path = Path::new("fleet.ron");
        let (source, _): (_, Fleet) = Source::parse(path, TEXT.to_owned()).expect("well formed");
        let path = [To::Field("devices"), To::Item(1), To::Field("name")];
        let problem = source.problem(&path, "no such device".to_owned(), "name another");
        let problems = source.verdict::<()>(None, vec![problem]).expect_err("a problem was found");
        assert_eq!(problems.to_string(), "fleet.ron:5:12: no such device (name another)\n");
    }

    #[test]
    fn a_missing_value_is_reported_where_it_should_stand() {
        let path = Path::new("fleet.ron");
        let (source, _): (_, Fleet) = Source::parse(path, TEXT.to_owned()).expect("well formed");
        let path = [To::Field("devices"), To::Item(0), To::Field("speed")];
        let problem = source.problem(&path, "no speed".to_owned(), "give one");
        assert_eq!(&TEXT[problem.span], "(name: \"a\")");
    }

    #[test]
    fn a_syntax_error_has_its_line_and_column() {
        let broken = TEXT.replace("(name: \"b\")", "(nam: \"b\")");
        let error =
            Source::parse::<Fleet>(Path::new("f.ron"), broken).map(|_| ()).expect_err("typo");
        assert!(
            error.to_string().starts_with("f.ron:5:6: Unexpected field named `nam`"),
            "{error}"
        );
    }
}
