//! PReLU as each version of ONNX means it, for tract's parser.
//!
//! Before version 7 a slope with one dimension has a number for each channel; since then it is
//! broadcast from the last axis, as everything else is. tract knows only the latter.

use tract_onnx::model::ParsingContext;
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::logic::{Iff, comp_gt};
use tract_onnx::tract_hir::internal::*;
use tract_onnx::tract_hir::ops::math::mul;

/// What the parser makes of a node.
pub(super) fn prelu(
    context: &ParsingContext<'_>,
    _node: &NodeProto,
) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let by_channel = context.onnx_operator_set_version < BROADCAST_SINCE;
    Ok((expand(Prelu { by_channel }), vec![]))
}

const BROADCAST_SINCE: i64 = 7;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Prelu {
    /// A slope with one dimension belongs to the axis of channels, the second.
    by_channel: bool,
}

impl Prelu {
    /// The slope with as many axes as its input.
    fn aligned(
        &self,
        name: &str,
        model: &mut TypedModel,
        mut slope: OutletId,
        rank: usize,
    ) -> TractResult<OutletId> {
        let own = model.outlet_fact(slope)?.rank();
        let behind = if self.by_channel && own == 1 { rank.saturating_sub(2) } else { 0 };
        for axis in own..rank {
            let at = if axis < own + behind { axis } else { 0 };
            slope = model.wire_node(format!("{name}.axis-{axis}"), AxisOp::Add(at), &[slope])?[0];
        }
        Ok(slope)
    }
}

impl Expansion for Prelu {
    fn name(&self) -> StaticName {
        "Prelu".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 2)?;
        check_output_arity(outputs, 1)?;
        solver.equals(&inputs[0].datum_type, &outputs[0].datum_type)?;
        solver.equals(&inputs[0].shape, &outputs[0].shape)
    }

    /// `x` where it is not below zero, and `slope · x` where it is.
    fn wire(
        &self,
        name: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let x = inputs[0];
        let (rank, dt) = (model.outlet_fact(x)?.rank(), model.outlet_fact(x)?.datum_type);
        let slope = self.aligned(name, model, inputs[1], rank)?;
        let zero = tensor0(0.0f32).cast_to_dt(dt)?.into_owned().broadcast_into_rank(rank)?;
        let zero = model.add_const(format!("{name}.zero"), zero)?;
        let sloped = model.wire_node(format!("{name}.mul"), mul(), &[x, slope])?[0];
        let greater = TypedBinOp(comp_gt(), None);
        let below = model.wire_node(format!("{name}.below"), greater, &[zero, x])?[0];
        model.wire_node(format!("{name}.iff"), Iff, &[below, sloped, x])
    }
}
