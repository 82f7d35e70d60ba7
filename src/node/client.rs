//! The client: sends requests as the topology says they arrive, and judges every answer against the
//! whole model's. The supervisor never sees the truth.

use std::sync::Arc;

use super::{Effects, Input, Message, Node, NodeId, Timer};
use crate::event::Event;
use crate::maths::Tensor;
use crate::units::{RequestId, Time};

/// One input with what is known about its answer.
#[derive(Debug)]
pub struct Case {
    pub inputs: Vec<Tensor>,
    pub label: Option<usize>,
    /// The outputs of the whole model, run in one piece; none where nothing is computed.
    pub truth: Vec<Tensor>,
}

#[derive(Debug)]
pub struct Client {
    /// Request i asks for case i modulo their number.
    cases: Arc<Vec<Case>>,
    /// How many requests to send in all.
    total: usize,
    schedule: Schedule,
    /// Whether answers are computed, and can be judged.
    judges: bool,
    sent: usize,
}

/// When requests are sent.
#[derive(Clone, Debug)]
pub enum Schedule {
    /// So many at once; the next when one ends.
    ClosedLoop(usize),
    /// Request i at the i-th moment.
    Open(Vec<Time>),
}

impl Client {
    pub fn new(cases: Arc<Vec<Case>>, total: usize, schedule: Schedule) -> Self {
        Self { cases, total, schedule, judges: true, sent: 0 }
    }

    /// One whose answers nobody computes: all that it can say is that they came.
    #[must_use]
    pub fn of_blanks(self) -> Self {
        Self { judges: false, ..self }
    }

    fn send_next(&mut self, out: &mut Effects) {
        if self.sent < self.total {
            let request = RequestId(self.sent);
            self.sent += 1;
            let inputs = self.case(request).inputs.clone();
            out.send(NodeId::Supervisor, Message::Request(request, inputs));
        }
    }

    fn case(&self, request: RequestId) -> &Case {
        &self.cases[request.0 % self.cases.len()]
    }

    fn judge(&self, request: RequestId, outputs: &[Tensor], out: &mut Effects) {
        if !self.judges {
            return out.note(Event::NotComputed { request });
        }
        let Case { label, truth, .. } = self.case(request);
        let error = outputs.iter().zip(truth).map(|(y, t)| largest_difference(y, t));
        out.note(Event::Judged {
            request,
            error: error.fold(0.0, f64::max),
            top1: outputs.first().map_or(0, largest_at),
            top1_of_whole: truth.first().map_or(0, largest_at),
            label: *label,
            best: outputs.first().map_or_else(Vec::new, best),
        });
    }
}

/// How many classes an answer is told by.
const BEST: usize = 3;

/// The classes with the largest outputs, and the softmax of those; outputs that are probabilities
/// already are left as they are.
fn best(outputs: &Tensor) -> Vec<(usize, f32)> {
    let total: f32 = outputs.iter().sum();
    let most = outputs.iter().fold(f32::NEG_INFINITY, |most, y| most.max(*y));
    let are_probabilities = (total - 1.0).abs() < 1e-3 && outputs.iter().all(|y| *y >= 0.0);
    let softmax_total: f32 = outputs.iter().map(|y| (y - most).exp()).sum();
    let probability = |y: &f32| {
        if are_probabilities { *y } else { (y - most).exp() / softmax_total }
    };
    let mut classes: Vec<(usize, f32)> = outputs.iter().map(probability).enumerate().collect();
    classes.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    classes.truncate(BEST);
    classes
}

/// NaN counts as an infinite difference: it must not hide in a maximum.
fn largest_difference(a: &Tensor, b: &Tensor) -> f64 {
    let differences = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs());
    differences.fold(0.0, |most, d| if d.is_nan() { f64::INFINITY } else { most.max(d) })
}

/// Where the largest number is; the first of equals.
fn largest_at(tensor: &Tensor) -> usize {
    let larger =
        |best: (usize, f32), (at, x): (usize, &f32)| if *x > best.1 { (at, *x) } else { best };
    tensor.iter().enumerate().fold((0, f32::NEG_INFINITY), larger).0
}

impl Node for Client {
    fn handle(&mut self, _now: Time, input: Input, out: &mut Effects) {
        match input {
            Input::Start => match &self.schedule {
                Schedule::ClosedLoop(clients) => {
                    (0..(*clients).min(self.total)).for_each(|_| self.send_next(out));
                }
                Schedule::Open(moments) => {
                    for (request, at) in moments.iter().enumerate().take(self.total) {
                        out.wake(*at, Timer::Arrival(RequestId(request)));
                    }
                }
            },
            Input::Wake(Timer::Arrival(_)) => self.send_next(out),
            Input::Mail { message: Message::Answer(request, answer), .. } => {
                if let Ok(outputs) = answer {
                    self.judge(request, &outputs, out);
                }
                if matches!(self.schedule, Schedule::ClosedLoop(_)) {
                    self.send_next(out);
                }
            }
            Input::Mail { .. }
            | Input::Wake(_)
            | Input::Done { .. }
            | Input::Saw(_)
            | Input::Planned(_)
            | Input::CalledOff { .. } => {}
        }
    }
}
