//! A model that cannot be run is refused when it is opened, in words that name the culprit.

#[path = "support/graph.rs"]
mod graph;

use graph::{Form, Graph};
use kofn::model::Network;

/// Models that cannot be run, and whom the message must name.
const REFUSED: [(&str, &str); 16] = [
    ("in x[1, 8]; odd = Frobnicate(x); out odd", "odd"),
    ("in x[1, 8]; odd = Frobnicate(x); y = Relu(odd); out y", "odd"),
    ("in x[1, 4, 5, 5]; w[4, 4, 3]; odd = Conv(x, w); out odd", "odd"),
    ("in x[1, 4, 5, 5]; w[4, 4, 3, 3, 3]; odd = Conv(x, w); out odd", "odd"),
    ("in x[1, 4, 5, 5]; w[4, 3, 3, 3]; odd = Conv(x, w); out odd", "odd"),
    ("in x[1, 4, 5, 5]; w[4, 4, 3, 3]; b[3]; odd = Conv(x, w, b); out odd", "odd"),
    ("in x[1, 4, 5, 5]; w[4, 4, 3, 3]; odd = Conv(x, w, kernel_shape=[2, 2]); out odd", "odd"),
    ("in x[2, 6]; w[5, 7]; odd = Gemm(x, w); out odd", "odd"),
    ("in x[2, 6]; w[6, 7]; c[6]; odd = Gemm(x, w, c); out odd", "odd"),
    ("in x[2, 6]; w[5, 7]; odd = MatMul(x, w); out odd", "odd"),
    ("in x[1, 8]; y = Add(x, nowhere); out y", "nowhere"),
    ("in picture[1, 3, -1]; y = Relu(picture); out y", "picture"),
    ("in picture[1, 3, 0]; y = Relu(picture); out y", "picture"),
    ("in picture[0, 3]; y = Relu(picture); out y", "picture"),
    // ONNX allows both; tract multiplies no two vectors, and forgets the type of such an input.
    ("in x[5]; w[5]; odd = MatMul(x, w); out odd", "odd"),
    ("in picture[1, 8]; y = Relu(picture); out y, picture", "picture"),
];

/// Why a model is refused.
fn refusal(graph: &Graph) -> Option<String> {
    let folder = tempfile::tempdir().expect("a place for a file");
    Network::open(&graph.write(Form::Raw, folder.path())).err().map(|why| why.0)
}

#[test]
fn a_model_that_cannot_be_run_is_refused_with_the_name_of_the_culprit() {
    for (text, culprit) in REFUSED {
        let why = refusal(&Graph::of(text)).expect(text);
        assert!(why.contains(&format!("\"{culprit}\"")), "{text}: {why}");
    }
    let mut twins = Graph::of("in x[8, 8]; w[8, 8]; a = MatMul(x, w); y = MatMul(a, w); out y");
    twins.nodes.iter_mut().for_each(|node| node.name = "twin".to_owned());
    let why = refusal(&twins).expect("two nodes of one name");
    assert!(why.contains("\"twin\""), "{why}");
}

/// Models whose refusal does not say where the mistake is, for tract's words do not: cycles, outputs
/// that nothing gives, steps of nothing, too few steps and pads.
const REFUSED_NAMELESS: [&str; 6] = [
    "in x[6, 8]; odd = Add(x, b); b = Relu(odd); out b",
    "in x[8, 8]; w[8, 8]; odd = MatMul(b, w); b = Add(x, odd); out b",
    "in x[1, 8]; y = Relu(x); out nowhere",
    "in x[1, 4, 5, 5]; w[4, 4, 3, 3]; odd = Conv(x, w, strides=[0, 1]); out odd",
    "in x[1, 4, 5, 5]; w[4, 4, 3, 3]; odd = Conv(x, w, strides=[1]); out odd",
    "in x[1, 4, 5, 5]; w[4, 4, 3, 3]; odd = Conv(x, w, pads=[1, 1]); out odd",
];

#[test]
fn cycles_missing_outputs_and_missing_strides_are_refused() {
    for text in REFUSED_NAMELESS {
        let why = refusal(&Graph::of(text)).expect(text);
        assert!(why.contains("model.onnx is not a model kofn can run: "), "{text}: {why}");
    }
}
