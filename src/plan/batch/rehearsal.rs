//! What batches come to, tried before any run: the topology's own inputs are drawn, mixed, computed and
//! read off as a run would, with as many results missing as are not waited for.
//!
//! Nobody knows beforehand which devices will be late: here each set of them is as likely as another.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rand::seq::index::sample;

use super::SmoothingFile;
use crate::code::{Arrived, Code, Estimator};
use crate::maths::Tensor;
use crate::maths::chance::{Purpose, Seed};
use crate::plan::{Batch, Plan, Stage, StageWork, Step, StepWork};
use crate::units::{Flops, StageId};

/// How far off the outputs of a stage were.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rehearsal {
    /// How many batches were tried.
    pub batches: usize,
    /// Of how many devices no result came.
    pub missing: usize,
    /// The root mean square of the outputs' errors, as a part of the outputs'.
    pub error: f64,
    /// The part of the requests whose answer names the undivided model's class.
    pub agreeing: f64,
}

/// Why nothing can be said.
#[derive(Clone, Debug, PartialEq)]
pub enum Unrehearsed {
    /// A batch has more requests than there are inputs.
    TooFewInputs { there: usize, needed: usize },
    /// One batch is this much work.
    TooMuchWork(Flops),
    /// The model fails on some input.
    Fails(String),
}

impl fmt::Display for Unrehearsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewInputs { there: 1, needed } => {
                write!(f, "a batch has {needed} requests, and there is one input to try")
            }
            Self::TooFewInputs { there, needed } => {
                write!(f, "a batch has {needed} requests, and there are {there} inputs to try")
            }
            Self::TooMuchWork(work) => write!(f, "one batch is {work}, too much to try here"),
            Self::Fails(why) => write!(f, "the model fails on an input: {why}"),
        }
    }
}

/// More batches tell little more.
const MOST_BATCHES: usize = 16;

/// A second or two of one core.
const MOST_WORK: Flops = Flops(5_000_000_000);

/// The λ_enc that are tried where one is to be chosen: LeTCC's were found on a grid, too.
const GRID: [f64; 8] = [0.0, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2];

impl Plan {
    /// How far off the outputs of a stage are that runs on batches, with so many devices silent, or as
    /// many as are not waited for; `None` if it does not, or if they would be too many.
    pub fn rehearse(
        &self,
        stage: StageId,
        silent: Option<usize>,
    ) -> Option<Result<Rehearsal, Unrehearsed>> {
        let batch = self.stages[stage.0].batch.as_ref()?;
        let mut curves = batch.curves;
        curves.silent = silent.unwrap_or(curves.silent);
        curves.check().ok()?;
        let code = curves.full();
        let scenes = self.scenes(stage, &code, |fit| (fit > 0).then_some(fit));
        Some(scenes.and_then(|scenes| self.play(stage, &code, &scenes)))
    }

    /// Chooses λ_enc where the topology leaves it open: the one of a grid with which sample inputs are
    /// answered best. At least one batch is tried, whatever work it is.
    ///
    /// # Errors
    /// Which stage it cannot be chosen for, and why.
    pub(in crate::plan) fn choose_smoothing(&mut self) -> Result<(), (StageId, Unrehearsed)> {
        for id in (0..self.stages.len()).map(StageId) {
            let Some(batch) = &self.stages[id.0].batch else { continue };
            let Some([SmoothingFile::CrossValidated, after]) = batch.curves.spline else {
                continue;
            };
            let smoothed = |before: f64| {
                let mut batch = batch.clone();
                batch.curves.spline = Some([SmoothingFile::Given(before), after]);
                batch.estimator = batch.curves.full().into();
                batch
            };
            let chosen =
                self.scenes(id, &batch.estimator, |fit| Some(fit.max(1))).and_then(|scenes| {
                    let mut best: Option<(f64, Batch)> = None;
                    for batch in GRID.map(smoothed) {
                        let error = self.play(id, &batch.estimator, &scenes)?.error;
                        if best.as_ref().is_none_or(|(least, _)| error < *least || least.is_nan()) {
                            best = Some((error, batch));
                        }
                    }
                    Ok(best.map(|(_, batch)| batch))
                });
            if let Some(batch) = chosen.map_err(|why| (id, why))? {
                self.stages[id.0].code = batch.estimator.clone();
                self.stages[id.0].batch = Some(batch);
            }
        }
        Ok(())
    }

