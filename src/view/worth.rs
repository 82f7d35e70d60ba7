//! What answers are worth, in words.

use crate::event::Worth;

/// How something was answered, if not exactly.
pub fn how(worth: Worth) -> &'static str {
    match worth {
        Worth::Exact => "",
        Worth::Approximate => " approximately",
        Worth::Estimate => " with an estimate",
    }
}

/// How many answers were not exact: ` (16 approximately, 2 with an estimate)`; nothing if all were.
pub fn of_answers(approximate: usize, estimates: usize) -> String {
    let counts = [(approximate, Worth::Approximate), (estimates, Worth::Estimate)];
    let told = counts.into_iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = told.map(|(count, worth)| format!("{count}{}", how(worth))).collect();
    if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) }
}
