//! Looking for lies among the results of a round, before anything is decoded from them.

mod witnesses;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Results;
use super::job::Undecoded;
use super::round::Tasks;
use crate::code::{Audit, Code, audit};
use crate::event::Proof;
use crate::maths::Tensor;
use crate::maths::project::finite;
use crate::model::witness::{Lie, rounding};
use crate::plan::{CodedLayer, Layers};
use crate::units::Flops;

pub use witnesses::Witnesses;

/// How a round's results are checked.
#[derive(Clone, Debug)]
pub enum Check {
    /// They must be numbers, of the right count.
    Numbers,
    /// Each is held against a random projection of its share's weights and what its holder was sent.
    Witnesses { of: Arc<Witnesses>, tasks: Tasks },
    /// They must agree with each other, as far as there are more than needed.
    Surplus { code: Arc<dyn Code> },
}

impl Check {
    /// Looks at the results of a round of layers for so many requests.
    ///
    /// # Errors
    /// Which are wrong and how that shows, or that some are.
    pub(super) fn layers(
        &self,
        layers: &Layers,
        requests: usize,
        results: &Results,
    ) -> Result<(), Undecoded> {
        let products = || {
            let of = move |request| layers.applied().enumerate().map(move |it| (request, it));
            (0..requests).flat_map(of)
        };
        let place = |request: usize, at: usize| request * layers.iter().len() + at;
        let mut lies = BTreeMap::new();
        for (request, (at, (layer, _))) in products() {
            for (share, proof) in self.lies(layer, at, request, place(request, at), results) {
                lies.entry(share).or_insert(proof);
            }
        }
        if !lies.is_empty() {
            return Err(Undecoded::Lies(lies.into_iter().collect()));
        }
        let Self::Surplus { code } = self else { return Ok(()) };
        // A share is wrong if it is of any layer for any request.
        let mut doubtful = false;
        for (request, (at, (layer, _))) in products() {
            // Clean elements are off relative to the norms of their row and column, which may
            // exceed the largest element by the square root of the depth.
            let depth = layer.op().depth;
            let rounding = SLACK * rounding(depth) * (depth as f64).sqrt();
            match agree(code.as_ref(), place(request, at), results, rounding) {
                Err(Undecoded::Lies(found)) => lies.extend(found),
                Err(_) => doubtful = true,
                Ok(()) => {}
            }
        }
        match () {
            () if !lies.is_empty() => Err(Undecoded::Lies(lies.into_iter().collect())),
            () if doubtful => Err(Undecoded::Doubtful),
            () => Ok(()),
        }
    }

    /// Looks at the results of a function stage: copies of one thing.
    ///
    /// # Errors
    /// Like [`Self::layers`].
    pub(super) fn copies(results: &Results) -> Result<(), Undecoded> {
        let none = |result: &[Tensor]| result.iter().flatten().any(|x| !x.is_finite());
        let lies: Vec<_> = results
            .iter()
            .filter(|(_, result)| none(result))
            .map(|(share, _)| (share, Proof::NotANumber))
            .collect();
        if lies.is_empty() { all_alike(results) } else { Err(Undecoded::Lies(lies)) }
    }

    /// The results for a layer, one of several, and a request that are wrong by themselves.
    fn lies(
        &self,
        layer: &CodedLayer,
        at: usize,
        request: usize,
        place: usize,
        results: &Results,
    ) -> Vec<(usize, Proof)> {
        let sketches = match self {
            Self::Numbers | Self::Surplus { .. } => None,
            Self::Witnesses { of, tasks } => {
                let of = &of.layers[at];
                Some((of, of.sketches(tasks, request, results.shares())))
            }
        };
        let lie = |share: usize, result: &[Tensor]| {
            let numbers = result.get(place).and_then(|tensor| tensor.as_slice());
            let numbers = numbers
                .filter(|numbers| numbers.len() == layer.result_len(share) && finite(numbers));
            let Some(numbers) = numbers else { return Some(Proof::NotANumber) };
            let (of, sketches) = sketches.as_ref()?;
            match of.shares[share].check(&sketches[&share], numbers) {
                Ok(()) => None,
                Err(Lie::NotFinite | Lie::Length { .. }) => Some(Proof::NotANumber),
                Err(Lie::Off { .. }) => Some(Proof::Projection),
            }
        };
        let lies = results
            .iter()
            .filter_map(|(share, result)| lie(share, result).map(|proof| (share, proof)));
        lies.collect()
    }

    /// What it costs to check the results of these shares for a request.
    pub(super) fn work(
        &self,
        layers: &Layers,
        results: impl Iterator<Item = usize> + Clone,
    ) -> Flops {
        match self {
            Self::Numbers => Flops(0),
            Self::Witnesses { .. } => layers.witness_work(results),
            Self::Surplus { .. } => {
                Flops(results.map(|share| 2 * layers.result_len(share) as u64).sum())
            }
        }
    }
}

/// Whether replicas gave the same bits. If not, those lie who are fewer than others that agree, where one can
/// say so: with two that differ one cannot.
fn all_alike(results: &Results) -> Result<(), Undecoded> {
    let mut kinds: Vec<Vec<usize>> = Vec::new();
    let all: Vec<(usize, &[Tensor])> = results.iter().collect();
    for (at, (_, result)) in all.iter().enumerate() {
        match kinds.iter_mut().find(|kind| all[kind[0]].1 == *result) {
            Some(kind) => kind.push(at),
            None => kinds.push(vec![at]),
        }
    }
    let most = kinds.iter().map(Vec::len).max().unwrap_or(0);
    if kinds.len() < 2 {
        return Ok(());
    }
    if most < 2 || kinds.iter().filter(|kind| kind.len() == most).count() > 1 {
        return Err(Undecoded::Doubtful);
    }
    let others = kinds.iter().filter(|kind| kind.len() < most).flatten();
    Err(Undecoded::Lies(others.map(|at| (all[*at].0, Proof::Surplus)).collect()))
}

