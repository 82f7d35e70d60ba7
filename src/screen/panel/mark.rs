//! Marks: the sign and the tone of what happened, the same in the log and on the time line.

use super::super::look::{Look, Tone};
use crate::event::{Event, Standing, Worth};

pub(super) fn mark(look: &Look, event: &Event) -> (&'static str, Tone) {
    let (unicode, ascii, tone) = signs(event);
    (look.sign(unicode, ascii), tone)
}

fn signs(event: &Event) -> (&'static str, &'static str, Tone) {
    match event {
        Event::Accepted { .. } => ("▷", ">", Tone::Title),
        Event::Encoded { .. } => ("·", ".", Tone::Quiet),
        Event::Gathered { .. } => ("◇", "o", Tone::Busy),
        Event::Scattered { attempt: 0, .. } => ("○", "o", Tone::Busy),
        Event::Scattered { .. } => ("○", "o", Tone::Warn),
        Event::Started { .. } => ("◍", ">", Tone::Busy),
        Event::Arrived { .. } => ("●", "+", Tone::Good),
        Event::Late { .. } => ("◷", "-", Tone::Quiet),
        Event::Skipped { .. } => ("⊝", "=", Tone::Quiet),
        Event::Refused { .. } => ("⊘", "/", Tone::Bad),
        Event::Enough { without, .. } if without.is_empty() => ("◆", "*", Tone::Good),
        Event::Enough { .. } => ("◆", "*", Tone::Text),
        Event::Decoded { worth: Worth::Estimate, .. } => ("≈", "~", Tone::Warn),
        Event::Decoded { rebuilt, .. } if !rebuilt.is_empty() => ("✚", "R", Tone::Rebuilt),
        Event::Decoded { .. } => ("◆", "*", Tone::Good),
        Event::DeadlinePassed { .. } => ("◔", "?", Tone::Warn),
        Event::LocalRan { .. } => ("·", ".", Tone::Quiet),
        Event::Answered { worth, .. } if !worth.is_exact() => ("≈", "A", Tone::Warn),
        Event::Answered { .. } => ("✔", "A", Tone::Good),
        Event::Failed { .. } => ("✖", "X", Tone::Bad),
        Event::Judged { top1, top1_of_whole, .. } if top1 != top1_of_whole => {
            ("‼", "!", Tone::Wrong)
        }
        Event::NotComputed { .. } => ("?", "?", Tone::Quiet),
        Event::Judged { .. } => ("=", "=", Tone::Text),
        Event::Deployed { .. } => ("↻", "D", Tone::Good),
        Event::FaultBegan { .. } => ("▼", "F", Tone::Bad),
        Event::FaultEnded { .. } => ("△", "f", Tone::Good),
        Event::Lost { .. } => ("✗", "x", Tone::Bad),
        Event::Died { .. } => ("✖", "X", Tone::Bad),
        Event::Judgement { to, .. } => ("◔", "J", standing(*to)),
        Event::Caught { .. } | Event::Doubted { .. } => ("‼", "!", Tone::Wrong),
        Event::MarginChanged { left, .. } => ("▪", "m", margin(*left)),
    }
}

fn standing(standing: Standing) -> Tone {
    match standing {
        Standing::Healthy => Tone::Good,
        Standing::Slow | Standing::Suspect | Standing::Probation => Tone::Warn,
        Standing::Excluded => Tone::Bad,
    }
}

/// The tone of a margin: so many more devices can be lost.
pub(super) fn margin(left: i64) -> Tone {
    match left {
        1.. => Tone::Good,
        0 => Tone::Warn,
        _ => Tone::Bad,
    }
}
