//! Small dense `f64` matrices: the encoders and decoders of codes.

use nalgebra::DMatrix;

/// A row-major view of what codes need from linear algebra; at most a few dozen rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix(DMatrix<f64>);

impl Matrix {
    pub fn from_fn(rows: usize, columns: usize, entry: impl FnMut(usize, usize) -> f64) -> Self {
        Self(DMatrix::from_fn(rows, columns, entry))
    }

    pub fn zeros(rows: usize, columns: usize) -> Self {
        Self(DMatrix::zeros(rows, columns))
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

    pub fn set(&mut self, row: usize, column: usize, entry: f64) {
        self.0[(row, column)] = entry;
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

    /// Orthonormal rows `h` with `h · self = 0`, as many as there are: rows − rank of them.
    pub fn left_null_space(&self) -> Self {
        let (rows, columns) = self.0.shape();
        if rows == 0 {
            return Self(DMatrix::zeros(0, 0));
        }
        // Columns of zeros change no product, and make the decomposition give every direction.
        let padded = self.0.clone().resize_horizontally(columns.max(rows), 0.0);
        let svd = padded.svd(true, false);
        let (u, singular) = (svd.u.expect("asked for"), svd.singular_values);
        let none = singular.iter().fold(0.0, |a: f64, b| a.max(*b)) * RANK_TOLERANCE;
        let null: Vec<usize> = (0..rows).filter(|at| singular[*at] <= none).collect();
        Self(u.select_columns(&null).transpose())
    }
}

/// Singular values this much smaller than the largest are rounding: codes have conditions up to 1e5.
const RANK_TOLERANCE: f64 = 1e-10;

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
    fn the_left_null_space_is_orthonormal_and_annihilates() {
        for (rows, columns, rank) in [(6, 4, 4), (3, 5, 3), (4, 2, 1), (2, 2, 0), (0, 3, 0)] {
            let entry = |i: usize, j: usize| ((i + 1) as f64).powi((j % rank.max(1)) as i32);
            let m =
                Matrix::from_fn(rows, columns, |i, j| if rank == 0 { 0.0 } else { entry(i, j) });
            let null = m.left_null_space();
            assert_eq!(null.rows(), rows - rank);
            let largest = |m: &Matrix| m.0.iter().fold(0.0f64, |a, b| a.max(b.abs()));
            assert!(null.rows() == 0 || largest(&null.times(&m)) < 1e-10, "{rows} {columns}");
            let gram =
                Matrix(&null.0 * null.0.transpose() - DMatrix::identity(null.rows(), null.rows()));
            assert!(null.rows() == 0 || largest(&gram) < 1e-12, "{rows} {columns}");
        }
    }

    #[test]
    fn a_singular_matrix_has_no_inverse() {
        assert_eq!(Matrix::from_fn(2, 2, |_, _| 1.0).inverse(), None);
    }
}
