//! Annotations: lines on stdout that GitHub shows beside the line of the fault plan they are about.

use super::check::CheckedPlan;

/// One command for each broken expectation and each fault that never struck; empty if there are none.
pub fn annotations(checked: &[CheckedPlan]) -> String {
    let lines: Vec<String> = checked.iter().flat_map(of_plan).collect();
    lines.join("\n")
}

fn of_plan(checked: &CheckedPlan) -> Vec<String> {
    let broken = checked.verdict().checks.iter().filter(|check| check.is_broken());
    let broken = broken.map(|check| (check.line, &check.expect, check.to_string()));
    let mut lines: Vec<String> = broken
        .map(|(line, title, message)| {
            let message = format!("{message}\nto see this again: {}", checked.again);
            command(&checked.plan, line, title, &message)
        })
        .collect();
    let never = checked.never_struck();
    lines.extend(never.map(|never| command(&checked.plan, 1, "inconclusive", &never)));
    lines
}

fn command(file: &str, line: usize, title: &str, message: &str) -> String {
    let (file, title) = (property(file), property(title));
    format!("::error file={file},line={line},title={title}::{}", escaped(message))
}

/// As GitHub's own toolkit escapes it.
fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    escaped(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_that_mean_something_to_github_are_escaped() {
        let line = command("a,b.ron", 7, "p99: at most", "99 %\nof all: slow");
        assert_eq!(
            line,
            "::error file=a%2Cb.ron,line=7,title=p99%3A at most::99 %25%0Aof all: slow"
        );
    }
}
