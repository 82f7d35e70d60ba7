//! What is proposed: the best choice of all beside the best of each kind, or the cheapest that meets a target.

use super::climb::{AT_ONCE, best_of};
use super::draws::Draws;
use super::fleet::Fleet;
use super::offer::{Offer, Terms};
use super::search::Search;
use super::sight::{offers, plain_offers};
use super::trial::Trials;
use super::words::{self, Class, stages, verdict};
use super::{Advised, Aim, Impossible, Wish};
use crate::maths::chance::Seed;
use crate::plan::{Draft, Part};
use crate::units::{Flops, Span};
use crate::view::advice::{Advice, Measured, Target, WayTried};

/// So many choices may be run in a search for each class of them, where the model is small …
const RUNS: usize = 60;
/// … and where running it takes longer than all the rest.
const RUNS_OF_LARGE: usize = 16;
const LARGE: Flops = Flops(200_000_000);

pub(super) struct Asked<'a> {
    pub(super) draft: &'a Draft,
    pub(super) wish: &'a Wish,
    pub(super) fleet: &'a Fleet,
    pub(super) draws: &'a Draws,
}

impl Asked<'_> {
    fn terms(&self, devices: usize) -> Terms {
        Terms { tolerate: self.wish.tolerate, devices, local: self.wish.local }
    }

    fn search<'o>(&self, offers: &'o [Offer], aim: Aim) -> Search<'o> {
        let memory = self.draft.devices().iter().map(|device| device.memory).collect();
        let (layers, tail_ms) = (self.fleet.layers.len(), self.fleet.tail_ms);
        Search { offers, layers, tail_ms, aim, memory }
    }

    fn runs(&self) -> usize {
        let work = self.fleet.layers.iter().fold(Flops(0), |sum, layer| sum + layer.work);
        if work > LARGE { RUNS_OF_LARGE } else { RUNS }
    }

    /// The best choice of all, beside the best of each class.
    pub(super) fn best(&self, mut trials: Trials<'_>) -> anyhow::Result<Advised> {
        let devices = self.draft.devices().len();
        let all = offers(self.draft, self.fleet, self.draws, self.terms(devices));
        let plain = plain_offers(self.draft, self.fleet, self.draws, self.terms(devices));
        let search = self.search(&all, self.wish.aim);
        let mut finalists: Vec<(Class, Vec<Part>)> = Vec::new();
        for class in Class::REDUNDANT {
            let allowed = |offer: &Offer| class.allows(offer, &all, search.layers);
            let runs =
                if class == Class::Free { self.runs() } else { AT_ONCE.min(self.runs() / 5) };
            if let Some(path) = best_of(&search, &allowed, &mut trials, runs)? {
                finalists.push((class, search.parts(&path)));
            }
        }
        if self.wish.tolerate > 0 {
            let search = self.search(&plain, self.wish.aim);
            let allowed = |offer: &Offer| Class::Plain.allows(offer, &plain, search.layers);
            if let Some(path) =
                best_of(&search, &allowed, &mut trials, AT_ONCE.min(self.runs() / 5))?
            {
                finalists.push((Class::Plain, search.parts(&path)));
            }
        }
        // What was found by the way may be better than what was looked for.
        let carried = trials.tried().filter(|(_, measured)| self.bears(measured));
        let score = |measured: &Measured| self.wish.aim.of(measured);
        let first = carried.min_by(|a, b| score(a.1).total_cmp(&score(b.1)));
        let free = finalists.iter_mut().find(|(class, _)| *class == Class::Free);
        if let (Some((parts, _)), Some(free)) = (first, free) {
            free.1 = parts.clone();
        }
        let mut last = trials.anew(self.wish.requests, Seed(self.wish.seed));
        let ways = self.told(&mut last, finalists)?;
        let bear = ways.iter().enumerate().filter(|(_, way)| self.bears(&way.told.measured));
        let score = |way: &Way| self.wish.aim.of(&way.told.measured);
        let best = bear.min_by(|a, b| score(a.1).total_cmp(&score(b.1))).map(|(at, _)| at);
        let Some(best) = best else { return Err(self.impossible().into()) };
        let verdict = verdict(&ways, best, self.wish.aim);
        Ok(self.advised(ways, best, &all, trials.count(), None, verdict))
    }

    /// The fewest devices, and on them the least work, that meet a p99.
    pub(super) fn cheapest(&self, mut trials: Trials<'_>, target: Span) -> anyhow::Result<Advised> {
        let target = target.as_millis();
        let devices = self.draft.devices().len();
        let mut last = trials.anew(self.wish.requests, Seed(self.wish.seed));
        let (mut ways, mut all, mut met) = (Vec::new(), Vec::new(), None);
        let none = self.wish.local.then_some(0);
        for count in none.into_iter().chain(self.wish.tolerate + 1..=devices) {
            all = offers(self.draft, self.fleet, self.draws, self.terms(count));
            let search = self.search(&all, Aim::P99);
            let Some(path) = best_of(&search, &|_| true, &mut trials, self.runs())? else {
                continue;
            };
            // The best p99 last: if that does not meet it, nothing does.
            let mut choices = self.frugal(&trials, count, target);
            choices.truncate(FRUGAL);
            choices.push(search.parts(&path));
            last.run(&choices)?;
            let p99 = |choice: &Vec<Part>| {
                let measured = last.of(choice).filter(|measured| self.bears(measured));
                measured.map_or(f64::INFINITY, |measured| measured.p99_ms)
            };
            let meets = choices.iter().find(|choice| p99(choice) <= target);
            let chosen = meets.or(choices.last()).cloned().unwrap_or_default();
            let is_met = meets.is_some();
            let class = if count == 0 { Class::Local } else { Class::Free };
            ways.extend(self.told(&mut last, vec![(class, chosen)])?);
            if is_met {
                met = Some(ways.len() - 1);
                break;
            }
        }
        let p99 = |way: &Way| way.told.measured.p99_ms;
        let best = (0..ways.len()).min_by(|a, b| p99(&ways[*a]).total_cmp(&p99(&ways[*b])));
        let Some(best) = met.or(best) else { return Err(self.impossible().into()) };
        let verdict = words::target(&ways[best], target, met.is_some());
        let target = Target { p99_ms: target, met: met.is_some() };
        Ok(self.advised(ways, best, &all, trials.count(), Some(target), verdict))
    }

    /// Choices that met the target in the search, those first that cost least.
    fn frugal(&self, trials: &Trials<'_>, devices: usize, target: f64) -> Vec<Vec<Part>> {
        let meets = |(_, m): &(&Vec<Part>, &Measured)| {
            self.bears(m) && m.devices <= devices && m.p99_ms <= target
        };
        let mut choices: Vec<(&Vec<Part>, &Measured)> = trials.tried().filter(meets).collect();
        let cost = |m: &Measured| (m.devices, (1e6 * m.work) as u64, (1e6 * m.p99_ms) as u64);
        choices.sort_by_key(|(_, measured)| cost(measured));
        choices.into_iter().map(|(choice, _)| choice.clone()).collect()
    }

    fn bears(&self, measured: &Measured) -> bool {
        let bears = measured.may_lose.is_none_or(|lost| lost >= self.wish.tolerate);
        bears && measured.answered >= 1.0
    }

    /// Runs each way once more, and with as many devices gone as it must bear.
    fn told(
        &self,
        trials: &mut Trials<'_>,
        finalists: Vec<(Class, Vec<Part>)>,
    ) -> anyhow::Result<Vec<Way>> {
        let choices: Vec<Vec<Part>> = finalists.iter().map(|(_, parts)| parts.clone()).collect();
        trials.run(&choices)?;
        let mut ways: Vec<Way> = Vec::new();
        for (class, parts) in finalists {
            let Some(measured) = trials.of(&parts).cloned() else { continue };
            if let Some(same) = ways.iter_mut().find(|way| way.parts == parts) {
                if class != Class::Plain {
                    same.told.way = class.title(&parts);
                }
                continue;
            }
            let bears = self.wish.tolerate > 0 && self.bears(&measured);
            let lost = if bears { trials.measure(&parts, self.wish.tolerate)? } else { None };
            let lost_p99_ms = lost.filter(|lost| lost.answered >= 1.0).map(|lost| lost.p99_ms);
            let way = class.title(&parts);
            ways.push(Way { class, parts, told: WayTried { way, measured, lost_p99_ms } });
        }
        Ok(ways)
    }

    fn impossible(&self) -> Impossible {
        let Wish { tolerate, local, .. } = self.wish;
        let may = if *local { "" } else { ", or let the supervisor compute layers" };
        Impossible(format!(
            "nothing was found that this fleet can carry and that may lose any {tolerate}; give its \
             devices more memory or longer deadlines, add some{may}"
        ))
    }

    fn advised(
        &self,
        ways: Vec<Way>,
        proposed: usize,
        offers: &[Offer],
        tried: usize,
        target: Option<Target>,
        verdict: String,
    ) -> Advised {
        let parts = ways[proposed].parts.clone();
        let advice = Advice {
            model: self.draft.network().name.clone(),
            devices: self.draft.devices().len(),
            tolerate: self.wish.tolerate,
            requests: self.wish.requests,
            seed: self.wish.seed,
            tried,
            proposed,
            ways: ways.into_iter().map(|way| way.told).collect(),
            stages: stages(self.draft, &parts, offers),
            target,
            verdict,
        };
        Advised { parts, advice }
    }
}

/// A choice that is told of.
pub(super) struct Way {
    pub(super) class: Class,
    pub(super) parts: Vec<Part>,
    pub(super) told: WayTried,
}

/// So many choices that cost less are looked at again.
const FRUGAL: usize = 3;
