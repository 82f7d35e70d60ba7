//! A file's text with the places of its values, and problems that point at them.
//!
//! ron says where parsing failed, but not where a parsed value stood. So the text is scanned a second
//! time into a tree of spans, and whoever checks meaning names a path: `devices`, 3, `speed`.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use miette::{LabeledSpan, NamedSource};
use ron::extensions::Extensions;
use serde::de::DeserializeOwned;

pub use super::spans::To;
use super::spans::Tree;
use crate::maths::delay::Refusal;

/// A RON file.
#[derive(Clone, Debug)]
pub struct Source {
    path: PathBuf,
    text: String,
    tree: Tree,
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
            .with_default_extension(Extensions::IMPLICIT_SOME)
            .with_default_extension(Extensions::UNWRAP_VARIANT_NEWTYPES);
        match options.from_str(&text) {
            Ok(value) => {
                let tree = Tree::of(&text);
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

    /// The text of a file that this one names.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn text_of(&self, named: &str) -> Result<String, String> {
        std::fs::read_to_string(self.resolve(named)).map_err(|error| error.to_string())
    }

    /// A refusal of the value at a path.
    pub fn refusal(&self, path: &[To<'_>], Refusal { message, fix }: Refusal) -> Problem {
        self.problem(path, message, fix)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A problem with the value at a path, or with the nearest value around it that was written.
    pub fn problem(&self, path: &[To<'_>], message: String, fix: impl Into<String>) -> Problem {
        let tree = self.tree.nearest(path);
        Problem { message, fix: fix.into(), span: tree.span.clone() }
    }

    /// The value at a path, as it is written.
    pub fn text(&self, path: &[To<'_>]) -> &str {
        &self.text[self.tree.nearest(path).span.clone()]
    }

    /// Where the value at a path stands, if it was written.
    pub(super) fn span(&self, path: &[To<'_>]) -> Option<Range<usize>> {
        self.tree.at(path).map(|tree| tree.span.clone())
    }

    pub(super) fn whole_text(&self) -> &str {
        &self.text
    }

    /// The text with these places, none of which overlap, put otherwise.
    pub(super) fn changed(&self, mut changes: Vec<(Range<usize>, String)>) -> String {
        changes.sort_by_key(|(place, _)| (place.start, place.end));
        let mut text = self.text.clone();
        for (place, words) in changes.into_iter().rev() {
            text.replace_range(place, &words);
        }
        text
    }

    /// The line that the value at a path begins on, counted from one.
    pub fn line(&self, path: &[To<'_>]) -> usize {
        self.text[..self.tree.nearest(path).span.start].matches('\n').count() + 1
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
    /// What is wrong first, and what to do about it, without the place.
    pub fn first(&self) -> String {
        let first = self.problems.first();
        first.map_or_else(String::new, |p| format!("{} ({})", p.message, p.fix))
    }

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
