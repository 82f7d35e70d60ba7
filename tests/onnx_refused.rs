//! A model that cannot be run is refused when it is opened, in words that name the culprit.

#[path = "support/graph.rs"]
mod graph;

use graph::{Form, Graph};
use kofn::model::Network;

/// Models that cannot be run, and what the message must say.
const REFUSED: [(&str, &str); 53] = [
    // Operators.
    ("in x[1, 8]; odd = Frobnicate(x); out odd", r#""odd""#),
    ("in x[1, 8]; odd = Frobnicate(x); y = Relu(odd); out y", r#""odd""#),
    // Operands that do not fit.
    ("in x[1, 4, 5, 5]; w[4, 4, 3]; odd = Conv(x, w); out odd", r#""odd""#),
    ("in x[1, 4, 5, 5]; w[4, 4, 3, 3, 3]; odd = Conv(x, w); out odd", r#""odd""#),
    ("in x[1, 4, 5, 5]; w[4, 3, 3, 3]; odd = Conv(x, w); out odd", r#""odd""#),
    ("in x[1, 4, 5, 5]; w[4, 4, 3, 3]; b[3]; odd = Conv(x, w, b); out odd", r#""odd""#),
    ("in x[2, 6]; w[5, 7]; odd = Gemm(x, w); out odd", r#""odd""#),
    ("in x[2, 6]; w[6, 7]; c[6]; odd = Gemm(x, w, c); out odd", r#""odd""#),
    ("in x[2, 6]; w[5, 7]; odd = MatMul(x, w); out odd", r#""odd""#),
    ("in x[1, 6, 8]; in u[7]; odd = Add(x, u); out odd", r#"node "odd" gives"#),
    ("in x[1, 6, 8]; in u[7]; odd = Add(x, u); out odd", "its operands do not fit"),
    ("in x[1, 6, 8]; c[7]; odd = Add(x, c); y = Relu(odd); out y", "its operands do not fit"),
    // Groups.
    (
        "in x[1, 4, 5, 5]; w[5, 2, 3, 3]; odd = Conv(x, w, group=2); out odd",
        r#"node "odd": its 5 "#,
    ),
    (
        "in x[1, 4, 5, 5]; w[4, 4, 3, 3]; odd = Conv(x, w, group=0); out odd",
        r#"node "odd": its group"#,
    ),
    // Windows.
    ("in x[1, 4, 5, 5]; w[4, 4, 3, 3]; odd = Conv(x, w, kernel_shape=[2, 2]); out odd", r#""odd""#),
    ("in x[1, 4, 5, 5]; w[4, 4, 3, 3]; odd = Conv(x, w, kernel_shape=[3, 0]); out odd", ODD_KERNEL),
    ("in x[1, 4, 5, 5]; w[4, 4, 3, 3]; odd = Conv(x, w, strides=[0, 1]); out odd", ODD_STRIDES),
    ("in x[1, 4, 5, 5]; w[4, 4, 3, 3]; odd = Conv(x, w, strides=[-1, 1]); out odd", ODD_STRIDES),
    (
        "in x[1, 4, 5, 5]; w[4, 4, 3, 3]; odd = Conv(x, w, dilations=[1, 0]); out odd",
        "its dilations",
    ),
    ("in x[1, 4, 5, 5]; w[4, 4, 3, 3]; odd = Conv(x, w, strides=[1]); out odd", ODD_AXES),
    ("in x[1, 4, 5, 5]; w[4, 4, 3, 3]; odd = Conv(x, w, dilations=[1, 1, 1]); out odd", ODD_AXES),
    ("in x[1, 4, 5, 5]; w[4, 4, 3, 3]; odd = Conv(x, w, pads=[1, 1]); out odd", ODD_AXES),
    ("in x[1, 4, 5, 5]; w[4, 4, 3, 3]; odd = Conv(x, w, pads=[1, 1, 1]); out odd", ODD_AXES),
    (
        "in x[1, 4, 5, 5]; odd = MaxPool(x, kernel_shape=[2, 2], strides=[0, 1]); out odd",
        ODD_STRIDES,
    ),
    ("in x[1, 4, 5, 5]; odd = MaxPool(x, kernel_shape=[0, 2]); out odd", ODD_KERNEL),
    (
        "in x[1, 4, 5, 5]; odd = MaxPool(x, kernel_shape=[2, 2], strides=[1]); out odd",
        r#"node "odd": its kernel_shape and its strides are for different numbers of axes"#,
    ),
    (
        "in x[1, 4, 5, 5]; odd = AveragePool(x, kernel_shape=[2, 2], pads=[1, 1]); out odd",
        r#"node "odd": its kernel_shape and its pads are for different numbers of axes"#,
    ),
    ("in x[1, 4, 5, 5]; odd = LRN(x, size=0); out odd", ODD_SIZE),
    ("in x[1, 4, 5, 5]; odd = LRN(x, size=-3); y = Relu(odd); out y", ODD_SIZE),
    ("in x[1, 4, 5, 5]; odd = LRN(x); out odd", "odd (LRN): expected attribute 'size'"),
    // Values from nowhere, from two nodes, and from each other.
    ("in x[1, 8]; y = Add(x, nowhere); out y", r#"node "y" reads "nowhere", which nothing gives"#),
    ("in x[1, 8]; y = Relu(x); out nowhere", r#"nothing gives the output "nowhere""#),
    ("in x[1, 8]; y = Relu(x)", "it has no outputs"),
    (
        "in x[1, 8]; y = Relu(x); y = Add(x, x); out y",
        r#"node "y" gives "y", which is given before"#,
    ),
    ("in x[1, 8]; x = Relu(x); out x", r#"node "x" gives "x", which is given before"#),
    ("in x[1, 8]; p[8]; p = Relu(x); out p", r#"node "p" gives "p", which is given before"#),
    ("in x[1, 8]; in x[1, 8]; y = Relu(x); out y", r#"input "x" is there twice"#),
    ("in x[6, 8]; odd = Add(x, odd); out odd", WAITS),
    (
        "in x[6, 8]; odd = Add(x, b); b = Relu(odd); y = Relu(b); out y",
        r#"" waits for its own output"#,
    ),
    ("in x[6, 8]; y = Relu(odd); odd = Add(x, odd); out y", WAITS),
    // Inputs.
    ("in picture[1, 3, -1]; y = Relu(picture); out y", r#""picture""#),
    ("in picture[1, 3, 0]; y = Relu(picture); out y", r#""picture""#),
    ("in picture[0, 3]; y = Relu(picture); out y", r#""picture""#),
    ("in vast[1, 1099511627776, 1099511627776]; y = Relu(vast); out y", VAST),
    ("in vast[268435457]; y = Relu(vast); out y", VAST),
    ("in x[1, 1, 5]; w[4, 1, 3]; odd = Conv(x, w, pads=[268435456, 0]); out odd", r#""odd" gives"#),
    // Nothing to compute: a kernel larger than its input, no columns.
    ("in x[1, 4, 5, 5]; w[4, 4, 7, 7]; odd = Conv(x, w); out odd", r#"node "odd" gives"#),
    ("in x[1, 4, 5, 5]; w[4, 4, 7, 7]; odd = Conv(x, w); y = Relu(odd); out y", NOTHING),
    ("in x[1, 4, 5, 5]; odd = MaxPool(x, kernel_shape=[7, 7]); out odd", BEYOND),
    (
        "in x[1, 4, 5, 5]; odd = AveragePool(x, kernel_shape=[5, 7], strides=[2, 2], ceil_mode=1);
         out odd",
        BEYOND,
    ),
    ("in x[6, 8]; w[8, 0]; odd = MatMul(x, w); out odd", NOTHING),
    // ONNX allows both; tract multiplies no two vectors, and forgets the type of such an input.
    ("in x[5]; w[5]; odd = MatMul(x, w); out odd", r#""odd""#),
    ("in picture[1, 8]; y = Relu(picture); out y, picture", r#""picture""#),
];

const ODD_KERNEL: &str = r#"node "odd": its kernel_shape must be at least 1"#;
const ODD_STRIDES: &str = r#"node "odd": its strides must be at least 1"#;
const ODD_SIZE: &str = r#"node "odd": its size must be at least 1"#;
const ODD_AXES: &str = r#"node "odd": its weights and its "#;
const WAITS: &str = r#"node "odd" waits for its own output"#;
const VAST: &str = r#"input "vast" of shape "#;
const BEYOND: &str = r#"node "odd": its kernel is larger than its input"#;
const NOTHING: &str = "there is nothing in it";

/// Why a model is refused.
fn refusal(graph: &Graph) -> Option<String> {
    let folder = tempfile::tempdir().expect("a place for a file");
    Network::open(&graph.write(Form::Raw, folder.path())).err().map(|why| why.0)
}

#[test]
fn a_model_that_cannot_be_run_is_refused_with_the_name_of_the_culprit() {
    let mut ill = Vec::new();
    for (text, words) in REFUSED {
        match refusal(&Graph::of(text)) {
            Some(why) if why.contains(words) => {}
            outcome => ill.push(format!("{text}: not {words:?} but {outcome:?}")),
        }
    }
    assert!(ill.is_empty(), "{}", ill.join("\n"));
}

#[test]
fn nodes_of_one_name_are_refused_and_one_without_is_called_as_its_output() {
    let mut twins = Graph::of("in x[8, 8]; w[8, 8]; a = MatMul(x, w); y = MatMul(a, w); out y");
    twins.nodes.iter_mut().for_each(|node| node.name = "twin".to_owned());
    let why = refusal(&twins).expect("two nodes of one name");
    assert!(why.contains("\"twin\""), "{why}");
    let mut nameless = Graph::of("in x[8, 8]; y = Add(x, nowhere); out y");
    nameless.nodes[0].name.clear();
    let why = refusal(&nameless).expect("a value from nowhere");
    assert!(why.contains("node \"y\" reads \"nowhere\""), "{why}");
}
