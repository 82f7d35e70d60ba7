//! However a layer is written in ONNX, and whatever stands around it, a coded fleet that lost a
//! device answers as tract's whole model does, and as ONNX's definitions do in `f64`.

#[path = "support/definitions.rs"]
mod definitions;
#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/graph.rs"]
mod graph;

use std::sync::Arc;

use fleet::Fleet;
use graph::{Form, Graph};
use kofn::maths::Tensor;
use kofn::model::Network;
use kofn::model::cut::{Mark, PieceKind};
use kofn::plan::{Plan, StageWork};
use kofn::units::DeviceId;
use ndarray::ArrayD;
use proptest::prelude::*;

const DEVICES: usize = 5;

/// Layers are split so many ways, or by as many rows as a group has if those are fewer.
const WAYS: usize = 4;

/// In parts of the largest number of an output. Sums here have less than two hundred terms.
const TOLERANCE: f64 = 1e-5;

/// Five devices; layers with less than `local_below` of work stay with the supervisor. Each share is
/// checked by itself: where no time passes nobody can wait for one more than needed.
fn plan(graph: &Graph, form: Form, local_below: &str) -> Result<Arc<Plan>, String> {
    let folder = tempfile::tempdir().expect("a place for files");
    let network = Network::open(&graph.write(form, folder.path())).map_err(|why| why.0)?;
    let narrow = network.layers.iter().filter(|layer| (2..WAYS).contains(&layer.op.rows));
    let stages: String = narrow
        .map(|layer| (&layer.name, layer.op.rows))
        .map(|(name, k)| format!("(layers: [{name:?}], code: Mds(n: {}, k: {k})), ", k + 1))
        .collect();
    let topology = format!(
        r#"Topology(
            model: Onnx("model.onnx"),
            supervisor: (speed: "1GFLOP/s"),
            devices: [(
                name: "pi", count: {DEVICES}, speed: "1GFLOP/s", memory: "1GB",
                latency: Constant("1ms"), bandwidth: "1Gbit/s",
            )],
            coding: (code: Mds(n: {DEVICES}, k: {WAYS}), on: ["pi"]),
            stages: [{stages}],
            inputs: Random(count: 1),
            requests: 1,
            policy: (local_below: "{local_below}", verify: Always),
        )"#
    );
    let file = folder.path().join("forms.ron");
    std::fs::write(&file, topology).expect("a temporary file is written");
    Plan::read(&file).map(Arc::new).map_err(|problems| problems.to_string())
}

fn wide(tensors: &[Tensor]) -> Vec<ArrayD<f64>> {
    tensors.iter().map(|tensor| tensor.mapv(f64::from)).collect()
}

fn agree(got: &[Tensor], want: &[ArrayD<f64>]) -> Result<(), String> {
    if got.len() != want.len() {
        return Err(format!("{} outputs and not {}", got.len(), want.len()));
    }
    for (at, (got, want)) in got.iter().zip(want).enumerate() {
        if got.shape() != want.shape() {
            let (got, want) = (got.shape(), want.shape());
            return Err(format!("output {at} has shape {got:?} and not {want:?}"));
        }
        let largest = want.iter().fold(1.0, |a: f64, b| a.max(b.abs()));
        let off = |(got, want): (&f32, &f64)| (f64::from(*got) - want).abs() / largest;
        // A comparison that NaN fails.
        if !got.iter().zip(want).all(|pair| off(pair) < TOLERANCE) {
            return Err(format!("output {at} is {got} and not {want}"));
        }
    }
    Ok(())
}

/// Asks the fleet without each device in turn, and holds it to both witnesses.
fn answers_rightly(graph: &Graph, plan: &Arc<Plan>) -> Result<(), String> {
    let inputs = graph.draw_inputs();
    let tensors: Vec<Tensor> = inputs.iter().map(|x| x.clone().into()).collect();
    let defined = graph.plain(&inputs);
    let whole = plan.network.whole().and_then(|whole| whole.run(&tensors)).map_err(|why| why.0)?;
    agree(&whole, &defined).map_err(|why| format!("the whole model is not as defined: {why}"))?;
    for lost in (0..DEVICES).map(DeviceId) {
        let mut fleet = Fleet::without(lost, plan);
        let got = fleet.answer(tensors.clone())?;
        agree(&got, &wide(&whole)).map_err(|why| format!("without {lost:?}: {why}"))?;
        agree(&got, &defined).map_err(|why| format!("without {lost:?}, as defined: {why}"))?;
        fleet.decoded_around_the_loss()?;
    }
    Ok(())
}

