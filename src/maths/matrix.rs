//! Small dense `f64` matrices: the encoders and decoders of codes.

use nalgebra::DMatrix;

/// A row-major view of what codes need from linear algebra; at most a few dozen rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix(DMatrix<f64>);

impl Matrix {
    pub fn from_fn(rows: usize, columns: usize, entry: impl FnMut(usize, usize) -> f64) -> Self {
        Self(DMatrix::from_fn(rows, columns, entry))
    }

    pub fn identity(size: usize) -> Self {
        Self(DMatrix::identity(size, size))
    }

    pub fn rows(&self) -> usize {
        self.0.nrows()
    }

    pub fn columns(&self) -> usize {
        self.0.ncols()
    }

    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.0[(row, column)]
    }

    pub fn row(&self, row: usize) -> impl Iterator<Item = f64> + '_ {
        self.0.row(row).into_iter().copied()
    }

    /// The matrix of the given rows, in the given order.
    pub fn select_rows(&self, rows: &[usize]) -> Self {
        Self(self.0.select_rows(rows))
    }

    pub fn times(&self, other: &Self) -> Self {
        Self(&self.0 * &other.0)
    }

    /// The inverse by LU with partial pivoting; `None` if the matrix is singular.
    pub fn inverse(&self) -> Option<Self> {
        self.0.clone().lu().try_inverse().map(Self)
    }

    /// The 2-norm condition number: how much relative error solving with this matrix may amplify.
    /// Infinite for a singular matrix.
    pub fn condition(&self) -> f64 {
        let singular = self.0.singular_values();
        let (largest, smallest) = (singular.max(), singular.min());
        if smallest > 0.0 { largest / smallest } else { f64::INFINITY }
    }

    /// Every entry rounded to the nearest `f32`, so that what is decoded is what was encoded.
    pub fn rounded(&self) -> Self {
        Self(self.0.map(|x| f64::from(x as f32)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_undoes_and_the_condition_of_a_scaled_identity_is_one() {
        let m = Matrix::from_fn(3, 3, |i, j| if i == j { 4.0 } else { 1.0 });
        let product = m.times(&m.inverse().expect("diagonally dominant"));
        let error =
            (0..9).map(|i| (product.at(i / 3, i % 3) - Matrix::identity(3).at(i / 3, i % 3)).abs());
        assert!(error.fold(0.0, f64::max) < 1e-12);
        assert!(
            (Matrix::from_fn(2, 2, |i, j| if i == j { 5.0 } else { 0.0 }).condition() - 1.0)
                < 1e-12
        );
    }

    #[test]
    fn a_singular_matrix_has_no_inverse() {
        assert_eq!(Matrix::from_fn(2, 2, |_, _| 1.0).inverse(), None);
    }
}
