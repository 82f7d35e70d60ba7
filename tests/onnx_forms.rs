#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/graph.rs"]
mod graph;

use std::sync::Arc;

use fleet::Fleet;
use graph::*;
use kofn::maths::Tensor;
use kofn::model::Network;
use kofn::plan::Plan;
use kofn::units::DeviceId;
use ndarray::ArrayD;

fn plan(graph: &Graph, form: Form) -> Result<Arc<Plan>, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let model = graph.write(form, folder.path());
    let network = Network::open(&model).map_err(|e| e.0)?;
    let narrow = network.layers.iter().filter(|layer| (2..4).contains(&layer.op.rows));
    let stages: String = narrow
        .map(|layer| (&layer.name, layer.op.rows))
        .map(|(name, k)| format!("(layers: [{name:?}], code: Mds(n: {}, k: {k})), ", k + 1))
        .collect();
    let topology = format!(
        r#"Topology(
            model: Onnx("model.onnx"),
            supervisor: (speed: "1GFLOP/s"),
            devices: [(
                name: "pi", count: 5, speed: "1GFLOP/s", memory: "1GB",
                latency: Constant("1ms"), bandwidth: "1Gbit/s",
            )],
            coding: (code: Mds(n: 5, k: 4), on: ["pi"]),
            stages: [{stages}],
            inputs: Random(count: 1),
            requests: 1,
            policy: (local_below: "0FLOP"),
        )"#
    );
    let file = folder.path().join("t.ron");
    std::fs::write(&file, topology).unwrap();
    Plan::read(&file).map(Arc::new).map_err(|p| p.to_string())
}

fn compare(got: &[Tensor], want: &[ArrayD<f64>]) -> Result<(), String> {
    if got.len() != want.len() {
        return Err(format!("{} outputs not {}", got.len(), want.len()));
    }
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        if g.shape() != w.shape() {
            return Err(format!("{i}: shape {:?} not {:?}", g.shape(), w.shape()));
        }
        let big = w.iter().fold(1.0f64, |a, b| a.max(b.abs()));
        let worst =
            g.iter().zip(w).map(|(a, b)| (f64::from(*a) - b).abs() / big).fold(0.0, f64::max);
        if !(worst < 1e-5) {
            return Err(format!("{i}: off by {worst}"));
        }
    }
    Ok(())
}

fn check(graph: &Graph, form: Form) -> Result<Arc<Plan>, String> {
    let plan = plan(graph, form)?;
    let inputs = graph.some_inputs();
    let tensors: Vec<Tensor> = inputs.iter().map(|x| x.clone().into()).collect();
    let whole = plan.network.whole().map_err(|e| e.0)?.run(&tensors).map_err(|e| e.0)?;
    compare(&whole, &graph.plain(&inputs)).map_err(|e| format!("tract {e}"))?;
    for lost in 0..5 {
        let mut fleet = Fleet::without(DeviceId(lost), &plan);
        let got = fleet.answer(tensors.clone())?;
        compare(&got, &graph.plain(&inputs)).map_err(|e| format!("coded {lost} {e}"))?;
        fleet.decoded_around_the_loss()?;
    }
    Ok(plan)
}

fn report(name: &str, g: &Graph) {
    for form in [Form::Raw] {
        let r = std::panic::catch_unwind(|| check(g, form));
        match r {
            Err(e) => println!("{name}: PANIC {:?}", e.downcast_ref::<String>()),
            Ok(Ok(p)) => println!(
                "{name}: stages {:?} locals {:?} steps {}",
                p.stages
                    .iter()
                    .map(|s| {
                        let kofn::plan::StageWork::Layer(l) = &s.work else { unreachable!() };
                        let o = l.op();
                        format!(
                            "{} {} g{} r{} d{} c{} b{}",
                            s.name,
                            s.kind(),
                            o.groups,
                            o.rows,
                            o.depth,
                            o.columns,
                            l.layer().bias.is_some()
                        )
                    })
                    .collect::<Vec<_>>(),
                p.locals,
                p.steps.len()
            ),
            Ok(Err(e)) => println!("{name}: ERR {e}"),
        }
    }
}

