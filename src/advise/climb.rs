//! From the most promising ways on to better ones, as long as there are any.

use super::offer::Offer;
use super::search::{Path, Search};
use super::trial::Trials;
use crate::plan::Part;

/// The most promising are run at once, then the neighbours of the best.
pub(super) const AT_ONCE: usize = 8;

/// Runs the most promising ways, and then the neighbours of the best as long as one is better.
pub(super) fn best_of(
    search: &Search<'_>,
    allowed: &dyn Fn(&Offer) -> bool,
    trials: &mut Trials<'_>,
    runs: usize,
) -> anyhow::Result<Option<Path>> {
    let mut left = runs;
    let mut best: Option<(f64, Path)> = None;
    let mut ahead = search.promising(allowed);
    while left > 0 && !ahead.is_empty() {
        let batch: Vec<Path> = ahead.drain(..AT_ONCE.min(ahead.len()).min(left)).collect();
        let choices: Vec<Vec<Part>> = batch.iter().map(|path| search.parts(path)).collect();
        let fresh = choices.iter().filter(|choice| !trials.knows(choice)).count();
        trials.run(&choices)?;
        left -= fresh.max(1).min(left);
        let before = best.as_ref().map(|(score, _)| *score);
        for (path, choice) in batch.into_iter().zip(&choices) {
            let Some(measured) = trials.of(choice) else { continue };
            let score = search.aim.of(measured);
            if best.as_ref().is_none_or(|(least, _)| score < *least) {
                best = Some((score, path));
            }
        }
        let better = best.as_ref().map(|(score, _)| *score) != before;
        if let Some((_, path)) = best.as_ref().filter(|_| better) {
            ahead = search.neighbours(path, allowed);
            ahead.retain(|path| !trials.knows(&search.parts(path)));
        }
    }
    Ok(best.map(|(_, path)| path))
}
