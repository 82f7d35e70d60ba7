//! Faults as they are typed while a run goes on: the words of a plan file, and fewer of them.
//!
//! `Crash`, `Slow(by: 4)`, or a whole `(at: …, who: "pi-2", what: Crash, lasts: "20ms")`; who and when
//! are put in where they are missing.

use std::path::Path;

use super::spans::{To, Tree, replaced};
use super::{Fault, FaultPlan, Plan};
use crate::fault::FaultKind;
use crate::units::Time;

/// A fault and its words: what stands in a plan file for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Typed {
    pub fault: Fault,
    pub words: String,
}

impl Typed {
    /// Reads what was typed; what is missing is `at` and `who`.
    ///
    /// # Errors
    /// What is wrong with it, and what to do about it.
    pub fn parse(
        typed: &str,
        at: Time,
        who: &str,
        plan: &Plan,
        requests: usize,
    ) -> Result<Self, String> {
        let words = completed(typed.trim(), at, who);
        let text = format!("FaultPlan(topology: \"\", requests: {requests}, faults: [{words}])");
        let parsed = FaultPlan::parse(Path::new("typed"), text, plan);
        let faults = parsed.map_err(|problems| problems.first())?.faults;
        let [fault] = <[Fault; 1]>::try_from(faults)
            .map_err(|faults| format!("one fault at a time, not {}", faults.len()))?;
        Ok(Self { fault, words })
    }

    /// The fault, called off from a moment on.
    pub fn until(&self, until: Time) -> Self {
        let fault = Fault { until: Some(until), ..self.fault.clone() };
        let until = format!("\"{}ns\"", until.0);
        let words = replaced(&self.words, &[To::Field("until")], &until)
            .unwrap_or_else(|| self.words.replacen('(', &format!("(until: {until}, "), 1));
        Self { fault, words }
    }
}

/// A whole fault from what was typed.
fn completed(typed: &str, now: Time, who: &str) -> String {
    let at = format!("at: At(\"{}ns\")", now.0);
    if !typed.starts_with('(') {
        return format!("({at}, who: \"{who}\", what: {typed})");
    }
    let tree = Tree::of(typed);
    let mut front = String::new();
    if tree.at(&[To::Field("at")]).is_none() {
        front = format!("{at}, ");
    }
    if tree.at(&[To::Field("who")]).is_none() {
        front += &format!("who: \"{who}\", ");
    }
    // A trigger that looks at the past must not: in a plan it would have struck before it was typed.
    let later =
        tree.at(&[To::Field("at")]).is_some_and(|at| !typed[at.span.clone()].starts_with("At("));
    if later && tree.at(&[To::Field("from")]).is_none() {
        front += &format!("from: \"{}ns\", ", now.0);
    }
    format!("({front}{}", &typed[1..])
}

/// What each kind is typed like, with parameters that mean something.
pub const TEMPLATES: &[(&str, &str)] = &[
    ("Corrupt", "Corrupt(how: Scale(1.5), probability: 1.0)"),
    ("Crash", "Crash"),
    ("Delay", "Delay(Constant(\"20ms\"))"),
    ("Drop", "Drop(probability: 0.3)"),
    ("Duplicate", "Duplicate(probability: 0.3)"),
    ("Flap", "Flap(down: \"20ms\", up: \"20ms\")"),
    ("Freeze", "Freeze"),
    ("Leave", "Leave"),
    ("Overload", "Overload(load: 0.5, each: \"2ms\")"),
    ("Partition", "Partition()"),
    ("Reorder", "Reorder(probability: 0.5, within: \"5ms\")"),
    ("Restart", "Restart"),
    ("Slow", "Slow(by: 4)"),
];

/// How the text goes on, if it is the beginning of a kind, a kind's template, or a name within quotes.
pub fn completion(text: &str, plan: &Plan) -> Option<String> {
    let starts = |start: usize| &text[start..];
    let quotes = text.matches('"').count();
    if quotes % 2 == 1 {
        let begun = starts(text.rfind('"')? + 1);
        let begun = begun.rsplit([',', ' ']).next().unwrap_or(begun);
        let tags = plan.devices.iter().flat_map(|device| &device.tags);
        let mut names = plan.devices.iter().map(|device| &device.name).chain(tags);
        let name = names.find(|name| name.starts_with(begun) && name.as_str() != begun)?;
        return Some(name[begun.len()..].to_owned());
    }
    let word = text.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |at| at + 1);
    let begun = starts(word);
    let fields = ["at: ", "who: \"", "what: ", "lasts: \"", "until: \""];
    let kinds = TEMPLATES.iter().map(|(_, template)| *template);
    let fields = fields.into_iter().filter(|_| text.starts_with('('));
    let mut all = kinds.chain(fields);
    let whole = all.find(|whole| !begun.is_empty() && whole.starts_with(begun))?;
    (whole != begun).then(|| whole[begun.len()..].to_owned())
}

/// The kinds there are, in the order of the menu.
pub fn kinds() -> impl Iterator<Item = (&'static str, &'static str)> {
    FaultKind::NAMES.iter().map(|name| {
        let template = TEMPLATES.iter().find(|(kind, _)| kind == name);
        (*name, template.map_or(*name, |(_, template)| *template))
    })
}
