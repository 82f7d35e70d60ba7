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
        InputsFile::Random { count: 0 } => {
            let path = [To::Field("inputs"), To::Field("count")];
            problems.push(source.problem(&path, "no inputs to run".to_owned(), "give at least 1"));
            Vec::new()
        }
        InputsFile::Random { count } => (0..*count).map(|i| noise(network, i)).collect(),
        InputsFile::Idx { images, labels } => {
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
                Err(why) => {
                    let path = [To::Field("inputs"), To::Field("images")];
                    problems.push(source.problem(&path, why, "use inputs made for this model"));
                    Vec::new()
                }
            }
        }
    }
}

fn noise(network: &Network, index: usize) -> Input {
    let mut rng = NOISE.stream(Purpose::Inputs, &[index as u64]);
    let mut tensor =
        |shape: &Vec<usize>| Tensor::from_shape_fn(IxDyn(shape), |_| rng.random_range(0.0f32..1.0));
    Input { tensors: network.inputs.iter().map(&mut tensor).collect(), label: None }
}

fn pictures(images: &Idx, labels: Option<&Idx>, network: &Network) -> Result<Vec<Input>, String> {
    let [shape] = &network.inputs[..] else {
        return Err(format!("the model has {} inputs, images feed one", network.inputs.len()));
    };
    let size: usize = shape.iter().product();
    let each: usize = images.dims.iter().skip(1).product();
    if size != each || images.dims.first().is_none_or(|count| *count == 0) {
        let dims = &images.dims;
        return Err(format!("images of shape {dims:?} do not fit the model's input {shape:?}"));
    }
    if let Some(labels) = labels
        && labels.dims != images.dims[..1]
    {
        return Err(format!(
            "there are {} labels for {} images",
            labels.bytes.len(),
            images.dims[0]
        ));
    }
    let picture = |(at, bytes): (usize, &[u8])| {
        let pixels = bytes.iter().map(|byte| f32::from(*byte) / 255.0).collect();
        let tensor = Tensor::from_shape_vec(IxDyn(shape), pixels).expect("sizes were compared");
        Input { tensors: vec![tensor], label: labels.map(|labels| usize::from(labels.bytes[at])) }
    };
    Ok(images.bytes.chunks_exact(size).enumerate().map(picture).collect())
}
