//! Choosing λ by leave-one-out cross-validation: which smoothing foretells each value best from the others.
//!
//! With `B = Q (R + nλ QᵀQ)⁻¹` the smoother is `S = I − nλ B Qᵀ`, so what leaving value i out would
//! miss, `(y_i − ŷ_i) / (1 − S_ii)` (Craven and Wahba 1979), is `(B Qᵀy)_i / (B Qᵀ)_ii`: nλ cancels, and
//! it holds for the interpolant, λ = 0, too.

use super::Bands;

/// Values at nodes, ready to be foretold from each other.
#[derive(Debug)]
pub struct CrossValidation<'n> {
    nodes: &'n [f64],
    /// `Qᵀy` of each element of the values: second differences.
    differences: Vec<Vec<f64>>,
}

impl<'n> CrossValidation<'n> {
    /// `values[i]` is the block at node i.
    ///
    /// # Panics
    /// If there are fewer than three nodes or they are not in order, or blocks of different lengths.
    pub fn new(nodes: &'n [f64], values: &[&[f32]]) -> Self {
        assert!(nodes.len() >= 3 && nodes.windows(2).all(|t| t[0] < t[1]), "three nodes in order");
        assert_eq!(nodes.len(), values.len(), "a block at each node");
        assert!(values.windows(2).all(|pair| pair[0].len() == pair[1].len()), "blocks alike");
        let bands = Bands::new(nodes, 0.0);
        let difference = |x: usize| {
            let y = |node: usize| f64::from(values[node][x]);
            let at = |j: usize| (0..3).map(|i| bands.q(j)[i] * y(j + i)).sum();
            (0..nodes.len() - 2).map(at).collect()
        };
        Self { nodes, differences: (0..values[0].len()).map(difference).collect() }
    }

    /// The mean square error of foretelling each value from the others, n times λ being as it is.
    pub fn error(&self, lambda: f64) -> f64 {
        let n = self.nodes.len();
        let bands = Bands::new(self.nodes, lambda);
        let qs: Vec<[f64; 3]> = (0..n - 2).map(|j| bands.q(j)).collect();
        // Row `node` of Q times x: the columns node − 2 .. node, as far as there are such.
        let row_times = |node: usize, x: &[f64]| -> f64 {
            (node.saturating_sub(2)..(node + 1).min(n - 2)).map(|j| qs[j][node - j] * x[j]).sum()
        };
        let mut squares = vec![0.0; n];
        for difference in &self.differences {
            let bent = bands.solve(difference.clone());
            let miss =
                |(node, square): (usize, &mut f64)| *square += row_times(node, &bent).powi(2);
            squares.iter_mut().enumerate().for_each(miss);
        }
        let own = |node: usize| {
            let mut row = vec![0.0; n - 2];
            (node.saturating_sub(2)..(node + 1).min(n - 2)).for_each(|j| row[j] = qs[j][node - j]);
            row_times(node, &bands.solve(row))
        };
        let missed = squares.iter().enumerate().map(|(node, square)| square / own(node).powi(2));
        missed.sum::<f64>() / (n * self.differences.len().max(1)) as f64
    }

    /// The λ of a grid, in ascending order, with the smallest error; the least of those that come to the
    /// same but for rounding.
    ///
    /// # Panics
    /// If the grid is empty.
    pub fn best(&self, grid: &[f64]) -> f64 {
        let errors: Vec<f64> = grid.iter().map(|lambda| self.error(*lambda)).collect();
        let least = errors.iter().copied().fold(f64::INFINITY, f64::min);
        let is_least = |(_, error): &(&f64, &f64)| **error <= least * (1.0 + ROUNDING);
        grid.iter().zip(&errors).find(is_least).map_or(grid[0], |(lambda, _)| *lambda)
    }

    /// The work of trying so many λ on so many values of so many elements.
    pub fn work(values: usize, elements: usize, grid: usize) -> u64 {
        let inner = values.saturating_sub(2);
        // Second differences; then, for each λ, a banded solve for each element and each value.
        (inner * (5 * elements + 14 * grid * (elements + values))) as u64
    }
}

/// Errors this near to each other, as a part of them, are the same.
const ROUNDING: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use super::super::smoother;
    use super::*;
    use proptest::prelude::*;

    /// The same the long way: each value left out, and the spline through the others read off there.
    fn by_leaving_out(nodes: &[f64], values: &[&[f32]], lambda: f64) -> f64 {
        let n = nodes.len();
        let miss = |out: usize| {
            let kept: Vec<usize> = (0..n).filter(|at| *at != out).collect();
            let others: Vec<f64> = kept.iter().map(|at| nodes[*at]).collect();
            // The penalty against the sum of squares is nλ whether one is left out or not.
            let lambda = lambda * n as f64 / (n - 1) as f64;
            let weights = smoother(&others, &[nodes[out]], lambda);
            let element = |x: usize| {
                let terms = kept.iter().zip(weights.row(0));
                let foretold: f64 = terms.map(|(at, w)| w * f64::from(values[*at][x])).sum();
                (f64::from(values[out][x]) - foretold).powi(2)
            };
            (0..values[out].len()).map(element).sum::<f64>()
        };
        (0..n).map(miss).sum::<f64>() / (n * values[0].len()) as f64
    }

    const GRID: [f64; 8] = [0.0, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1.0, 100.0];

    proptest! {
        #[test]
        fn it_is_what_leaving_each_value_out_comes_to_and_chooses_what_that_would(
            gaps in prop::collection::vec(0.02f64..1.0, 2..24), salt in 0u64..1000, noise in 0.0f64..1.0,
        ) {
            let nodes: Vec<f64> = gaps.iter().scan(-1.0, |t, gap| { *t += gap; Some(*t) }).collect();
            let nodes = [&[-1.0], &nodes[..]].concat();
            let drawn = |at: usize| ((at as u64 * 7919 + salt) % 101) as f64 / 50.0 - 1.0;
            let value = |(at, t): (usize, &f64)| {
                [((2.0 * t).sin() + noise * drawn(at)) as f32, (t * t + noise * drawn(3 * at)) as f32]
            };
            let values: Vec<[f32; 2]> = nodes.iter().enumerate().map(value).collect();
            let blocks: Vec<&[f32]> = values.iter().map(|block| &block[..]).collect();
            let quick = CrossValidation::new(&nodes, &blocks);
            let slow = GRID.map(|lambda| by_leaving_out(&nodes, &blocks, lambda));
            for (lambda, slow) in GRID.iter().zip(slow) {
                let error = quick.error(*lambda);
                prop_assert!((error - slow).abs() <= 1e-6 * slow.max(1e-6), "{lambda}: {error} {slow}");
            }
            let least = slow.iter().copied().fold(f64::INFINITY, f64::min);
            let chosen = quick.best(&GRID);
            let of_chosen = slow[GRID.iter().position(|lambda| *lambda == chosen).expect("of the grid")];
            prop_assert!(of_chosen <= least * (1.0 + 1e-6) + 1e-12, "{chosen}: {of_chosen} {least}");
        }
    }

    #[test]
    fn of_three_values_each_is_on_the_line_of_the_others_whatever_the_smoothing() {
        let (nodes, values) = ([-0.7, 0.1, 0.9], [[1.0f32], [-2.0], [4.0]]);
        let blocks: Vec<&[f32]> = values.iter().map(|block| &block[..]).collect();
        assert_eq!(CrossValidation::new(&nodes, &blocks).best(&GRID), 0.0, "ties go to the least");
    }
}