/// Whether one tensor of each result agree as shares of the code.
fn agree(code: &dyn Code, at: usize, results: &Results, rounding: f64) -> Result<(), Undecoded> {
    let blocks =
        results.iter().filter_map(|(share, result)| Some((share, result.get(at)?.as_slice()?)));
    match audit(code, &blocks.collect(), rounding) {
        Audit::Consistent => Ok(()),
        Audit::Doubtful => Err(Undecoded::Doubtful),
        Audit::Wrong(liars) => {
            Err(Undecoded::Lies(liars.into_iter().map(|share| (share, Proof::Surplus)).collect()))
        }
    }
}

/// Room for the rounding of several terms at once.
const SLACK: f64 = 4.0;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ndarray::IxDyn;

    use super::*;
    use crate::maths::chance::Seed;
    use crate::model::lowered::Inputs;
    use crate::node::deployment::Deployment;
    use crate::plan::{Plan, StageWork, Verify};
    use crate::units::StageId;

    /// Queries, keys and values for two requests, by six devices of which four suffice.
    fn round(verify: Verify) -> (Plan, StageId, Tasks, Vec<Vec<Tensor>>) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies");
        let text = std::fs::read_to_string(folder.join("tinyvit.ron")).expect("shipped");
        let said = format!("policy: (verify: {verify:?}, ");
        let plan = Plan::parse(&folder.join("tinyvit.ron"), text.replace("policy: (", &said));
        let plan = plan.unwrap_or_else(|problems| panic!("{problems}"));
        let id = plan.stage("blocks.0/k").expect("it is coded");
        let StageWork::Layers(layers) = &plan.stages[id.0].work else { panic!("layers") };
        let input = |request: usize| {
            let number = |at: usize| ((at * 7 + request * 13) % 31) as f32 / 15.0 - 1.0;
            let op = layers.first().op();
            let numbers = (0..op.input.iter().product()).map(number).collect();
            vec![Tensor::from_shape_vec(IxDyn(&op.input), numbers).expect("its shape")]
        };
        let inputs = Inputs::laid_out((0..2).map(input).collect(), layers.ways());
        let share = |share| plan.stages[id.0].encode(share).run_while(&inputs, &|| true);
        let results = (0..6).map(|at| share(at).expect("it runs")).collect();
        (plan, id, Tasks::Alike(inputs), results)
    }

    fn looked_at(
        (plan, id, tasks, _): &(Plan, StageId, Tasks, Vec<Vec<Tensor>>),
        given: &[Vec<Tensor>],
    ) -> Result<(), Undecoded> {
        let stage = &plan.stages[id.0];
        let StageWork::Layers(layers) = &stage.work else { panic!("layers") };
        let mut results = Results::of(given.len());
        for (share, result) in given.iter().enumerate() {
            results.put(share, Arc::new(result.clone()));
        }
        Deployment::new(plan, Seed(1)).check(*id, stage, tasks).layers(layers, 2, &results)
    }

    #[test]
    fn one_wrong_number_for_any_request_and_layer_is_found_and_so_is_who_sent_it() {
        for (verify, how) in
            [(Verify::Always, Proof::Projection), (Verify::Surplus, Proof::Surplus)]
        {
            let round = round(verify);
            let clean = &round.3;
            assert_eq!(clean[0].len(), 6, "three layers, two requests");
            assert_eq!(looked_at(&round, clean), Ok(()));
            for product in 0..6 {
                let mut given = clean.clone();
                let spoiled = given[3][product].as_slice_mut().expect("plain");
                spoiled[product] += 1.0;
                assert_eq!(looked_at(&round, &given), Err(Undecoded::Lies(vec![(3, how)])));
                given[3].truncate(product);
                let none = Err(Undecoded::Lies(vec![(3, Proof::NotANumber)]));
                assert_eq!(looked_at(&round, &given), none, "a result too few");
            }
        }
    }

    #[test]
    fn replicas_are_believed_where_they_agree_and_the_few_are_not() {
        let replicas = |given: &[[f32; 2]]| {
            let mut results = Results::of(given.len());
            for (share, numbers) in given.iter().enumerate() {
                // Two outputs, of which the second may be another.
                let tensor = |x: f32| Tensor::from_elem(IxDyn(&[3]), x);
                results.put(share, Arc::new(numbers.map(tensor).to_vec()));
            }
            Check::copies(&results)
        };
        let (truth, lie, other) = ([0.1, 0.3], [0.1, 0.4], [0.2, 0.3]);
        assert_eq!(replicas(&[truth; 2]), Ok(()));
        assert_eq!(replicas(&[truth; 5]), Ok(()));
        assert_eq!(replicas(&[truth, lie]), Err(Undecoded::Doubtful));
        assert_eq!(replicas(&[truth, lie, other]), Err(Undecoded::Doubtful));
        assert_eq!(replicas(&[truth, lie, truth, lie]), Err(Undecoded::Doubtful));
        let found = Err(Undecoded::Lies(vec![(1, Proof::Surplus)]));
        assert_eq!(replicas(&[truth, lie, truth]), found);
    }
}
