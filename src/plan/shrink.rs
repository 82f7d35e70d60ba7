//! Shrinking: from a fault plan that fails to the few faults that matter.
//!
//! Works on the text: what is left is the author's own words. First whole faults go (delta debugging:
//! Zeller and Hildebrandt, *Simplifying and isolating failure-inducing input*, 2002), then the number of
//! requests, then durations, then targets; each change stays only if the plan still fails.

use super::spans::{To, Tree, replaced};

/// Tells whether a changed plan still fails in the way that is looked for.
pub type StillFails<'f> = &'f mut dyn FnMut(&str) -> bool;

/// The smallest text found; the given one if nothing can go. Deterministic.
pub fn shrink(text: &str, requests: usize, still_fails: StillFails<'_>) -> String {
    let text = fewer_faults(text.to_owned(), still_fails);
    let text = fewer_requests(text, requests, still_fails);
    let text = shorter(text, still_fails);
    fewer_faults(narrower(text, still_fails), still_fails)
}

const FAULTS: &[To<'_>] = &[To::Field("faults")];

fn faults_in(text: &str) -> usize {
    Tree::of(text).at(FAULTS).map_or(0, |faults| faults.children.len())
}

/// The text with only the faults at these places.
fn with_faults(text: &str, keep: &[usize]) -> String {
    let tree = Tree::of(text);
    let Some(faults) = tree.at(FAULTS) else { return text.to_owned() };
    let kept: Vec<&str> = keep.iter().map(|at| &text[faults.children[*at].span.clone()]).collect();
    let list = kept.iter().map(|fault| format!("\n        {fault},")).collect::<String>();
    let end = if kept.is_empty() { "" } else { "\n    " };
    format!("{}[{list}{end}]{}", &text[..faults.span.start], &text[faults.span.end..])
}

/// ddmin: complements of ever smaller parts.
fn fewer_faults(text: String, still_fails: StillFails<'_>) -> String {
    let mut keep: Vec<usize> = (0..faults_in(&text)).collect();
    let mut parts = 2;
    while keep.len() > 1 {
        let size = keep.len().div_ceil(parts);
        let smaller = (0..keep.len()).step_by(size).find_map(|start| {
            let without: Vec<usize> = keep
                .iter()
                .enumerate()
                .filter(|(at, _)| !(start..start + size).contains(at))
                .map(|(_, fault)| *fault)
                .collect();
            still_fails(&with_faults(&text, &without)).then_some(without)
        });
        match smaller {
            Some(without) => (keep, parts) = (without, 2.max(parts - 1)),
            None if size == 1 => break,
            None => parts = (2 * parts).min(keep.len()),
        }
    }
    if keep.len() < faults_in(&text) { with_faults(&text, &keep) } else { text }
}

/// The number of requests, halved and then lowered one by one.
fn fewer_requests(text: String, requests: usize, still_fails: StillFails<'_>) -> String {
    let path = [To::Field("requests")];
    let with = |text: &str, count: usize| {
        replaced(text, &path, &count.to_string()).unwrap_or_else(|| {
            let at = text.find("FaultPlan(").map_or(0, |at| at + "FaultPlan(".len());
            format!("{}\n    requests: {count},{}", &text[..at], &text[at..])
        })
    };
    let (mut text, mut count) = (text, requests);
    for step in [|n: usize| n / 2, |n: usize| n - 1] {
        while count > 1 {
            let fewer = with(&text, step(count));
            if !still_fails(&fewer) {
                break;
            }
            (text, count) = (fewer, step(count));
        }
    }
    text
}

/// Durations, halved while that is enough.
fn shorter(mut text: String, still_fails: StillFails<'_>) -> String {
    for at in 0..faults_in(&text) {
        let path = [FAULTS[0], To::Item(at), To::Field("lasts")];
        for _ in 0..HALVINGS {
            let Some(lasts) = Tree::of(&text).at(&path).map(|tree| tree.span.clone()) else {
                break;
            };
            let Ok(span) = text[lasts].trim_matches('"').parse::<crate::units::Span>() else {
                break;
            };
            let half = format!("\"{}us\"", span.0 / 2000);
            let Some(candidate) = replaced(&text, &path, &half) else { break };
            if span.0 < 2000 || !still_fails(&candidate) {
                break;
            }
            text = candidate;
        }
    }
    text
}

const HALVINGS: usize = 20;

/// Targets that name several devices, one of them at a time.
fn narrower(mut text: String, still_fails: StillFails<'_>) -> String {
    for at in 0..faults_in(&text) {
        let path = [FAULTS[0], To::Item(at), To::Field("who")];
        let Some(who) = Tree::of(&text).at(&path).map(|tree| text[tree.span.clone()].to_owned())
        else {
            continue;
        };
        let names = who.trim_matches('"').split(',').map(str::trim);
        let one_less = names.clone().count() > 1;
        let narrowed = names.filter(|_| one_less).find_map(|name| {
            replaced(&text, &path, &format!("\"{name}\"")).filter(|text| still_fails(text))
        });
        text = narrowed.unwrap_or(text);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = r#"// A story.
FaultPlan(
    topology: "t.ron",
    requests: 100,
    faults: [
        (at: At("1ms"), who: "a", what: Crash), // the first
        (at: At("2ms"), who: "b", what: Slow(by: 2.0), lasts: "800ms"),
        (at: At("3ms"), who: "c, d", what: Freeze, lasts: "1s"),
        (at: At("4ms"), who: "e", what: Crash),
    ],
    expect: [NoRequestLost],
)"#;

    #[test]
    fn only_the_faults_that_matter_are_left() {
        let mut tried = 0;
        let small = shrink(PLAN, 100, &mut |text| {
            tried += 1;
            text.contains("Freeze") && text.contains("who: \"e\"")
        });
        assert_eq!(faults_in(&small), 2, "{small}");
        assert!(small.starts_with("// A story.") && small.contains("requests: 1,"), "{small}");
        assert!(small.contains("who: \"c\"") && !small.contains("\"1s\""), "{small}");
        assert!(tried < 100, "{tried} tries");
    }

    #[test]
    fn a_plan_that_needs_all_its_faults_keeps_them() {
        let all =
            |text: &str| ["\"a\"", "\"b\"", "\"c, d\"", "\"e\""].iter().all(|w| text.contains(w));
        let small = shrink(PLAN, 1, &mut |text| all(text) && text.contains("requests: 100"));
        assert_eq!(faults_in(&small), 4);
    }
}
