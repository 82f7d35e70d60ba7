//! How shares mix sources, cell by cell.

use crate::maths::matrix::Matrix;

/// A source is cut into equal **cells**, and a cell of a share is a mixture of cells of sources.
///
/// Most codes have one cell a source and one a share: then this is a matrix of n × k. Codes that
/// shift sources against each other, or turn them in pairs, need more.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoder {
    sources: usize,
    cells: usize,
    shares: Vec<Vec<Mixture>>,
}

/// What one cell of a share mixes: (cell of the sources, coefficient), none of them zero. Cell c of
/// source j is number `j · cells + c`.
pub type Mixture = Vec<(usize, f64)>;

impl Encoder {
    /// One cell a source and a share: row i of (n, k) says how share i mixes the sources.
    pub fn of_matrix(matrix: &Matrix) -> Self {
        let row = |row| vec![matrix.row(row).enumerate().collect()];
        Self::of_cells(matrix.columns(), 1, (0..matrix.rows()).map(row).collect())
    }

    /// Each share is a copy of a source.
    pub fn of_copies(sources: usize, shares: impl Iterator<Item = usize>) -> Self {
        Self::of_cells(sources, 1, shares.map(|source| vec![vec![(source, 1.0)]]).collect())
    }

    /// For k sources of so many cells: the mixtures of each share's cells.
    ///
    /// Coefficients are rounded to `f32`, so that what is decoded is what was encoded.
    ///
    /// # Panics
    /// If a mixture names a cell that no source has.
    pub fn of_cells(sources: usize, cells: usize, mut shares: Vec<Vec<Mixture>>) -> Self {
        for mixture in shares.iter_mut().flatten() {
            mixture.iter_mut().for_each(|(_, c)| *c = f64::from(*c as f32));
            mixture.retain(|(_, coefficient)| *coefficient != 0.0);
            assert!(mixture.iter().all(|(cell, _)| *cell < sources * cells), "a cell of a source");
        }
        Self { sources, cells, shares }
    }

    /// k.
    pub fn sources(&self) -> usize {
        self.sources
    }

    /// n.
    pub fn shares(&self) -> usize {
        self.shares.len()
    }

    /// How many cells a source has.
    pub fn cells(&self) -> usize {
        self.cells
    }

    /// What the cells of a share mix, in order.
    pub fn share(&self, share: usize) -> &[Mixture] {
        &self.shares[share]
    }

    /// The source a share is a plain copy of, if it is one.
    pub fn plain(&self, share: usize) -> Option<usize> {
        let cells = &self.shares[share];
        let source = cells.first()?.first()?.0 / self.cells;
        let copies =
            |(at, mixture): (usize, &Mixture)| mixture[..] == [(source * self.cells + at, 1.0)];
        (cells.len() == self.cells && cells.iter().enumerate().all(copies)).then_some(source)
    }

    /// The rows of these shares' cells, in order; columns are the cells of the sources.
    pub fn dense(&self, shares: &[usize]) -> Matrix {
        let rows: Vec<&Mixture> = shares.iter().flat_map(|share| &self.shares[*share]).collect();
        let mut dense = Matrix::zeros(rows.len(), self.sources * self.cells);
        for (row, mixture) in rows.into_iter().enumerate() {
            mixture.iter().for_each(|(column, c)| dense.set(row, *column, *c));
        }
        dense
    }
}
