//! Registers filled from slices and written to them, as far as these reach.

use pulp::Simd;

/// What begins there, or nothing.
#[inline(always)]
pub(super) fn from(line: &[f32], at: usize) -> &[f32] {
    &line[line.len().min(at)..]
}

/// A register of the first numbers; zeros behind the last.
#[inline(always)]
pub(super) fn load<S: Simd>(simd: S, from: &[f32]) -> S::f32s {
    match from.get(..S::F32_LANES) {
        Some(whole) => S::as_simd_f32s(whole).0[0],
        None => simd.partial_load_f32s(from),
    }
}

/// As many numbers of a register as there is room for.
#[inline(always)]
pub(super) fn store<S: Simd>(simd: S, to: &mut [f32], x: S::f32s) {
    match to.get_mut(..S::F32_LANES) {
        Some(whole) => S::as_mut_simd_f32s(whole).0[0] = x,
        None => simd.partial_store_f32s(to, x),
    }
}