    /// Batches of a stage's inputs, as many as `how_many` makes of what may be tried without much work.
    fn scenes(
        &self,
        id: StageId,
        code: &Estimator,
        how_many: impl Fn(usize) -> Option<usize>,
    ) -> Result<Vec<Scene>, Unrehearsed> {
        let (n, k) = (code.shares(), code.sources());
        if self.inputs.len() < k {
            return Err(Unrehearsed::TooFewInputs { there: self.inputs.len(), needed: k });
        }
        let a_batch = self.work_of_a_batch(&self.stages[id.0]);
        let fit = (MOST_WORK.0 / a_batch.0.max(1)).min(MOST_BATCHES as u64) as usize;
        let count = how_many(fit).ok_or(Unrehearsed::TooMuchWork(a_batch))?;
        let scene = |at: usize| {
            let ids = [id.0 as u64, at as u64];
            let mut rng = Seed(0).stream(Purpose::Rehearsal, &ids);
            let inputs = sample(&mut rng, self.inputs.len(), k);
            let missing: BTreeSet<usize> =
                sample(&mut rng, n, n - code.awaited()).into_iter().collect();
            let requests = inputs.into_iter().map(|at| self.request(id, at));
            let arrived = (0..n).filter(|share| !missing.contains(share)).collect();
            Ok(Scene { requests: requests.collect::<Result<_, _>>()?, arrived })
        };
        (0..count).map(scene).collect::<Result<_, _>>().map_err(Unrehearsed::Fails)
    }

    /// Each request of a batch through the undivided model, the mixtures, and the estimates' way to the
    /// answer.
    fn work_of_a_batch(&self, stage: &Stage) -> Flops {
        let work = |step: &Step| match &step.work {
            StepWork::Stage(stage) => self.stages[stage.0].undivided_work(),
            StepWork::Local(segment) => segment.work,
        };
        let all = self.steps.iter().map(work).fold(Flops(0), |sum, work| sum + work);
        let mixtures = stage.undivided_work().0 * stage.awaited() as u64;
        Flops(2 * all.0 * stage.code.sources() as u64 + mixtures)
    }

    /// One of the inputs, brought through the undivided model.
    fn request(&self, id: StageId, input: usize) -> Result<Request, String> {
        let place = self.place_of(id);
        let mut values = self.inputs[input].tensors.iter().cloned().enumerate().collect();
        self.go_on(&self.steps[..place], &mut values)?;
        let mut after = values.clone();
        self.go_on(&self.steps[place..=place], &mut after)?;
        let outputs = numbers(self.steps[place].outputs.iter().map(|wire| &after[wire]));
        self.go_on(&self.steps[place + 1..], &mut after)?;
        let class = self.class(&after);
        Ok(Request { values, outputs, class })
    }

    /// Runs some steps undivided.
    fn go_on(&self, steps: &[Step], values: &mut BTreeMap<usize, Tensor>) -> Result<(), String> {
        for step in steps {
            let inputs: Vec<Tensor> = step.inputs.iter().map(|wire| values[wire].clone()).collect();
            let outputs = match &step.work {
                StepWork::Local(segment) => segment.run(&inputs),
                StepWork::Stage(stage) => match &self.stages[stage.0].work {
                    StageWork::Function(segment) => segment.run(&inputs),
                    StageWork::Layers(layers) => Ok(layers.undivided(&inputs)),
                },
            };
            let outputs = outputs.map_err(|why| why.0)?;
            values.extend(step.outputs.iter().copied().zip(outputs));
        }
        Ok(())
    }

    /// The place of the answer's largest number.
    fn class(&self, values: &BTreeMap<usize, Tensor>) -> Option<usize> {
        let answer = numbers(self.outputs.first().map(|wire| &values[wire]).into_iter());
        let largest = answer.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        largest.map(|(class, _)| class)
    }

