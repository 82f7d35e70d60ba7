//! The input set of a topology: real images with labels, or seeded noise.

use ndarray::IxDyn;
use rand::RngExt;

use super::source::{Problem, Source, To};
use super::topology::InputsFile;
use crate::maths::Tensor;
use crate::maths::chance::{Purpose, Seed};
use crate::model::Network;
use crate::model::images::{Idx, parse_idx};

/// One input of the set.
#[derive(Clone, Debug)]
pub struct Input {
    pub tensors: Vec<Tensor>,
    pub label: Option<usize>,
}

/// Noise is drawn from a fixed seed: the input set belongs to the topology, not to the run.
const NOISE: Seed = Seed(0);

pub(super) fn load(
    source: &Source,
    file: &InputsFile,
    network: &Network,
    problems: &mut Vec<Problem>,
) -> Vec<Input> {
    match file {
        InputsFile::Random { count } if *count == 0 || *count > MOST_RANDOM => {
            let path = [To::Field("inputs"), To::Field("count")];
            let fix = format!("give a number from 1 to {MOST_RANDOM}");
            problems.push(source.problem(&path, format!("a set of {count} inputs"), fix));
            Vec::new()
        }
        InputsFile::Random { count } => (0..*count).map(|i| noise(network, i)).collect(),
        InputsFile::Idx { images, labels, .. } => {
            let mut read = |field: &str, named: &str| {
                let path = [To::Field("inputs"), To::Field(field)];
                std::fs::read(source.resolve(named))
                    .map_err(|error| error.to_string())
                    .and_then(|bytes| parse_idx(&bytes))
                    .map_err(|why| {
                        let message = format!("\"{named}\" cannot be used: {why}");
                        problems.push(source.problem(&path, message, "name an IDX file"));
                    })
                    .ok()
            };
            let images = read("images", images);
            let labels = labels.as_ref().map(|labels| read("labels", labels));
            let Some(images) = images else { return Vec::new() };
            match pictures(&images, labels.flatten().as_ref(), network) {
                Ok(inputs) => inputs,
                Err((field, why)) => {
                    let path = [To::Field("inputs"), To::Field(field)];
                    problems.push(source.problem(&path, why, "use inputs made for this model"));
                    Vec::new()
                }
            }
        }
    }
}

/// All of them are in memory at once.
const MOST_RANDOM: usize = 10_000;

fn noise(network: &Network, index: usize) -> Input {
    let mut rng = NOISE.stream(Purpose::Inputs, &[index as u64]);
    let mut tensor =
        |shape: &Vec<usize>| Tensor::from_shape_fn(IxDyn(shape), |_| rng.random_range(0.0f32..1.0));
    Input { tensors: network.inputs.iter().map(&mut tensor).collect(), label: None }
}

/// The images as inputs, or which field of the file is wrong, and why.
fn pictures(
    images: &Idx,
    labels: Option<&Idx>,
    network: &Network,
) -> Result<Vec<Input>, (&'static str, String)> {
    let [shape] = &network.inputs[..] else {
        let inputs = network.inputs.len();
        return Err(("images", format!("the model has {inputs} inputs, images feed one")));
    };
    let size: usize = shape.iter().product();
    let each: usize = images.dims.iter().skip(1).product();
    if size != each || images.dims.first().is_none_or(|count| *count == 0) {
        let dims = &images.dims;
        let why = format!("images of shape {dims:?} do not fit the model's input {shape:?}");
        return Err(("images", why));
    }
    if let Some(labels) = labels
        && labels.dims != images.dims[..1]
    {
        let (labels, images) = (labels.bytes.len(), images.dims[0]);
        return Err(("labels", format!("there are {labels} labels for {images} images")));
    }
    let picture = |(at, bytes): (usize, &[u8])| {
        let pixels = bytes.iter().map(|byte| f32::from(*byte) / 255.0).collect();
        let tensor = Tensor::from_shape_vec(IxDyn(shape), pixels).expect("sizes were compared");
        Input { tensors: vec![tensor], label: labels.map(|labels| usize::from(labels.bytes[at])) }
    };
    Ok(images.bytes.chunks_exact(size).enumerate().map(picture).collect())
}
