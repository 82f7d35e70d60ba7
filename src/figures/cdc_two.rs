//! Two failures among three blocks and two parities: the paper's layout, weighted parities, and `Mds`.

use super::chart::{Axis, Chart, Series};
use super::{Claim, Finding, Scope, Table};
use crate::code::{Arrived, Code, Decoder, Encoder, Mds, NotYet, solve};
use crate::maths::matrix::Matrix;

/// Three blocks and two parities with these coefficients.
#[derive(Debug)]
struct Layout(Encoder);

impl Layout {
    fn new(parities: [[f64; 3]; 2]) -> Self {
        let entry = |share: usize, source: usize| match share.checked_sub(3) {
            None => f64::from(u8::from(share == source)),
            Some(parity) => parities[parity][source],
        };
        Self(Encoder::of_matrix(&Matrix::from_fn(5, 3, entry)))
    }
}

impl Code for Layout {
    fn name(&self) -> String {
        "Layout(5, 3)".to_owned()
    }

    fn encoder(&self) -> &Encoder {
        &self.0
    }

    fn tolerates(&self) -> usize {
        1
    }

    fn decoder(&self, arrived: &Arrived) -> Result<Decoder, NotYet> {
        solve(self, arrived)
    }
}

const SHARES: [&str; 5] = ["W1", "W2", "W3", "p1", "p2"];

pub(super) fn run(_: &Scope) -> anyhow::Result<Finding> {
    let codes: [(&str, usize, Box<dyn Code>); 3] = [
        ("p1 = W1+W2, p2 = W2+W3", 8, Box::new(Layout::new([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]]))),
        ("(1, 1, 1) and (1, 2, 3)", 10, Box::new(Layout::new([[1.0, 1.0, 1.0], [1.0, 2.0, 3.0]]))),
        ("Mds(5, 3)", 10, Box::new(Mds::new(5, 3))),
    ];
    let mut table = Table::new(&["parities", "lost", "recovered", "condition"]);
    let (mut claims, mut bars) = (Vec::new(), Vec::new());
    for (at, (name, published, code)) in codes.iter().enumerate() {
        let pairs = (0..5).flat_map(|a| (a + 1..5).map(move |b| (a, b)));
        let mut recovered = 0;
        for (a, b) in pairs {
            let decoder =
                code.decoder(&(0..5).filter(|share| *share != a && *share != b).collect());
            recovered += usize::from(decoder.is_ok());
            let condition = decoder.as_ref().map_or(f64::INFINITY, |decoder| decoder.condition);
            let lost = format!("{} {}", SHARES[a], SHARES[b]);
            table.push([
                (*name).into(),
                lost,
                decoder.is_ok().to_string(),
                format!("{condition:.1}"),
            ]);
        }
        bars.push((at as f64, recovered as f64));
        claims.push(Claim::new(
            format!("pairs recovered by {name}"),
            format!("{published} of 10"),
            format!("{recovered} of 10"),
            recovered == *published,
        ));
    }
    let chart = Chart {
        title: "Two of five lost: pairs that are recovered, of ten".to_owned(),
        x: Axis::new(""),
        y: Axis::new("pairs"),
        series: vec![Series::measured("recovered", bars)],
        groups: ["paper's layout", "weighted", "Mds(5, 3)"].map(String::from).to_vec(),
    };
    let remarks = vec!["The paper calls its layout's coverage almost complete.".to_owned()];
    Ok(Finding { claims, table, chart, remarks })
}
