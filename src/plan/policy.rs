//! How the supervisor behaves, and how requests arrive.

use super::source::{Problem, Source, To};
use super::topology::{ArrivalsFile, PolicyFile, VerifyFile, WaitFile};
use crate::maths::product::FEW;
use crate::units::Span;

#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub wait: Wait,
    /// How often missing shares are asked for again before the request is given up.
    pub retries: u32,
    /// How deadlines are learned; if not, a stage's own is used from the beginning.
    pub learn: Option<Learn>,
    /// Ask spare holders when a round takes so many times what is typical.
    pub hedge: Option<f64>,
    /// An answer that takes longer counts as late.
    pub answer_within: Option<Span>,
    /// Arrival sets that would amplify rounding by more than this are not decoded from.
    pub worst_condition: f64,
    pub verify: Verify,
    pub health: HealthRule,
    /// Whether requests share rounds.
    pub gather: Option<Gather>,
}

/// Requests that come to a stage while a round of it is under way share the next one, where reading weights
/// is what takes the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gather {
    /// So many at once.
    pub most: usize,
    /// The longest that one waits for others.
    pub within: Span,
}

/// When a round is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// As soon as the replies in hand suffice.
    KthReply,
    /// When all have replied, or at the deadline: what systems without a code must do.
    Everyone,
}

/// A stage's first deadline is `factor` times a quantile of its recent reply times, at least
/// `floor`; the stage's own deadline is the most, and what the last attempt is given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Learn {
    pub quantile: f64,
    pub factor: f64,
    pub floor: Span,
}

/// How lies are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Only numbers that are none are refused.
    Off,
    /// One reply more than needed is waited for, and must agree with the others.
    Surplus,
    /// Every share is held against a random projection of its weights.
    Always,
    /// `Always` where that costs less than 3 % of the stage's round, else `Surplus`. Both are reckoned
    /// from the topology's speeds and links, by either clock: what a machine happened to measure
    /// would make the plan, and with it what is caught, another one in every run.
    Auto,
}

/// When devices lose standing, in units of φ, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HealthRule {
    pub suspect: f64,
    pub exclude: f64,
    /// How long a device is not asked; doubles each time.
    pub exile: Span,
}

/// How requests arrive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arrivals {
    /// So many clients, each of which sends its next request when the last one ended.
    ClosedLoop { clients: usize },
    /// Independent of each other, so many a second on average.
    Poisson { per_second: f64 },
}

pub(super) fn policy(source: &Source, file: &PolicyFile, problems: &mut Vec<Problem>) -> Policy {
    let mut require = |holds: bool, field: &'static str, message: String, fix: &str| {
        if !holds {
            let path = [To::Field("policy"), To::Field(field)];
            problems.push(source.problem(&path, message, fix));
        }
    };
    let least = |x: f64, least: f64| x.is_finite() && x >= least;
    let worst = file.worst_condition;
    let message = format!("no matrix has a condition number below {worst}");
    require(worst >= 1.0, "worst_condition", message, "give a number from 1 up");
    if let Some(learn) = &file.learn {
        let quantile = learn.quantile;
        let message = format!("{quantile} is no quantile");
        require((0.0..=1.0).contains(&quantile), "learn", message, "give a number from 0 to 1");
        let message = format!("a deadline of {} typical replies is none", learn.factor);
        require(least(learn.factor, 1.0), "learn", message, "give a factor from 1 up");
    }
    if let Some(hedge) = file.hedge {
        let message = format!("hedging after {hedge} typical replies asks everybody twice");
        require(least(hedge, 1.0), "hedge", message, "give a factor from 1 up");
    }
    let health = &file.health;
    let message = format!("suspect at {} and exclude at {}", health.suspect, health.exclude);
    let rising = least(health.suspect, 0.1) && least(health.exclude, health.suspect);
    require(rising, "health", message, "let suspicion rise: 0 < suspect ≤ exclude");
    if let Some(gather) = &file.gather {
        let most = gather.most;
        let message = format!("{most} requests at once are no gathering");
        let fix = format!("give a number from 2 to {MOST_TOGETHER}, or drop `gather`");
        require((2..=MOST_TOGETHER).contains(&most), "gather", message, &fix);
    }
    Policy {
        wait: match file.wait {
            WaitFile::KthReply => Wait::KthReply,
            WaitFile::Everyone => Wait::Everyone,
        },
        retries: file.retries,
        learn: file.learn.as_ref().map(|learn| Learn {
            quantile: learn.quantile,
            factor: learn.factor,
            floor: learn.floor,
        }),
        hedge: file.hedge,
        answer_within: file.answer_within,
        worst_condition: worst,
        verify: match file.verify {
            VerifyFile::Off => Verify::Off,
            VerifyFile::Surplus => Verify::Surplus,
            VerifyFile::Always => Verify::Always,
            VerifyFile::Auto => Verify::Auto,
        },
        health: HealthRule {
            suspect: health.suspect,
            exclude: health.exclude,
            exile: health.exile,
        },
        gather: file.gather.as_ref().map(|gather| Gather {
            most: gather.most.clamp(1, MOST_TOGETHER),
            within: gather.within,
        }),
    }
}

/// With more columns reading weights is not what takes the time.
const MOST_TOGETHER: usize = FEW;

/// All of them send at once.
const MOST_CLIENTS: usize = 100_000;

pub(super) fn arrivals(
    source: &Source,
    file: ArrivalsFile,
    problems: &mut Vec<Problem>,
) -> Arrivals {
    let mut refuse = |field, message: String, fix: String| {
        let path = [To::Field("arrivals"), To::Field(field)];
        problems.push(source.problem(&path, message, fix));
    };
    match file {
        ArrivalsFile::ClosedLoop { clients } => {
            if clients == 0 || clients > MOST_CLIENTS {
                let fix = format!("give a number from 1 to {MOST_CLIENTS}");
                let message = match clients {
                    0 => "nobody sends requests".to_owned(),
                    _ => format!("{clients} clients are too many"),
                };
                refuse("clients", message, fix);
            }
            Arrivals::ClosedLoop { clients }
        }
        ArrivalsFile::Poisson { per_second } => {
            if !(per_second.is_finite() && per_second > 0.0) {
                let message = format!("{per_second} requests a second never arrive");
                refuse("per_second", message, "give a positive rate".to_owned());
            }
            Arrivals::Poisson { per_second }
        }
    }
}