/// The plan that codes all it can, after its answers were found right.
fn coded(text: &str) -> Result<Arc<Plan>, String> {
    let graph = Graph::of(text);
    let plan = plan(&graph, Form::Raw, "0FLOP")?;
    answers_rightly(&graph, &plan)?;
    Ok(plan)
}

/// What was coded: (groups, rows, depth, columns) of each layer.
fn products(plan: &Plan) -> Vec<[usize; 4]> {
    let layers = plan.stages.iter().filter_map(|stage| match &stage.work {
        StageWork::Layers(layers) => Some(layers.iter()),
        StageWork::Function(_) => None,
    });
    let ops = layers.flatten().map(|layer| layer.op());
    ops.map(|op| [op.groups, op.rows, op.depth, op.columns]).collect()
}

#[test]
fn wherever_a_file_keeps_its_weights_the_layers_and_the_answers_are_the_same() {
    let graph = Graph::of(
        "in x[1, 2, 6, 6]; w[4, 2, 3, 3]; b[4]; v[5, 64]; c[5]; conv = Conv(x, w, b);
         r = Relu(conv); f = Flatten(r); fc = Gemm(f, v, c, transB=1); out fc",
    );
    let inputs: Vec<Tensor> = graph.draw_inputs().into_iter().map(Into::into).collect();
    let seen = [Form::Raw, Form::Floats, Form::Nodes, Form::Beside, Form::Inputs].map(|form| {
        let plan = plan(&graph, form, "0FLOP").expect("a plan");
        answers_rightly(&graph, &plan).unwrap_or_else(|why| panic!("{form:?}: {why}"));
        let layers = plan.network.layers.clone().into_iter();
        let layers =
            layers.map(|l| (l.name, l.kind, l.op, l.weights, l.finish)).collect::<Vec<_>>();
        let answer = Fleet::without(DeviceId(0), &plan).answer(inputs.clone());
        (form, plan.network.inputs.clone(), layers, answer.expect("an answer"))
    });
    assert_eq!(seen[0].2.len(), 2, "a convolution and a product");
    for (form, inputs, layers, answer) in &seen[1..] {
        assert_eq!(*inputs, seen[0].1, "{form:?}: weights are no inputs");
        assert_eq!(*layers, seen[0].2, "{form:?}: the same layers");
        assert_eq!(*answer, seen[0].3, "{form:?}: the same answer to the last bit");
    }
}

/// Products of 6×5 and 5×7 with the weights on either side, and (groups, rows, depth, columns).
fn gemms() -> Vec<(String, [usize; 4])> {
    let addends = ["", "c[]", "c[1]", "c[7]", "c[1, 1]", "c[1, 7]", "c[6, 1]", "c[6, 7]"];
    let mut gemms = Vec::new();
    for ((turn_a, a), (turn_b, b)) in [(0, "[6, 5]"), (1, "[5, 6]")]
        .into_iter()
        .flat_map(|a| [(a, (0, "[5, 7]")), (a, (1, "[7, 5]"))])
    {
        let right = (format!("in x{a}; w{b}"), "x, w", [1, 7, 5, 6]);
        let left = (format!("in x{b}; w{a}"), "w, x", [1, 6, 5, 7]);
        for (operands, order, product) in [right, left] {
            for addend in addends {
                let c = if addend.is_empty() { "" } else { ", c" };
                let gemm = format!("{operands}; {addend}; y = Gemm({order}{c}, transA={turn_a}");
                gemms.extend([(1.0, 1.0), (0.5, -2.0), (3.0, 0.0)].map(|(alpha, beta)| {
                    let scales = format!("alpha={alpha:?}, beta={beta:?}");
                    (format!("{gemm}, transB={turn_b}, {scales}); out y"), product)
                }));
            }
        }
    }
    gemms
}

#[test]
fn a_gemm_is_coded_on_either_side_whatever_is_turned_scaled_and_added() {
    for (text, product) in gemms() {
        let plan = coded(&text).unwrap_or_else(|why| panic!("{text}: {why}"));
        assert_eq!(products(&plan), [product], "{text}");
        assert!(plan.locals.is_empty(), "{text}");
    }
}

