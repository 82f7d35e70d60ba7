//! Maps of a round that are put one behind the other, or looked through for their maxima, are so while its
//! outputs are put together: nothing else comes of it than of one after the other.

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/graph.rs"]
mod graph;

use std::sync::Arc;

use fleet::Fleet;
use graph::{Form, Graph};
use kofn::maths::Tensor;
use kofn::plan::{Plan, StepWork};
use kofn::units::DeviceId;

/// A model by five devices, its siblings together or apart.
fn plan(model: &Graph, siblings: &str, more: &str) -> Arc<Plan> {
    let folder = tempfile::tempdir().expect("a folder");
    model.write(Form::Raw, folder.path());
    let text = format!(
        r#"Topology(
            model: Onnx("model.onnx"),
            supervisor: (speed: "1GFLOP/s"),
            devices: [(
                name: "pi", count: 5, speed: "1GFLOP/s", memory: "1GB",
                latency: Constant("1ms"), bandwidth: "1Gbit/s",
            )],
            coding: (siblings: {siblings}, code: Mds(n: 5, k: 3), on: ["pi"]{more}),
            inputs: Random(count: 1),
            requests: 1,
            policy: (local_below: "0FLOP"),
        )"#
    );
    let plan = Plan::parse(&folder.path().join("topology.ron"), text);
    Arc::new(plan.unwrap_or_else(|problems| panic!("{problems}")))
}

fn inputs(model: &Graph) -> Vec<Tensor> {
    model.draw_inputs().into_iter().map(|input| input.into_shared()).collect()
}

fn answer(plan: &Arc<Plan>, lost: usize, inputs: &[Tensor]) -> Vec<Tensor> {
    let mut fleet = Fleet::without(DeviceId(lost), plan);
    let answer = fleet.answer(inputs.to_vec()).expect("four of five are there");
    fleet.decoded_around_the_loss().expect("each stage");
    answer
}

/// How many steps of it are the supervisor's own.
fn local_steps(plan: &Plan) -> usize {
    plan.steps.iter().filter(|step| matches!(step.work, StepWork::Local(_))).count()
}

/// A fire module, its maps in the other order, and a pool.
const FIRE: &str = "in x[1, 2, 11, 9]; s[4, 2, 1, 1]; sb[4]; e[5, 4, 1, 1]; eb[5]; f[7, 4, 3, 3]; fb[7]; \
    c[8, 12, 3, 3]; \
    squeeze = Conv(x, s, sb); low = Relu(squeeze); \
    one = Conv(low, e, eb); a = Relu(one); \
    three = Conv(low, f, fb, pads=[1, 1, 1, 1]); b = Relu(three); \
    both = Concat(b, a, axis=1); \
    pooled = MaxPool(both, kernel_shape=[3, 3], strides=[2, 2]); \
    y = Conv(pooled, c); out y";

#[test]
fn a_fire_module_and_its_pool_are_two_rounds_and_give_what_they_give_step_by_step() {
    let model = Graph::of(FIRE);
    let (together, apart) = (plan(&model, "Together", ""), plan(&model, "Apart", ""));
    assert_eq!((together.stages.len(), local_steps(&together)), (3, 0));
    assert_eq!((apart.stages.len(), local_steps(&apart)), (4, 1), "it is given by two rounds");
    let inputs = inputs(&model);
    let whole = together.network.whole().expect("it runs").run(&inputs).expect("it runs");
    for lost in 0..5 {
        let (one, other) = (answer(&together, lost, &inputs), answer(&apart, lost, &inputs));
        assert_eq!(one, other, "bit for bit, without {lost}");
        let close = one[0].iter().zip(&whole[0]).all(|(a, b)| (a - b).abs() < 1e-4);
        assert!(close && one[0].shape() == whole[0].shape(), "{one:?}\n{whole:?}");
    }
}

#[test]
fn maps_of_strips_are_pooled_as_they_are_put_together() {
    let model = Graph::of(
        "in x[1, 2, 11, 9]; w[4, 2, 3, 3]; c[8, 4, 3, 3]; h = Conv(x, w); \
        p = MaxPool(h, kernel_shape=[2, 3], strides=[1, 2], pads=[1, 0, 0, 1]); y = Conv(p, c); out y",
    );
    let strips = plan(&model, "Together", ", split: Spatial");
    assert_eq!((strips.stages.len(), local_steps(&strips)), (2, 0));
    let inputs = inputs(&model);
    let whole = strips.network.whole().expect("it runs").run(&inputs).expect("it runs");
    for lost in [1, 4] {
        let got = answer(&strips, lost, &inputs);
        assert!(got[0].iter().zip(&whole[0]).all(|(a, b)| (a - b).abs() < 1e-4), "without {lost}");
    }
}

#[test]
fn what_somebody_else_reads_too_is_there_as_it_is() {
    let conv = "in x[1, 2, 11, 9]; w[4, 2, 3, 3]; h = Conv(x, w); \
        p = MaxPool(h, kernel_shape=[2, 2], strides=[2, 2]); ";
    let inputs = inputs(&Graph::of(&format!("{conv} out p")));
    let joined = plan(&Graph::of(&format!("{conv} out p")), "Together", "");
    assert_eq!(local_steps(&joined), 0);
    for more in ["out p, h", "g[4, 4, 3, 3]; z = Conv(h, g); out p, z", "q = Sigmoid(p); out p, q"]
    {
        let model = Graph::of(&format!("{conv} {more}"));
        let plan = plan(&model, "Together", "");
        assert_eq!(local_steps(&plan), 1, "{more}");
        let whole = plan.network.whole().expect("it runs").run(&inputs).expect("it runs");
        for (got, want) in answer(&plan, 2, &inputs).iter().zip(&whole) {
            assert!(got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-4), "{more}");
        }
    }
}
