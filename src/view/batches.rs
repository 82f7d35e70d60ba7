//! Stages that run on batches, as `kofn plan` tells of them: what they promise, and what trying them
//! came to.

use serde::Serialize;

use crate::plan::{Batch, Plan, Rehearsal, Stage};
use crate::units::StageId;

/// What trying some batches came to, or why none was tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum RehearsalView {
    Tried {
        batches: usize,
        /// Of how many devices no result came.
        missing: usize,
        /// The root mean square of the outputs' errors, as a part of the outputs'.
        error: f64,
        /// The part of the requests whose answer names the undivided model's class.
        agreeing: f64,
    },
    Untried {
        untried: String,
    },
}

impl RehearsalView {
    pub fn of(plan: &Plan, stage: StageId) -> Option<Self> {
        Some(match plan.rehearse(stage, None)? {
            Ok(Rehearsal { batches, missing, error, agreeing }) => {
                Self::Tried { batches, missing, error, agreeing }
            }
            Err(why) => Self::Untried { untried: why.to_string() },
        })
    }
}

/// What is known of the error of a stage that runs on batches.
pub(super) fn approximate(stage: &Stage, batch: &Batch) -> String {
    let (name, code, needed) = (&stage.name, stage.code.name(), stage.needed());
    let (n, k) = (stage.code.shares(), stage.code.sources());
    let plain = (0..n).filter(|share| stage.code.plain(*share).is_some()).count();
    let own = match plain {
        0 => "every output is an estimate".to_owned(),
        _ => format!("outputs of the {plain} shares that are plain inputs are not estimated"),
    };
    let lies = match batch.estimator.lies() {
        0 => "lies are not looked for".to_owned(),
        lies => format!("gross lies of up to {lies} are found"),
    };
    let smoothing = batch.smoothing().map_or_else(String::new, |how| format!("{how}; "));
    format!(
        "{name}: its answers are approximate: {code} mixes {k} requests, gathered within {}, and reads \
         {k} outputs off any {needed} of {n} results; {own}; {smoothing}no bound holds for every model: \
         the error falls as results are added, and a run measures it; {lies}",
        batch.within
    )
}

/// What came of trying a stage, and a warning where results are thrown away without need.
pub(super) fn rehearsal_notes(
    plan: &Plan,
    id: StageId,
    rehearsal: Option<&RehearsalView>,
) -> Vec<String> {
    let Some(rehearsal) = rehearsal else { return Vec::new() };
    let stage = &plan.stages[id.0];
    let tried = match rehearsal {
        RehearsalView::Untried { untried } => {
            format!("{}: how far off its outputs are was not tried: {untried}", stage.name)
        }
        RehearsalView::Tried { batches, missing, error, agreeing } => format!(
            "{}: tried on {batches} batches of the topology's inputs, each without {missing} of {} \
             results, drawn: outputs are off by {}, and {} name the undivided model's class",
            stage.name,
            stage.code.shares(),
            percent(*error),
            percent(*agreeing),
        ),
    };
    let error = match rehearsal {
        RehearsalView::Tried { error, .. } => Some(*error),
        RehearsalView::Untried { .. } => None,
    };
    std::iter::once(tried).chain(thrown_away(plan, id, error)).collect()
}

/// Nothing was said of `silent`, and so many results are never read.
fn thrown_away(plan: &Plan, id: StageId, error: Option<f64>) -> Option<String> {
    let stage = &plan.stages[id.0];
    let (silent, n) = stage.batch.as_ref()?.left_out()?;
    if silent * MUCH <= n {
        return None;
    }
    let fewer = n.div_ceil(SPARED);
    let instead = plan.rehearse(id, Some(fewer)).and_then(Result::ok);
    let gain = error.zip(instead).map_or_else(String::new, |(error, instead)| {
        format!(
            ", and outputs would be off by {} instead of {}",
            percent(instead.error),
            percent(error)
        )
    });
    Some(format!(
        "{}: `silent` is left open, so a round is over with {} of {n} results and {silent} devices work \
         for nothing. `silent: {fewer}` would wait for {}{gain}",
        stage.name,
        n - silent,
        n - fewer,
    ))
}

/// A quarter of all results is much to throw away.
const MUCH: usize = 4;

/// One device in eight is a margin to begin with.
const SPARED: usize = 8;

fn percent(part: f64) -> String {
    format!("{:.1} %", 100.0 * part)
}
