//! The papers' figures and claims, measured anew: each a table, a chart, and whether the claim holds.
//!
//! A figure runs what kofn runs for everybody: the same codes, models and virtual time. What was
//! published stands beside what was measured; where a paper's setting is not known, or is not this
//! one, the finding says so.
//!
//! # Add a figure
//! One file, and one line in [`ALL`].

mod approxifer;
mod batch;
mod cdc_case1;
mod cdc_case2;
mod cdc_fig13;
mod cdc_fig14;
mod cdc_fig2;
mod cdc_recovery;
mod cdc_two;
pub mod chart;
mod cocoi;
mod letcc_models;
mod letcc_rate;
mod parm_tail;
mod polar;
mod rateless;
mod sazd_numerics;
mod trial;

use std::path::PathBuf;

use chart::Chart;

/// A figure or claim of a paper.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    pub id: &'static str,
    /// Where it was published.
    pub source: &'static str,
    run: fn(&Scope) -> anyhow::Result<Finding>,
}

/// Where the shipped files are, and how much work may be done.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The folder of the shipped topologies, with their models.
    pub topologies: PathBuf,
    /// Fewer trials: enough to see that everything works.
    pub quick: bool,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Finding {
    pub claims: Vec<Claim>,
    pub table: Table,
    pub chart: Chart,
    /// What a reader must know to judge it.
    pub remarks: Vec<String>,
}

/// One thing that was published, and what was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub what: String,
    pub published: String,
    pub measured: String,
    pub holds: bool,
}

/// Every number of a figure, for a CSV file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    pub heads: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// In the order of the papers.
pub const ALL: &[Figure] = &[
    Figure { id: "cdc-recovery", source: "Hadidi et al. 2023, §VI", run: cdc_recovery::run },
    Figure { id: "cdc-fig2", source: "Hadidi et al. 2023, Fig. 2", run: cdc_fig2::run },
    Figure { id: "cdc-case1", source: "Hadidi et al. 2023, Fig. 9", run: cdc_case1::run },
    Figure { id: "cdc-case2", source: "Hadidi et al. 2023, Figs. 11, 12", run: cdc_case2::run },
    Figure { id: "cdc-fig13", source: "Hadidi et al. 2023, Fig. 13b", run: cdc_fig13::run },
    Figure { id: "cdc-fig14", source: "Hadidi et al. 2023, Fig. 14", run: cdc_fig14::run },
    Figure { id: "cdc-two", source: "Hadidi et al. 2023, Fig. 15", run: cdc_two::run },
    Figure { id: "letcc-rate", source: "Moradi et al. 2024, Th. 4", run: letcc_rate::run },
    Figure { id: "letcc-models", source: "Moradi et al. 2024, Tab. 1", run: letcc_models::run },
    Figure { id: "approxifer", source: "Soleymani et al. 2022", run: approxifer::run },
    Figure { id: "sazd-numerics", source: "Dai et al. 2020, 2023", run: sazd_numerics::run },
    Figure { id: "rateless", source: "Mallick et al. 2020", run: rateless::run },
    Figure { id: "polar", source: "Bartan, Pilanci 2023", run: polar::run },
    Figure { id: "cocoi", source: "Liu et al. 2025", run: cocoi::run },
    Figure { id: "parm-tail", source: "Kosaian et al. 2019", run: parm_tail::run },
];

impl Figure {
    /// Measures it.
    ///
    /// # Errors
    /// If a shipped file cannot be read, or a run breaks down.
    pub fn reproduce(&self, scope: &Scope) -> anyhow::Result<Finding> {
        (self.run)(scope)
    }
}

impl Table {
    pub fn new(heads: &[&str]) -> Self {
        Self { heads: heads.iter().map(ToString::to_string).collect(), rows: Vec::new() }
    }

    pub fn push(&mut self, row: impl IntoIterator<Item = String>) {
        self.rows.push(row.into_iter().collect());
    }

    /// As RFC 4180 has it.
    pub fn to_csv(&self) -> String {
        let quoted = |cell: &String| match cell.contains([',', '"', '\n']) {
            true => format!("\"{}\"", cell.replace('"', "\"\"")),
            false => cell.clone(),
        };
        let line = |row: &Vec<String>| row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n";
        std::iter::once(&self.heads).chain(&self.rows).map(line).collect()
    }
}

impl Claim {
    fn new(
        what: impl Into<String>,
        published: impl Into<String>,
        measured: impl Into<String>,
        holds: bool,
    ) -> Self {
        Self { what: what.into(), published: published.into(), measured: measured.into(), holds }
    }
}
