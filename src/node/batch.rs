//! What a batch costs the supervisor: mixing inputs before a round, reading outputs off after it.

use std::collections::BTreeMap;

use ndarray::IxDyn;

use super::Results;
use super::job::Undecoded;
use crate::code::{Code, Decoder, Estimator, Recipe, outliers};
use crate::event::Proof;
use crate::maths::Tensor;
use crate::maths::mix::mix;
use crate::plan::Batch;
use crate::units::Flops;

/// A batch as it is sent.
#[derive(Clone, Debug, Default)]
pub struct Mixed {
    /// What each device is sent.
    pub tasks: Vec<Vec<Tensor>>,
    /// For each request the places along the curve at which its input stands: several, where a short batch
    /// was filled up.
    pub places: Vec<Vec<usize>>,
}

/// The work of mixing the inputs of some requests, and of ordering them.
pub(super) fn mix_work(batch: &Batch, inputs: &[Vec<Tensor>]) -> Flops {
    let len: usize = inputs.first().map_or(0, |tensors| tensors.iter().map(Tensor::len).sum());
    batch.mix_work(inputs.len(), len)
}

/// Mixes the inputs of up to k requests. Those of a short batch are repeated beside themselves: the curve
/// stands still there.
///
/// # Errors
/// If the inputs differ in shape.
///
/// # Panics
/// If there are none, or more than k.
pub(super) fn mix_inputs(batch: &Batch, inputs: &[Vec<Tensor>]) -> Result<Mixed, String> {
    let (k, count) = (batch.estimator.sources(), inputs.len());
    assert!((1..=k).contains(&count), "a batch of 1 to k requests");
    let flat: Vec<Vec<f32>> =
        inputs.iter().map(|tensors| tensors.iter().flatten().copied().collect()).collect();
    let order = batch.order.of(&flat.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let along: Vec<usize> = (0..k).map(|place| order[place * count / k]).collect();
    let share = |share: usize| -> Result<Vec<Tensor>, String> {
        let mixture = &batch.estimator.encoder().share(share)[0];
        let tensor = |at: usize| match mixture[..] {
            [(place, 1.0)] => Ok(inputs[along[place]][at].clone()),
            _ => mixed(mixture.iter().map(|(place, c)| (*c, &inputs[along[*place]][at])).collect()),
        };
        (0..inputs[0].len()).map(tensor).collect()
    };
    Ok(Mixed {
        tasks: (0..batch.estimator.shares()).map(share).collect::<Result<_, _>>()?,
        places: places(&order, k),
    })
}

/// Where on a curve with k places each input stands, if they stand along it in this order.
pub(super) fn places(order: &[usize], k: usize) -> Vec<Vec<usize>> {
    let is_at = |place: usize, input| order[place * order.len() / k] == input;
    let places = |input| (0..k).filter(|place| is_at(*place, input)).collect();
    (0..order.len()).map(places).collect()
}

fn mixed(terms: Vec<(f64, &Tensor)>) -> Result<Tensor, String> {
    let (_, first) = terms.first().ok_or("a device must be sent something")?;
    if terms.iter().any(|(_, tensor)| tensor.shape() != first.shape()) {
        return Err("the inputs of a batch differ in shape".to_owned());
    }
    let flat: Vec<(f64, Vec<f32>)> =
        terms.iter().map(|(c, tensor)| (*c, tensor.iter().copied().collect())).collect();
    let blocks: Vec<(f64, &[f32])> = flat.iter().map(|(c, block)| (*c, &block[..])).collect();
    Tensor::from_shape_vec(IxDyn(first.shape()), mix(&blocks)).map_err(|error| error.to_string())
}

/// The work of reading outputs off, and of looking for lies before.
pub(super) fn read_off_work(code: &Estimator, decoder: &Decoder, results: &Results) -> Flops {
    let len: usize = results.iter().next().map_or(0, |(_, r)| r.iter().map(Tensor::len).sum());
    let products = if code.lies() > 0 { 2 * results.len() * results.len() * len } else { 0 };
    Flops((2 * decoder.terms() * len + products) as u64)
}

/// The outputs of each request, read off the curve through the results.
///
/// # Errors
/// If some results are no numbers, are not as long as they should be, or stand out as lies.
pub(super) fn read_off(
    code: &Estimator,
    decoder: &Decoder,
    results: &Results,
    places: &[Vec<usize>],
    result_len: usize,
) -> Result<Vec<Vec<Tensor>>, Undecoded> {
    let flat: BTreeMap<usize, Vec<f32>> = results
        .iter()
        .map(|(share, tensors)| (share, tensors.iter().flatten().copied().collect()))
        .collect();
    let is_none =
        |block: &Vec<f32>| block.len() != result_len || block.iter().any(|y| !y.is_finite());
    let no_numbers = flat.iter().filter(|(_, block)| is_none(block));
    let mut lies: Vec<(usize, Proof)> =
        no_numbers.map(|(share, _)| (*share, Proof::NotANumber)).collect();
    let blocks: BTreeMap<usize, &[f32]> =
        flat.iter().map(|(share, block)| (*share, block.as_slice())).collect();
    // A batch that was filled up is not smooth: where an input is repeated the curve stands still.
    let is_full = places.iter().all(|places| places.len() == 1);
    if lies.is_empty() && is_full {
        let found = outliers(code, &blocks);
        lies.extend(found.into_iter().map(|share| (share, Proof::Surplus)));
    }
    if !lies.is_empty() {
        return Err(Undecoded::Lies(lies));
    }
    let decoded = decoder.decode(|place| blocks[&place.share]);
    let Some((_, shapes)) = results.iter().next() else { return Err(nothing()) };
    let outputs = |places: &Vec<usize>| {
        let plain = |place: &usize| matches!(decoder.recipes[*place], Recipe::Take(_));
        // Where its own device replied nothing is estimated.
        let place = places.iter().copied().find(plain).or(places.first().copied());
        cut(&decoded[place.ok_or_else(nothing)?], shapes)
    };
    places.iter().map(outputs).collect()
}

/// Numbers as tensors of these shapes.
fn cut(mut numbers: &[f32], shapes: &[Tensor]) -> Result<Vec<Tensor>, Undecoded> {
    let tensor = |shape: &Tensor| {
        let (own, rest) = numbers.split_at(shape.len());
        numbers = rest;
        Tensor::from_shape_vec(IxDyn(shape.shape()), own.to_vec())
            .map_err(|error| Undecoded::Broken(error.to_string()))
    };
    shapes.iter().map(tensor).collect()
}

fn nothing() -> Undecoded {
    Undecoded::Broken("a batch without results".to_owned())
}
