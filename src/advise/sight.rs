//! All that can be done with each layer, or run of layers: every size of code, either split, on the devices
//! that are done first.

use std::ops::Range;

use super::draws::Draws;
use super::fleet::Fleet;
use super::offer::{Offer, Terms};
use super::round::Rounds;
use crate::drive::side_by_side::{cores, side_by_side};
use crate::plan::topology::SplitFile;
use crate::plan::{CodeFile, Draft, Part, Way};
use crate::units::DeviceId;

/// More layers than this are run whole only from the first or to the last.
const FEW_LAYERS: usize = 8;
/// More devices than this are only taken from the fastest on, and not in every size.
const FEW_DEVICES: usize = 8;

/// Everything that can be done, under these terms.
pub(super) fn offers(draft: &Draft, fleet: &Fleet, draws: &Draws, terms: Terms) -> Vec<Offer> {
    let sight = Sight::new(draft, fleet, draws, terms);
    let mut offers = sight.all(&sight.divisions());
    offers.extend(sight.runs());
    let alone = |at: &usize| {
        terms.local || terms.devices == 0 || !offers.iter().any(|offer| offer.layers.contains(at))
    };
    let local: Vec<usize> = (0..fleet.layers.len()).filter(alone).collect();
    offers.extend(local.into_iter().map(|at| sight.rounds.local(at)));
    offers
}

/// What there is without any redundancy: the layers in as many pieces as there are devices, or fewer.
pub(super) fn plain_offers(
    draft: &Draft,
    fleet: &Fleet,
    draws: &Draws,
    terms: Terms,
) -> Vec<Offer> {
    let sight = Sight::new(draft, fleet, draws, Terms { tolerate: 0, ..terms });
    let pieces = (1..=terms.devices).flat_map(|k| Division::both(CodeFile::Uncoded { k }, 0));
    let mut offers = sight.all(&pieces.collect::<Vec<_>>());
    offers.extend((0..fleet.layers.len()).map(|at| sight.rounds.local(at)));
    offers
}

/// How every layer that can be is divided.
#[derive(Clone, Copy)]
struct Division {
    code: CodeFile,
    split: SplitFile,
    /// The place in the order of devices that the first share is at.
    from: usize,
}

impl Division {
    /// By output rows, and in strips if they are more than one.
    fn both(code: CodeFile, from: usize) -> impl Iterator<Item = Self> {
        let strips = (code.size().1 > 1).then_some(SplitFile::Spatial);
        std::iter::once(SplitFile::Output).chain(strips).map(move |split| Self {
            code,
            split,
            from,
        })
    }
}

struct Sight<'a> {
    rounds: Rounds<'a>,
    terms: Terms,
    /// The devices that may be used.
    pool: Vec<DeviceId>,
}

impl<'a> Sight<'a> {
    fn new(draft: &'a Draft, fleet: &'a Fleet, draws: &'a Draws, terms: Terms) -> Self {
        let pool = fleet.ranked()[..terms.devices].to_vec();
        Self { rounds: Rounds { draft, fleet, draws }, terms, pool }
    }

    fn all(&self, divisions: &[Division]) -> Vec<Offer> {
        let divided = side_by_side(divisions, cores(), |division| self.divided(*division));
        divided.into_iter().flatten().collect()
    }

    fn divisions(&self) -> Vec<Division> {
        let Terms { tolerate, devices, .. } = self.terms;
        let pieces = self.rounds.fleet.layers.iter().map(|layer| layer.rows.max(layer.positions));
        let pieces = pieces.max().unwrap_or(0);
        let few = devices <= FEW_DEVICES;
        let worth = |n: usize| few || n == devices || n.is_power_of_two() || n == tolerate + 1;
        let mut divisions = Vec::new();
        for n in (tolerate + 1..=devices).filter(|n| worth(*n)) {
            let ks =
                (1..=(n - tolerate).min(pieces)).filter(|k| few || worth(*k) || *k + tolerate == n);
            let last = if few { devices - n } else { 0 };
            for from in 0..=last {
                divisions.extend(ks.clone().flat_map(|k| Division::both(code(n, k), from)));
                let k = n / (tolerate + 1);
                if tolerate > 0 && k > 1 && n == k * (tolerate + 1) {
                    divisions.extend(Division::both(CodeFile::Replication { n, k }, from));
                }
            }
        }
        divisions
    }

    /// Every layer that can be, divided so.
    fn divided(&self, division: Division) -> Vec<Offer> {
        let Division { code, split, from } = division;
        let (n, k) = code.size();
        let Rounds { draft, fleet, .. } = self.rounds;
        let layers = fleet.layers.iter().enumerate();
        let parts = layers.filter_map(|(at, layer)| {
            let pieces = match split {
                SplitFile::Output => layer.rows,
                SplitFile::Spatial => layer.positions,
            };
            // Sources of nothing but padding cost what sources cost.
            let are_full = pieces >= k && pieces.div_ceil(pieces.div_ceil(k)) == k;
            are_full.then(|| {
                let on = fleet.order_for(at, k, split, &self.pool)[from..from + n].to_vec();
                let layers = vec![layer.name.clone()];
                (at, Part { layers, way: Way::Coded { code, split, on } })
            })
        });
        let parts: Vec<(usize, Part)> = parts.collect();
        let all: Vec<Part> = parts.iter().map(|(_, part)| part.clone()).collect();
        let plan = (!all.is_empty()).then(|| draft.sketch(&fleet.with_rest_local(&all)));
        let Some(Ok(plan)) = plan else { return Vec::new() };
        let offer = |(at, part): (usize, Part)| {
            let stage = &plan.stages[plan.stage(&part.layers[0])?.0];
            let bears = stage.tolerates >= self.terms.tolerate;
            bears.then(|| self.rounds.coded(at, part, &plan, stage))
        };
        parts.into_iter().filter_map(offer).collect()
    }

    /// Runs of layers, whole on each of some devices.
    fn runs(&self) -> Vec<Offer> {
        let Terms { tolerate, devices, .. } = self.terms;
        let count = self.rounds.fleet.layers.len();
        let mut runs = Vec::new();
        for (from, to) in (0..count).flat_map(|from| (from + 1..=count).map(move |to| (from, to))) {
            if count > FEW_LAYERS && from > 0 && to < count {
                continue;
            }
            let few = devices <= FEW_DEVICES;
            let most = if few { devices } else { devices.min(tolerate + 2) };
            for replicas in tolerate + 1..=most {
                let last = if few { devices - replicas } else { 0 };
                runs.extend((0..=last).map(|first| self.run(from..to, first..first + replicas)));
            }
        }
        runs
    }

    fn run(&self, layers: Range<usize>, places: Range<usize>) -> Offer {
        let order = self.rounds.fleet.order_for(layers.start, 1, SplitFile::Output, &self.pool);
        self.rounds.whole(layers, order[places].to_vec())
    }
}

/// The cheapest code of that size of which any k shares suffice.
fn code(n: usize, k: usize) -> CodeFile {
    match (n, k) {
        (n, k) if n == k => CodeFile::Uncoded { k },
        (n, 1) => CodeFile::Replication { n, k: 1 },
        (n, k) if n == k + 1 => CodeFile::Parity { k },
        (n, k) if n <= MOST_OF_MDS => CodeFile::Mds { n, k },
        (n, k) => CodeFile::Gaussian { n, k },
    }
}

/// Beyond it `Mds` is not offered by the topology reader.
const MOST_OF_MDS: usize = 32;
