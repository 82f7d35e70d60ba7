//! The two sizes of tile, and what is summed along a line of one: the matrices of F(2, 3) and F(4, 3).
//!
//! Two outputs are read off at 0, ±1 and infinity (Lavin and Gray, section 4.1). Four take two more points. At
//! ±1 and ±2, as in their section 4.3, sums of very different size would meet, and digits be lost; with
//! 0, ±√½, ±√2 and infinity fewer are (Barabasz, Anderson, Soodhalter and Gregg, *Error analysis and improving
//! the accuracy of Winograd convolution for deep neural networks*, TOMS 2020, on the choice of points).

use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};
use std::f64::consts;

use pulp::Simd;

/// Of so many places in a line of a tile, which give so many outputs.
pub(super) trait Form<const PLACES: usize, const OUTPUTS: usize> {
    /// G g.
    fn stretched(g: [f64; 3]) -> [f64; PLACES];

    /// Bᵀ d.
    fn seen<S: Simd>(simd: S, d: [S::f32s; PLACES]) -> [S::f32s; PLACES];

    /// Aᵀ m.
    fn given<S: Simd>(simd: S, m: [S::f32s; PLACES]) -> [S::f32s; OUTPUTS];

    /// The first of each line, then the second of each, …
    fn weave(from: [&[f32]; OUTPUTS], to: &mut [[f32; OUTPUTS]]);
}

pub(super) struct Two;

impl Form<4, 2> for Two {
    fn stretched([a, b, c]: [f64; 3]) -> [f64; 4] {
        let (ends, middle) = ((a + c) * 0.5, b * 0.5);
        [a, ends + middle, ends - middle, c]
    }

    #[inline(always)]
    fn seen<S: Simd>(simd: S, [p, q, r, s]: [S::f32s; 4]) -> [S::f32s; 4] {
        [simd.sub_f32s(p, r), simd.add_f32s(q, r), simd.sub_f32s(r, q), simd.sub_f32s(q, s)]
    }

    #[inline(always)]
    fn given<S: Simd>(simd: S, [p, q, r, s]: [S::f32s; 4]) -> [S::f32s; 2] {
        let (sum, difference) = (simd.add_f32s(simd.add_f32s(p, q), r), simd.sub_f32s(q, r));
        [sum, simd.sub_f32s(difference, s)]
    }

    #[inline(always)]
    fn weave([a, b]: [&[f32]; 2], to: &mut [[f32; 2]]) {
        to.iter_mut().zip(a).zip(b).for_each(|((to, a), b)| *to = [*a, *b]);
    }
}

pub(super) struct Four;

impl Form<6, 4> for Four {
    fn stretched([a, b, c]: [f64; 3]) -> [f64; 6] {
        let (near, near_odd) = ((a + c / 2.0) / -1.5, b * consts::FRAC_1_SQRT_2 / -1.5);
        let (far, far_odd) = ((a + c * 2.0) / 6.0, b * consts::SQRT_2 / 6.0);
        [a, near + near_odd, near - near_odd, far + far_odd, far - far_odd, c]
    }

    #[inline(always)]
    fn seen<S: Simd>(simd: S, [p, q, r, s, t, u]: [S::f32s; 6]) -> [S::f32s; 6] {
        let times = |factor: f32, x, more| simd.mul_add_f32s(simd.splat_f32s(factor), x, more);
        let product = |factor: f32, x| simd.mul_f32s(simd.splat_f32s(factor), x);
        let (near, near_odd) = (times(-2.0, r, t), times(FRAC_1_SQRT_2, s, product(-SQRT_2, q)));
        let (far, far_odd) = (times(-0.5, r, t), times(SQRT_2, s, product(-FRAC_1_SQRT_2, q)));
        [
            times(-2.5, r, simd.add_f32s(p, t)),
            simd.add_f32s(near, near_odd),
            simd.sub_f32s(near, near_odd),
            simd.add_f32s(far, far_odd),
            simd.sub_f32s(far, far_odd),
            times(-2.5, s, simd.add_f32s(q, u)),
        ]
    }

    #[inline(always)]
    fn given<S: Simd>(simd: S, [p, q, r, s, t, u]: [S::f32s; 6]) -> [S::f32s; 4] {
        let times = |factor: f32, x, more| simd.mul_add_f32s(simd.splat_f32s(factor), x, more);
        let product = |factor: f32, x| simd.mul_f32s(simd.splat_f32s(factor), x);
        let (near, near_odd) = (simd.add_f32s(q, r), simd.sub_f32s(q, r));
        let (far, far_odd) = (simd.add_f32s(s, t), simd.sub_f32s(s, t));
        [
            simd.add_f32s(simd.add_f32s(p, near), far),
            times(FRAC_1_SQRT_2, near_odd, product(SQRT_2, far_odd)),
            times(0.5, near, product(2.0, far)),
            times(FRAC_1_SQRT_2 / 2.0, near_odd, times(SQRT_2 * 2.0, far_odd, u)),
        ]
    }

    #[inline(always)]
    fn weave([a, b, c, d]: [&[f32]; 4], to: &mut [[f32; 4]]) {
        let lines = a.iter().zip(b).zip(c).zip(d);
        to.iter_mut().zip(lines).for_each(|(to, (((a, b), c), d))| *to = [*a, *b, *c, *d]);
    }
}
