//! What of a layer the code mixes: its weights once and for all, or its input for every request.

use std::sync::Arc;

use ndarray::IxDyn;

use super::CodedLayer;
use crate::code::{Code, Mixture};
use crate::maths::Tensor;
use crate::maths::mix::mix;
use crate::model::Layer;
use crate::model::strips::Strips;
use crate::units::{Bytes, Flops};

/// Where a layer is cut into sources.
#[derive(Clone, Debug)]
pub enum Split {
    /// Between output rows: weights are mixed, when they are deployed, and every device is sent the whole
    /// input (Hadidi et al. §IV: output splitting of dense layers, channel splitting of convolutions).
    Output,
    /// Across the map of a convolution: strips of its input are mixed, by the supervisor for each request,
    /// and every device holds all weights (Liu et al., CoCoI, arXiv 2501.06856; Tan et al., FCDCC,
    /// arXiv 2411.01579).
    Spatial(Strips),
}

impl CodedLayer {
    /// A convolution whose input is coded in strips; `None` if the layer is none.
    pub fn in_strips(layer: Layer, code: Arc<dyn Code>) -> Option<Self> {
        let positions = Strips::positions(&layer.op)?;
        let height = positions.div_ceil(code.sources()).div_ceil(code.encoder().cells());
        let split = Split::Spatial(Strips::new(layer.op.clone(), height.max(1))?);
        Some(Self { layer, code, split })
    }

    /// The same, with a code made to fit its rows, if what the code is depends on how many there are.
    #[must_use]
    pub fn fitted(self, worst_condition: f64) -> Self {
        let Some(code) = self.code.fitted(self.rows_in_all(), worst_condition) else {
            return self;
        };
        match self.split {
            Split::Output => Self::new(self.layer, code),
            Split::Spatial(_) => Self::in_strips(self.layer, code).expect("it was cut in strips"),
        }
    }

    /// The same layer and code, split the other way; `None` if it cannot be.
    pub fn split_otherwise(&self) -> Option<Self> {
        let (layer, code) = (self.layer.clone(), self.code.clone());
        let other = match &self.split {
            Split::Output => Self::in_strips(layer, code)?,
            Split::Spatial(_) => Self::new(layer, code),
        };
        (other.rows_in_all() >= other.code.sources()).then_some(other)
    }

    /// The strips that its input is cut in; `None` if its weights are coded.
    pub fn strips(&self) -> Option<&Strips> {
        match &self.split {
            Split::Output => None,
            Split::Spatial(strips) => Some(strips),
        }
    }

    /// What the holder of each share is sent for an input: its coded strips, stacked. Empty if weights are
    /// coded, and the input is sent as it is.
    ///
    /// # Panics
    /// If `input` is not the layer's input.
    pub fn encode_input(&self, input: &Tensor) -> Vec<Tensor> {
        let Some(strips) = self.strips() else { return Vec::new() };
        let encoder = self.code().encoder();
        let cells = encoder.sources() * encoder.cells();
        let cut: Vec<Vec<f32>> = (0..cells).map(|cell| strips.cut(input, cell)).collect();
        let coded = |mixture: &Mixture| match mixture[..] {
            [] => vec![0.0; cut[0].len()],
            // A strip as it is takes no arithmetic.
            [(cell, 1.0)] => cut[cell].clone(),
            _ => mix(&mixture.iter().map(|(cell, c)| (*c, &cut[*cell][..])).collect::<Vec<_>>()),
        };
        let share = |share: usize| {
            let stacked: Vec<f32> = encoder.share(share).iter().flat_map(coded).collect();
            let shape = IxDyn(&self.share_op(share).input);
            Tensor::from_shape_vec(shape, stacked).expect("strips are of one shape")
        };
        (0..encoder.shares()).map(share).collect()
    }

    /// The work of [`Self::encode_input`].
    pub fn input_encode_work(&self) -> Flops {
        Flops(2 * (self.mixed_terms() * self.strip_len()) as u64)
    }

    /// The memory that [`Self::encode_input`] must read and write: strips are cut, then mixed.
    pub fn input_encode_traffic(&self) -> Bytes {
        let encoder = self.code().encoder();
        let cut = 2 * encoder.sources() * encoder.cells();
        let written: usize = (0..encoder.shares()).map(|share| encoder.share(share).len()).sum();
        Bytes((4 * (cut + self.mixed_terms() + written) * self.strip_len()) as u64)
    }

    /// How many strips are read and added up.
    fn mixed_terms(&self) -> usize {
        let encoder = self.code().encoder();
        let mixtures = (0..encoder.shares()).flat_map(|share| encoder.share(share));
        mixtures.filter(|mixture| !matches!(mixture[..], [(_, 1.0)])).map(Vec::len).sum()
    }

    /// The number of elements of a strip of the input.
    fn strip_len(&self) -> usize {
        self.strips().map_or(0, |strips| strips.op(1).input.iter().product())
    }
}