const NO_ROWS: &str = "no axis of its weights reaches the output alone, so there are no rows";
const BROADCAST: &str = "it broadcasts an axis in ";

/// Operands of `MatMul`, and (groups, rows, depth, columns), or why it stays local.
const MATMULS: [(&str, Result<[usize; 4], &str>); 24] = [
    ("in x[6, 5]; w[5, 7]; y = MatMul(x, w)", Ok([1, 7, 5, 6])),
    ("in x[5]; w[5, 7]; y = MatMul(x, w)", Ok([1, 7, 5, 1])),
    ("in x[2, 6, 5]; w[5, 7]; y = MatMul(x, w)", Ok([1, 7, 5, 12])),
    ("in x[2, 3, 6, 5]; w[5, 7]; y = MatMul(x, w)", Ok([1, 7, 5, 36])),
    ("in x[6, 1]; w[1, 7]; y = MatMul(x, w)", Ok([1, 7, 1, 6])),
    ("in x[5, 7]; w[6, 5]; y = MatMul(w, x)", Ok([1, 6, 5, 7])),
    ("in x[5]; w[6, 5]; y = MatMul(w, x)", Ok([1, 6, 5, 1])),
    ("in x[2, 5, 7]; w[6, 5]; y = MatMul(w, x)", Ok([1, 6, 5, 14])),
    ("in x[2, 3, 5, 7]; w[6, 5]; y = MatMul(w, x)", Ok([1, 6, 5, 42])),
    // A batch of weights for a batch of activations: groups.
    ("in x[2, 6, 5]; w[2, 5, 7]; y = MatMul(x, w)", Ok([2, 7, 5, 6])),
    ("in x[2, 5, 7]; w[2, 6, 5]; y = MatMul(w, x)", Ok([2, 6, 5, 7])),
    ("in x[2, 3, 6, 5]; w[2, 3, 5, 7]; y = MatMul(x, w)", Ok([6, 7, 5, 6])),
    ("in x[2, 3, 6, 5]; w[3, 5, 7]; y = MatMul(x, w)", Ok([3, 7, 5, 12])),
    ("in x[2, 3, 6, 5]; w[2, 1, 5, 7]; y = MatMul(x, w)", Ok([2, 7, 5, 18])),
    ("in x[2, 3, 6, 5]; w[1, 5, 7]; y = MatMul(x, w)", Ok([1, 7, 5, 36])),
    // A batch of weights for one activation: more rows.
    ("in x[6, 5]; w[2, 5, 7]; y = MatMul(x, w)", Ok([1, 14, 5, 6])),
    ("in x[3, 6, 5]; w[2, 3, 5, 7]; y = MatMul(x, w)", Ok([3, 14, 5, 6])),
    ("in x[1, 6, 5]; w[2, 5, 7]; y = MatMul(x, w)", Err(BROADCAST)),
    ("in x[2, 1, 5, 7]; w[2, 3, 6, 5]; y = MatMul(w, x)", Err(BROADCAST)),
    // One output for each activation cannot be split.
    ("in x[6, 5]; w[5]; y = MatMul(x, w)", Err(NO_ROWS)),
    ("in x[6, 5]; w[5, 1]; y = MatMul(x, w)", Err(NO_ROWS)),
    ("in x[5, 7]; w[5]; y = MatMul(w, x)", Err(NO_ROWS)),
    // Weights that are computed, but from constants.
    ("in x[6, 5]; v[7, 5]; w = Transpose(v, perm=[1, 0]); y = MatMul(x, w)", Ok([1, 7, 5, 6])),
    ("in x[6, 5]; v[5, 7]; u[7]; w = Add(v, u); y = MatMul(x, w)", Ok([1, 7, 5, 6])),
];

#[test]
fn a_matmul_is_coded_over_its_rows_or_says_why_it_is_not() {
    for (text, product) in MATMULS {
        let plan = coded(&format!("{text}; out y")).unwrap_or_else(|why| panic!("{text}: {why}"));
        match product {
            Ok(product) => assert_eq!(products(&plan), [product], "{text}"),
            Err(reason) => {
                let [(name, why)] = &plan.network.uncodable[..] else { panic!("{text}: coded") };
                assert!(name == "y" && why.starts_with(reason), "{text}: {name}: {why}");
            }
        }
    }
}

