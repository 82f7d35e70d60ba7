//! Cubic smoothing splines as matrices: the curve through values at some points, read off at others.
//!
//! The natural cubic spline s over nodes t_1 < … < t_n that minimises
//! `(1/n) Σ (s(t_i) − y_i)² + λ ∫ s''²`, in Reinsch's form (*Smoothing by spline functions*, 1967;
//! Green and Silverman 1994, §2.3): with Q and R the banded matrices of second differences,
//! `(R + nλ QᵀQ) γ = Qᵀ y` gives the second derivatives, and `g = y − nλ Q γ` the values. λ = 0
//! interpolates. Outside the nodes it goes on as a line.

mod cross_validation;

pub use cross_validation::CrossValidation;

use super::matrix::Matrix;

/// (points, nodes): what each value at a node weighs in the spline's value at each point.
///
/// # Panics
/// If the nodes are not distinct and in ascending order, or there are none.
pub fn smoother(nodes: &[f64], points: &[f64], lambda: f64) -> Matrix {
    assert!(!nodes.is_empty() && nodes.windows(2).all(|t| t[0] < t[1]), "distinct nodes in order");
    let bands = Bands::new(nodes, lambda);
    let mut matrix = Matrix::zeros(points.len(), nodes.len());
    for (row, point) in points.iter().enumerate() {
        let weights = bands.weights(*point);
        weights.into_iter().enumerate().for_each(|(column, w)| matrix.set(row, column, w));
    }
    matrix
}

/// The banded system of one set of nodes, factored.
struct Bands<'n> {
    nodes: &'n [f64],
    gaps: Vec<f64>,
    /// nλ.
    penalty: f64,
    /// `R + nλ QᵀQ = L D Lᵀ`: D, and the two bands below the diagonal of L.
    diagonal: Vec<f64>,
    below: Vec<f64>,
    below2: Vec<f64>,
}

impl<'n> Bands<'n> {
    fn new(nodes: &'n [f64], lambda: f64) -> Self {
        let gaps: Vec<f64> = nodes.windows(2).map(|t| t[1] - t[0]).collect();
        let penalty = nodes.len() as f64 * lambda;
        let inner = nodes.len().saturating_sub(2);
        let mut bands =
            Self { nodes, gaps, penalty, diagonal: vec![], below: vec![], below2: vec![] };
        for j in 0..inner {
            let (own, next, after) = bands.entries(j, inner);
            bands.factor(j, own, next, after);
        }
        bands
    }

    /// Column j of Q: rows j, j + 1 and j + 2.
    fn q(&self, j: usize) -> [f64; 3] {
        let (left, right) = (1.0 / self.gaps[j], 1.0 / self.gaps[j + 1]);
        [left, -left - right, right]
    }

    /// Entries (j, j), (j + 1, j) and (j + 2, j) of the system.
    fn entries(&self, j: usize, inner: usize) -> (f64, f64, f64) {
        let q = self.q(j);
        let square = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let own = (self.gaps[j] + self.gaps[j + 1]) / 3.0 + self.penalty * square(&q, &q);
        let next = if j + 1 < inner {
            self.gaps[j + 1] / 6.0 + self.penalty * square(&q[1..], &self.q(j + 1)[..2])
        } else {
            0.0
        };
        let after = if j + 2 < inner { self.penalty * q[2] * self.q(j + 2)[0] } else { 0.0 };
        (own, next, after)
    }

    /// The next column of L and D.
    fn factor(&mut self, j: usize, own: f64, next: f64, after: f64) {
        let before = |back: usize, of: &[f64]| j.checked_sub(back).map_or(0.0, |at| of[at]);
        let (d1, d2) = (before(1, &self.diagonal), before(2, &self.diagonal));
        let (l1, l2) = (before(1, &self.below), before(2, &self.below2));
        let own = own - l1 * l1 * d1 - l2 * l2 * d2;
        let next = next - before(1, &self.below2) * l1 * d1;
        self.diagonal.push(own);
        self.below.push(next / own);
        self.below2.push(after / own);
    }

    fn solve(&self, mut x: Vec<f64>) -> Vec<f64> {
        for j in 0..x.len() {
            let one = if j >= 1 { self.below[j - 1] * x[j - 1] } else { 0.0 };
            let two = if j >= 2 { self.below2[j - 2] * x[j - 2] } else { 0.0 };
            x[j] -= one + two;
        }
        x.iter_mut().zip(&self.diagonal).for_each(|(x, d)| *x /= d);
        for j in (0..x.len()).rev() {
            let one = x.get(j + 1).map_or(0.0, |next| self.below[j] * next);
            let two = x.get(j + 2).map_or(0.0, |after| self.below2[j] * after);
            x[j] -= one + two;
        }
        x
    }

