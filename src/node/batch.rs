//! What a batch costs the supervisor: mixing inputs before a round, reading outputs off after it.

use std::collections::BTreeMap;

use ndarray::IxDyn;

use super::Results;
use super::job::Undecoded;
use crate::code::{Decoder, Estimator, outliers};
use crate::event::Proof;
use crate::maths::Tensor;
use crate::plan::Batch;
use crate::units::Flops;

/// The work of mixing the inputs of some requests, and of ordering them.
pub(super) fn mix_work(batch: &Batch, code: &Estimator, inputs: &[Vec<Tensor>]) -> Flops {
    let len: usize = inputs.first().map_or(0, |tensors| tensors.iter().map(Tensor::len).sum());
    batch.mix_work(code, len)
}

/// The work of reading outputs off, and of looking for so many lies before.
pub(super) fn read_off_work(
    code: &Estimator,
    lies_left: usize,
    decoder: &Decoder,
    results: &Results,
) -> Flops {
    let len: usize = results.iter().next().map_or(0, |(_, r)| r.iter().map(Tensor::len).sum());
    let products = if lies_left > 0 { 2 * results.len() * results.len() * len } else { 0 };
    // Nothing is chosen where nothing is estimated.
    let looking = match decoder.terms() {
        0 => Flops(0),
        _ => code.looking_work(results.len(), len),
    };
    Flops((2 * decoder.terms() * len + products) as u64) + looking
}

/// The outputs of each request, read off the curve through the results.
///
/// # Errors
/// If some results are no numbers, are not as long as they should be, or stand out as lies.
pub(super) fn read_off(
    code: &Estimator,
    decoder: &Decoder,
    results: &Results,
    places: &[usize],
    (result_len, lies_left): (usize, usize),
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
    if lies.is_empty() {
        let found = outliers(code, &blocks, lies_left);
        lies.extend(found.into_iter().map(|share| (share, Proof::Surplus)));
    }
    if !lies.is_empty() {
        return Err(Undecoded::Lies(lies));
    }
    let looked = code.decoder_for(&blocks);
    let decoded = looked.as_ref().unwrap_or(decoder).decode(|place| blocks[&place.share]);
    let Some((_, shapes)) = results.iter().next() else {
        return Err(Undecoded::Broken("a batch without results".to_owned()));
    };
    places.iter().map(|place| cut(&decoded[*place], shapes)).collect()
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