prop_compose! {
    /// A convolution in one to three dimensions, and the output channels of a group.
    fn convolutions()(
        axes in prop::collection::vec([0..6, 1..4, 1..4, 1..4, 0..4, 0..4usize], 1..4),
        auto_pad in prop::sample::select(vec!["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]),
        (batch, groups, channels, rows) in (1..3usize, 1..4usize, 1..3usize, 1..6usize),
        bias in any::<bool>(),
    ) -> (String, usize) {
        let [beyond, kernel, strides, dilations, before, after] =
            std::array::from_fn(|what| axes.iter().map(|axis| axis[what]).collect::<Vec<_>>());
        let (mut x, mut w) = (vec![batch, groups * channels], vec![groups * rows, channels]);
        for axis in 0..axes.len() {
            let padding = match auto_pad {
                "NOTSET" => before[axis] + after[axis],
                "VALID" => 0,
                _ => usize::MAX,
            };
            // The smallest input that has an output, and more.
            let reach = (kernel[axis] - 1) * dilations[axis] + 1;
            x.push(reach.saturating_sub(padding).max(1) + beyond[axis]);
        }
        w.extend(kernel);
        let padding = match auto_pad {
            "NOTSET" => format!("pads={:?}", [before, after].concat()),
            _ => format!("auto_pad={auto_pad}"),
        };
        let (b, outputs) = (if bias { ", b" } else { "" }, groups * rows);
        let text = format!(
            "in x{x:?}; w{w:?}; b[{outputs}]; y = Conv(x, w{b}, group={groups}, \
             strides={strides:?}, dilations={dilations:?}, {padding}); out y"
        );
        (text, rows)
    }
}

proptest! {
    #[test]
    fn any_convolution_is_coded_unless_its_groups_have_one_row((text, rows) in convolutions()) {
        let plan = coded(&text).map_err(TestCaseError::fail)?;
        let (coded, local) = if rows > 1 { (1, 0) } else { (0, 1) };
        prop_assert_eq!((plan.stages.len(), plan.locals.len()), (coded, local));
    }
}

/// Graphs that branch and join, and how many layers they have.
const BRANCHES: [(&str, usize); 19] = [
    // A residual; then residuals of residuals.
    ("in x[1, 4, 5, 5]; w[4, 4, 3, 3]; c = Conv(x, w, pads=[1, 1, 1, 1]); y = Add(c, x); out y", 1),
    (
        "in x[1, 4, 5, 5]; w[4, 4, 1, 1]; a = Conv(x, w); b = Add(a, x); c = Conv(b, w); \
         d = Add(c, b); e = Conv(d, w); y = Add(e, a); out y, b",
        3,
    ),
    // Two branches, concatenated.
    (
        "in x[1, 4, 5, 5]; w[4, 4, 3, 3]; v[4, 4, 1, 1]; u[6, 8, 3, 3]; \
         a = Conv(x, w, pads=[1, 1, 1, 1]); b = Conv(x, v); c = Concat(a, b, axis=1); \
         y = Conv(c, u); out y",
        3,
    ),
    // One value for queries, keys and values.
    (
        "in x[1, 6, 8]; p[8, 8]; q[8, 8]; r[8, 8]; s[8, 8]; h = Relu(x); a = MatMul(h, p); \
         b = MatMul(h, q); c = MatMul(h, r); t = Transpose(b, perm=[0, 2, 1]); e = MatMul(a, t); \
         f = MatMul(e, c); o = MatMul(f, s); y = Add(o, h); out y",
        4,
    ),
    // An output that is an inner value too, two outputs of which the later comes first, one twice.
    ("in x[6, 8]; p[8, 8]; h = MatMul(x, p); r = Relu(h); y = MatMul(r, p); out h, y", 2),
    ("in x[6, 8]; p[8, 8]; q[8, 7]; h = MatMul(x, p); a = MatMul(h, q); b = Relu(h); out b, a", 2),
    ("in x[6, 8]; p[8, 8]; y = MatMul(x, p); out y, y", 1),
    // An input that skips a layer. tract makes the product with the concatenation two products.
    (
        "in x[6, 8]; p[8, 8]; q[16, 8]; h = MatMul(x, p); k = Concat(x, h, axis=1); \
         y = MatMul(k, q); out y",
        3,
    ),
    // Nothing linear.
    ("in x[6, 8]; h = Relu(x); y = Add(h, x); out y", 0),
    // Diamonds with both layers on one side: before and behind local operators, then between layers.
    (
        "in x[6, 8]; p[8, 8]; q[8, 8]; h = Relu(x); a = MatMul(h, p); b = Relu(a); \
         c = MatMul(b, q); d = Add(h, x); y = Add(c, d); out y",
        2,
    ),
    (
        "in x[6, 8]; p[8, 8]; q[8, 8]; h = MatMul(x, q); a = MatMul(h, p); b = Relu(a); \
         c = MatMul(b, q); d = Relu(h); e = Add(c, d); y = MatMul(e, p); out y",
        4,
    ),
    // Two inputs, the later used first, and one that nothing reads; a product of two activations.
    (
        "in x[6, 8]; in z[6, 8]; in u[3]; p[8, 8]; b = MatMul(z, p); r = Relu(b); \
         a = MatMul(x, p); y = Add(r, a); out y",
        2,
    ),
    ("in x[6, 8]; in z[8, 6]; p[8, 8]; a = MatMul(x, p); y = MatMul(a, z); out y", 1),
    // An open batch is one.
    ("in x[-1, 8]; p[8, 8]; y = MatMul(x, p); out y", 1),
    // Outputs that depend on no input: beside a layer, twice, alone.
    ("in x[6, 8]; p[8, 8]; y = MatMul(x, p); z = Relu(p); out y, z", 1),
    ("in x[6, 8]; p[8, 8]; y = MatMul(x, p); z = Relu(p); out z, p, y, z", 1),
    ("in x[6, 8]; p[8, 8]; z = Relu(p); out z", 0),
    // A slope for each channel, and one for each place on the last axis.
    ("in x[1, 4, 5, 5]; w[4, 4, 3, 3]; s[4, 1, 1]; c = Conv(x, w); y = PRelu(c, s); out y", 1),
    ("in x[1, 4, 5, 5]; w[4, 4, 3, 3]; s[3]; c = Conv(x, w); y = PRelu(c, s); out y", 1),
];

#[test]
fn however_a_graph_branches_and_joins_all_its_layers_are_coded() {
    for (text, layers) in BRANCHES {
        let plan = coded(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        assert_eq!(products(&plan).len(), layers, "{text}");
        assert!(plan.locals.is_empty(), "{text}: {:?}", plan.locals);
    }
}

/// Behind a convolution of 4 rows: whether it has a bias then, an addend and a ReLU, and how many local
/// steps are left.
const BEHIND: [(&str, [bool; 3], usize); 16] = [
    ("y = Relu(c); out y", [false, false, true], 0),
    ("y = Mul(c, s); out y", [false, false, false], 0),
    ("a = Mul(s, c); b = Add(t, a); y = Relu(b); out y", [true, false, true], 0),
    ("a = Sub(c, t); y = Mul(a, s); out y", [true, false, false], 0),
    ("y = BatchNormalization(c, n, n, n, n, epsilon=3.0); out y", [true, false, false], 0),
    ("a = Relu(c); y = Add(a, t); out y", [false, false, true], 1),
    ("y = Add(c, x); out y", [false, true, false], 0),
    ("a = Add(c, t); b = Add(x, a); y = Relu(b); out y", [true, true, true], 0),
    ("a = Add(c, x); b = Add(a, t); y = Add(b, x); out y", [false, true, false], 1),
    // Not one number a row; not the layer's own part of it; read twice; an output itself.
    ("y = Mul(c, n); out y", [false; 3], 1),
    ("y = Sub(t, c); out y", [false; 3], 1),
    ("a = Relu(c); y = Add(a, c); out y", [false; 3], 1),
    ("a = Mul(c, s); b = Relu(a); y = Add(a, b); out y", [false; 3], 1),
    ("y = Relu(c); out y, c", [false; 3], 1),
    ("a = Mul(c, s); y = Relu(a); out a, y", [false; 3], 1),
    // What is added is not the layer's shape.
    ("a = Relu(n); y = Add(c, a); out y", [false; 3], 2),
];

#[test]
fn what_does_the_same_to_a_whole_row_is_done_in_passing_and_nothing_else_is() {
    for (behind, does, locals) in BEHIND {
        let n = if behind.contains("(n)") { "in n[4]" } else { "n[4]" };
        let text = format!(
            "in x[1, 4, 4, 4]; {n}; w[4, 4, 3, 3]; s[4, 1, 1]; t[1, 4, 1, 1]; \
             c = Conv(x, w, pads=[1, 1, 1, 1]); {behind}"
        );
        let plan = coded(&text).unwrap_or_else(|why| panic!("{text}: {why}"));
        let finish = &plan.network.layers[0].finish;
        assert_eq!([finish.bias.is_some(), finish.adds, finish.rectify], does, "{text}");
        assert_eq!(local_steps(&plan), locals, "{text}");
    }
}

/// How many there are if every layer is coded.
fn local_steps(plan: &Plan) -> usize {
    let marks = vec![Mark::Coded; plan.network.layers.len()];
    let pieces = plan.network.cut(&marks).expect("pieces").pieces;
    pieces.iter().filter(|piece| matches!(piece.kind, PieceKind::Local(_))).count()
}

/// Two layers could each be added to the other; and one whose addend lies in a segment that waits for it.
#[test]
fn only_what_is_there_before_a_layer_is_added_to_it() {
    let two = "in x[1, 4, 4, 4]; w[4, 4, 1, 1]; v[4, 4, 1, 1]; c = Conv(x, w); d = Conv(x, v);";
    for (rest, locals) in [
        ("y = Add(c, d); out y", 0),
        ("a = Relu(d); y = Add(c, a); b = Add(d, y); out b", 2),
        ("a = Relu(d); y = Add(c, a); b = Add(a, y); z = Add(b, d); out z", 2),
    ] {
        let text = format!("{two} {rest}");
        let plan = coded(&text).unwrap_or_else(|why| panic!("{text}: {why}"));
        assert_eq!(local_steps(&plan), locals, "{text}");
    }
}

/// tract has these wrong: it would take the constant into the convolution as if it were the second operand.
#[test]
fn a_constant_less_a_convolution_or_over_it_is_what_onnx_says() {
    let between = [
        "",
        "m = Mul(c, s);",
        "m = Add(c, s);",
        "m = BatchNormalization(c, n, n, n, n, epsilon=3.0);",
    ];
    let operators = ["Sub(t, c)", "Div(t, c)", "Sub(c, t)", "Div(c, t)", "Sub(c, c)"];
    let chained = between.iter().flat_map(|m| operators.map(|y| (*m, y.to_owned())));
    let chained = chained.map(|(m, y)| (m, if m.is_empty() { y } else { y.replace('c', "m") }));
    for (between, behind) in chained.collect::<Vec<_>>() {
        for (kernel, groups) in [("[4, 4, 3, 3]", 1), ("[4, 4, 1, 1]", 1), ("[4, 1, 3, 3]", 4)] {
            let text = format!(
                "in x[1, 4, 5, 5]; w{kernel}; b[4]; t[1, 4, 1, 1]; s[1, 4, 1, 1]; n[4]; \
                 c = Conv(x, w, b, group={groups}); {between} y = {behind}; out y"
            );
            let mut graph = Graph::of(&text);
            // Far from zero, or quotients would be far from anything.
            for (name, far) in [("b", 40.0), ("s", 2.0), ("n", 2.0)] {
                graph.constants.entry(name.to_owned()).and_modify(|numbers| *numbers += far);
            }
            let plan =
                plan(&graph, Form::Raw, "0FLOP").unwrap_or_else(|why| panic!("{text}: {why}"));
            answers_rightly(&graph, &plan).unwrap_or_else(|why| panic!("{text}: {why}"));
        }
    }
}

/// It is larger than what tract computes once and for all: 4 MiB, and more than goes in.
#[test]
fn a_convolution_of_a_constant_stays_with_the_supervisor() {
    for behind in ["y = Mul(c, x); out y", "y = Add(x, c); out y"] {
        let text = format!(
            "in x[1, 4, 600, 600]; k[1, 1, 600, 600]; w[4, 1, 3, 3]; \
             c = Conv(k, w, pads=[1, 1, 1, 1]); {behind}"
        );
        let plan = plan(&Graph::of(&text), Form::Raw, "0FLOP").expect("a plan");
        assert!(plan.stages.is_empty(), "{text}");
        assert_eq!(plan.locals, [("c".to_owned(), "its input is constant".to_owned())], "{text}");
    }
}

/// A factor that takes weights beyond what a number can be, though it would not have taken their sums there.
#[test]
fn a_factor_stays_where_it_is_if_weights_could_not_bear_it() {
    let network = |factor: f32| {
        let folder = tempfile::tempdir().expect("a place for files");
        let mut graph =
            Graph::of("in x[1, 8]; p[8, 8]; t[]; a = MatMul(x, p); b = Mul(a, t); out b");
        graph.constants.insert("t".to_owned(), ndarray::arr0(factor).into_dyn());
        graph.constants.entry("p".to_owned()).and_modify(|p| *p *= 4.0);
        Network::open(&graph.write(Form::Raw, folder.path())).expect("a model")
    };
    let plain = network(1.0).layers[0].weights.clone();
    let twice: Vec<f32> = plain.iter().map(|w| w * 2.0).collect();
    assert_eq!(*network(2.0).layers[0].weights, twice);
    for factor in [f32::MAX, f32::MIN_POSITIVE] {
        assert_eq!(network(factor).layers[0].weights, plain, "{factor:e}");
    }
}

/// A depthwise layer, then 1152 and 1440 operations.
const SMALL: &str = "in x[1, 4, 8, 8]; d[4, 1, 3, 3]; w[4, 4, 1, 1]; v[144, 5]; \
    deep = Conv(x, d, group=4); wide = Conv(deep, w); f = Flatten(wide); few = Gemm(f, v); out few";

#[test]
fn depthwise_layers_and_layers_below_the_limit_stay_with_the_supervisor() {
    let graph = Graph::of(SMALL);
    let rows = (
        "deep",
        "1 rows in each of 4 groups cannot be split 4 ways; its map can: `split: Spatial`",
    );
    let few = ("few", "its 1.44 kFLOP are less than local_below");
    let wide = ("wide", "its 1.15 kFLOP are less than local_below");
    for (limit, locals) in [
        ("0FLOP", vec![rows]),
        ("1152FLOP", vec![rows]),
        ("1153FLOP", vec![rows, wide]),
        ("1441FLOP", vec![rows, wide, few]),
    ] {
        let plan = plan(&graph, Form::Raw, limit).expect("a plan");
        let found: Vec<_> = plan.locals.iter().map(|(name, why)| (&name[..], &why[..])).collect();
        assert_eq!(found, locals, "below {limit}");
        assert_eq!(plan.stages.len() + locals.len(), 3, "a layer is coded or says why it is not");
        answers_rightly(&graph, &plan).unwrap_or_else(|why| panic!("below {limit}: {why}"));
    }
}

/// Layers that tract splits in two, and what the parts are called.
const SPLIT: [(&str, [&str; 3]); 2] = [
    (
        "in x[6, 8]; p[8, 8]; q[16, 8]; h = MatMul(x, p); k = Concat(x, h, axis=1); \
         y = MatMul(k, q); out y",
        ["h", "y", "y#2"],
    ),
    (
        "in x[6, 8]; p[8, 16]; q[8, 8]; h = MatMul(x, p); a, b = Split(h, axis=1); \
         y = MatMul(a, q); z = Add(y, b); out z",
        ["h", "h#2", "y"],
    ),
];

#[test]
fn the_parts_of_a_layer_that_tract_splits_are_called_as_the_layer_is() {
    for (text, names) in SPLIT {
        let plan = plan(&Graph::of(text), Form::Raw, "0FLOP").expect(text);
        let mut found: Vec<&str> = plan.network.layers.iter().map(|l| l.name.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, names, "{text}");
    }
}

#[test]
fn a_convolution_stays_local_for_an_operand_that_is_an_input_and_says_which() {
    let bias = "in x[1, 4, 5, 5]; in b[4]; w[4, 4, 3, 3]; y = Conv(x, w, b); out y";
    let weights = "in x[1, 4, 5, 5]; in w[4, 4, 3, 3]; y = Conv(x, w); out y";
    for (text, why) in
        [(bias, "its bias is not constant"), (weights, "its weights are not constant")]
    {
        let plan = plan(&Graph::of(text), Form::Raw, "0FLOP").expect(text);
        assert_eq!(plan.network.uncodable, [("y".to_owned(), why.to_owned())], "{text}");
    }
}