#[test]
fn gemm() {
    for side in [0, 1] {
        for ta in [0, 1] {
            for tb in [0, 1] {
                for c in ["", "[]", "[1]", "[7]", "[1,7]", "[6,1]", "[6,7]", "[1,1]"] {
                    for (al, be) in [(1.0, 1.0), (0.5, -2.0), (2.0, 0.0)] {
                        let a = if ta == 0 { [6, 5] } else { [5, 6] };
                        let b = if tb == 0 { [5, 7] } else { [7, 5] };
                        let mut g = Graph::default();
                        let (x, w) = if side == 0 { (b, a) } else { (a, b) };
                        g = g.input("x", &x.map(|d| d as i64)).weights("w", &w);
                        let mut f = if side == 0 {
                            "y = Gemm(w, x".to_string()
                        } else {
                            "y = Gemm(x, w".to_string()
                        };
                        if !c.is_empty() {
                            let s: Vec<usize> = c
                                .trim_matches(['[', ']'])
                                .split(',')
                                .filter_map(|p| p.parse().ok())
                                .collect();
                            g = g.weights("c", &s);
                            f += ", c";
                        }
                        f += ")";
                        let g = g
                            .node(
                                &f,
                                &[
                                    int("transA", ta),
                                    int("transB", tb),
                                    float("alpha", al),
                                    float("beta", be),
                                ],
                            )
                            .output("y");
                        report(&format!("side {side} {ta}{tb} c {c} {al} {be}"), &g);
                    }
                }
            }
        }
    }
}

#[test]
fn matmul() {
    for (x, w) in [
        (vec![6, 5], vec![5, 7]),
        (vec![2, 6, 5], vec![5, 7]),
        (vec![2, 3, 6, 5], vec![5, 7]),
        (vec![1, 6, 5], vec![5, 7]),
        (vec![1, 1, 6, 5], vec![5, 7]),
        (vec![1, 5], vec![5, 7]),
        (vec![5], vec![5, 7]),
        (vec![6, 5], vec![5]),
        (vec![2, 6, 5], vec![5]),
        (vec![5], vec![5]),
        (vec![2, 6, 5], vec![2, 5, 7]),
        (vec![2, 3, 6, 5], vec![3, 5, 7]),
        (vec![2, 3, 6, 5], vec![2, 3, 5, 7]),
        (vec![2, 3, 6, 5], vec![2, 1, 5, 7]),
        (vec![2, 3, 6, 5], vec![1, 3, 5, 7]),
        (vec![2, 3, 6, 5], vec![1, 5, 7]),
        (vec![2, 3, 6, 5], vec![1, 1, 5, 7]),
        (vec![6, 5], vec![2, 5, 7]),
        (vec![1, 6, 5], vec![2, 5, 7]),
        (vec![1, 3, 6, 5], vec![2, 3, 5, 7]),
        (vec![3, 6, 5], vec![2, 3, 5, 7]),
        (vec![6, 5], vec![5, 1]),
        (vec![6, 1], vec![1, 7]),
        (vec![5, 6, 5], vec![5, 5, 1]),
        (vec![1, 6, 5], vec![1, 5, 7]),
        (vec![2, 6, 5], vec![2, 5, 1]),
        (vec![6, 5], vec![4, 5, 1]),
        (vec![5], vec![2, 5, 7]),
    ] {
        let xi: Vec<i64> = x.iter().map(|d| *d as i64).collect();
        let g = Graph::default()
            .input("x", &xi)
            .weights("w", &w)
            .node("y = MatMul(x, w)", &[])
            .output("y");
        report(&format!("{x:?} · const {w:?}"), &g);
        let wi: Vec<i64> = w.iter().map(|d| *d as i64).collect();
        let g = Graph::default()
            .input("x", &wi)
            .weights("w", &x)
            .node("y = MatMul(w, x)", &[])
            .output("y");
        report(&format!("const {x:?} · {w:?}"), &g);
    }
}

#[test]
fn forms() {
    for form in [Form::Raw, Form::Floats, Form::Nodes, Form::Inputs] {
        let g = Graph::default()
            .input("x", &[-1, 2, 6, 6])
            .weights("w", &[4, 2, 3, 3])
            .weights("b", &[4])
            .weights("v", &[5, 64])
            .weights("c", &[5])
            .node("conv = Conv(x, w, b)", &[])
            .node("r = Relu(conv)", &[])
            .node("f = Flatten(r)", &[])
            .node("fc = Gemm(f, v, c)", &[int("transB", 1)])
            .output("fc");
        println!(
            "{form:?} {:?}",
            check(&g, form).map(|p| p.stages.iter().map(|s| s.name.clone()).collect::<Vec<_>>())
        );
    }
}
