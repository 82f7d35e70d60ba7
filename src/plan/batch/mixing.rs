//! The inputs of a batch, mixed: what each device is sent.

use ndarray::IxDyn;

use super::Batch;
use crate::code::{Code, Estimator};
use crate::maths::Tensor;
use crate::maths::mix::mix;

/// A batch as it is sent.
#[derive(Clone, Debug, Default)]
pub struct Mixed {
    /// What each device is sent.
    pub tasks: Vec<Vec<Tensor>>,
    /// For each request the place along the curve at which its input stands.
    pub places: Vec<usize>,
}

impl Batch {
    /// Mixes the inputs of the requests that a code is for.
    ///
    /// # Errors
    /// If the inputs differ in shape.
    ///
    /// # Panics
    /// If they are not as many as the code's sources.
    pub fn mix(&self, code: &Estimator, inputs: &[Vec<Tensor>]) -> Result<Mixed, String> {
        assert_eq!(inputs.len(), code.sources(), "an input for each source");
        let flat: Vec<Vec<f32>> =
            inputs.iter().map(|tensors| tensors.iter().flatten().copied().collect()).collect();
        let along = self.order.of(&flat.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let share = |share: usize| -> Result<Vec<Tensor>, String> {
            let mixture = &code.encoder().share(share)[0];
            let tensor = |at: usize| match mixture[..] {
                [(place, 1.0)] => Ok(inputs[along[place]][at].clone()),
                _ => mixed(
                    mixture.iter().map(|(place, c)| (*c, &inputs[along[*place]][at])).collect(),
                ),
            };
            (0..inputs[0].len()).map(tensor).collect()
        };
        let tasks = (0..code.shares()).map(share).collect::<Result<_, _>>()?;
        let mut places = vec![0; along.len()];
        along.iter().enumerate().for_each(|(place, request)| places[*request] = place);
        Ok(Mixed { tasks, places })
    }
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