    /// What a code makes of these batches.
    fn play(
        &self,
        id: StageId,
        code: &Estimator,
        scenes: &[Scene],
    ) -> Result<Rehearsal, Unrehearsed> {
        let (mut square, mut all, mut agreeing) = (0.0, 0.0, 0);
        for scene in scenes {
            for (request, estimate) in scene
                .requests
                .iter()
                .zip(self.estimates(id, code, scene).map_err(Unrehearsed::Fails)?)
            {
                let pairs = estimate.iter().zip(&request.outputs);
                square += pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
                all += request.outputs.iter().map(|y| f64::from(*y).powi(2)).sum::<f64>();
                let class = self.answer(id, request, &estimate).map_err(Unrehearsed::Fails)?;
                agreeing += usize::from(class == request.class);
            }
        }
        let requests = scenes.len() * code.sources();
        Ok(Rehearsal {
            batches: scenes.len(),
            missing: code.shares() - code.awaited(),
            error: (square / f64::max(all, f64::MIN_POSITIVE)).sqrt(),
            agreeing: agreeing as f64 / requests.max(1) as f64,
        })
    }

    /// The outputs of each request, as they are read off.
    fn estimates(
        &self,
        id: StageId,
        code: &Estimator,
        scene: &Scene,
    ) -> Result<Vec<Vec<f32>>, String> {
        let (stage, step) = (&self.stages[id.0], self.step_of(id));
        let (Some(batch), StageWork::Function(segment)) = (&stage.batch, &stage.work) else {
            unreachable!("batches are of functions")
        };
        let of =
            |request: &Request| step.inputs.iter().map(|w| request.values[w].clone()).collect();
        let inputs: Vec<Vec<Tensor>> = scene.requests.iter().map(of).collect();
        let mixed = batch.mix(code, &inputs)?;
        let result = |share: &usize| {
            let outputs = segment.run(&mixed.tasks[*share]).map_err(|why| why.0)?;
            Ok((*share, numbers(outputs.iter())))
        };
        let results: BTreeMap<usize, Vec<f32>> =
            scene.arrived.iter().map(result).collect::<Result<_, String>>()?;
        let blocks = results.iter().map(|(share, block)| (*share, &block[..])).collect();
        let decoder = code.decoder(&scene.arrived).expect("as many as are waited for");
        let decoder = code.decoder_for(&blocks).unwrap_or(decoder);
        let decoded = decoder.decode(|place| blocks[&place.share]);
        Ok(mixed.places.iter().map(|place| decoded[*place].to_vec()).collect())
    }

    /// The class that a request's answer names with these outputs of the stage.
    fn answer(
        &self,
        id: StageId,
        request: &Request,
        outputs: &[f32],
    ) -> Result<Option<usize>, String> {
        let place = self.place_of(id);
        let StageWork::Function(segment) = &self.stages[id.0].work else {
            unreachable!("batches are of functions")
        };
        let (mut values, mut rest) = (request.values.clone(), outputs);
        for (wire, shape) in self.steps[place].outputs.iter().zip(&segment.result_shapes) {
            let (own, others) = rest.split_at(shape.iter().product());
            rest = others;
            let tensor = Tensor::from_shape_vec(shape.clone(), own.to_vec());
            values.insert(*wire, tensor.map_err(|error| error.to_string())?);
        }
        self.go_on(&self.steps[place + 1..], &mut values)?;
        Ok(self.class(&values))
    }

    fn place_of(&self, id: StageId) -> usize {
        let at = |step: &Step| matches!(step.work, StepWork::Stage(stage) if stage == id);
        self.steps.iter().position(at).expect("each stage is a step")
    }

    fn step_of(&self, id: StageId) -> &Step {
        &self.steps[self.place_of(id)]
    }
}

/// A batch, and whose results come.
struct Scene {
    requests: Vec<Request>,
    arrived: Arrived,
}

/// A request at the stage.
struct Request {
    /// What it comes with, by wire.
    values: BTreeMap<usize, Tensor>,
    /// What the stage should give, all its outputs in a row.
    outputs: Vec<f32>,
    /// The class that the undivided model names.
    class: Option<usize>,
}

fn numbers<'t>(tensors: impl Iterator<Item = &'t Tensor>) -> Vec<f32> {
    tensors.flat_map(|tensor| tensor.iter().copied()).collect()
}