    /// What each node's value weighs at a point: with the spline there `e·g + c·γ`, it is
    /// `e + Q (R + nλQᵀQ)⁻¹ (c − nλ Qᵀe)`.
    fn weights(&self, point: f64) -> Vec<f64> {
        let n = self.nodes.len();
        let (mut values, curvatures) = self.local(point);
        let inner = n.saturating_sub(2);
        let right = |j: usize| {
            let q = self.q(j);
            let back: f64 = (0..3).map(|i| q[i] * values[j + i]).sum();
            curvatures[j + 1] - self.penalty * back
        };
        let solved = self.solve((0..inner).map(right).collect());
        for (j, x) in solved.into_iter().enumerate() {
            let q = self.q(j);
            (0..3).for_each(|i| values[j + i] += q[i] * x);
        }
        values
    }

    /// The spline at a point as a combination of its values and second derivatives at the nodes.
    fn local(&self, point: f64) -> (Vec<f64>, Vec<f64>) {
        let n = self.nodes.len();
        let (mut e, mut c) = (vec![0.0; n], vec![0.0; n]);
        if n == 1 {
            e[0] = 1.0;
            return (e, c);
        }
        let k = self.nodes.partition_point(|t| *t <= point).clamp(1, n - 1) - 1;
        let h = self.gaps[k];
        let b = (point - self.nodes[k]) / h;
        let a = 1.0 - b;
        (e[k], e[k + 1]) = (a, b);
        if (0.0..=1.0).contains(&b) {
            (c[k], c[k + 1]) = ((a.powi(3) - a) * h * h / 6.0, (b.powi(3) - b) * h * h / 6.0);
        } else if b < 0.0 {
            // The slope at the first node, where the second derivative is zero.
            c[k + 1] = -(point - self.nodes[k]) * h / 6.0;
        } else {
            c[k] = (point - self.nodes[k + 1]) * h / 6.0;
        }
        (e, c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nodes(n: usize, salt: u64) -> Vec<f64> {
        let step = |at: usize| 0.2 + ((at as u64 * 7919 + salt) % 101) as f64 / 50.0;
        (0..n)
            .scan(-1.0, |t, at| {
                *t += step(at);
                Some(*t)
            })
            .collect()
    }

    fn apply(matrix: &Matrix, values: &[f64]) -> Vec<f64> {
        let row = |row| matrix.row(row).zip(values).map(|(w, y)| w * y).sum();
        (0..matrix.rows()).map(row).collect()
    }

    proptest! {
        #[test]
        fn lines_are_kept_whatever_the_smoothing_inside_and_outside(
            n in 1usize..40, salt in 0u64..1000, exponent in -12i32..2, point in -9.0f64..99.0,
        ) {
            let nodes = nodes(n, salt);
            let line = |t: f64| if n == 1 { 2.0 } else { 2.0 - 0.5 * t };
            let values: Vec<f64> = nodes.iter().map(|t| line(*t)).collect();
            let got = apply(&smoother(&nodes, &[point], 10f64.powi(exponent)), &values)[0];
            prop_assert!((got - line(point)).abs() < 1e-7 * (1.0 + point.abs()), "{got}");
        }

        #[test]
        fn without_smoothing_the_values_are_met(n in 1usize..40, salt in 0u64..1000) {
            let nodes = nodes(n, salt);
            let values: Vec<f64> = nodes.iter().map(|t| (3.0 * t).sin()).collect();
            let got = apply(&smoother(&nodes, &nodes, 0.0), &values);
            prop_assert!(got.iter().zip(&values).all(|(a, b)| (a - b).abs() < 1e-9));
        }
    }

    #[test]
    fn a_smoothed_curve_bends_less_than_its_values() {
        let nodes = [0.0, 1.0, 2.0, 3.0, 4.0];
        let values = [0.0, 1.0, 0.0, 1.0, 0.0];
        let rough = |lambda: f64| {
            let s = apply(&smoother(&nodes, &nodes, lambda), &values);
            s.windows(3).map(|s| (s[0] - 2.0 * s[1] + s[2]).powi(2)).sum::<f64>()
        };
        assert!(rough(0.0) > rough(0.1) && rough(0.1) > rough(1.0));
        let flat = apply(&smoother(&nodes, &nodes, 1e9), &values);
        assert!(flat.iter().all(|s| (s - 0.4).abs() < 1e-6), "the least-squares line: {flat:?}");
    }
}
