//! Convolutions whose input is coded in strips: the laws, the costs, the lies, and what is refused.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use kofn::code::{
    Arrived, Code, Form, Gaussian, Mds, Parity, Replication, Rotation, ShiftAdd, Uncoded,
};
use kofn::drive::Trace;
use kofn::event::{Event, Record};
use kofn::fault::{Corrupt, FaultKind, How};
use kofn::maths::Tensor;
use kofn::maths::chance::Seed;
use kofn::model::Layer;
use kofn::model::linear::{Finish, LinearOp, Lowering, Patches, Raising};
use kofn::model::probe::Probe;
use kofn::model::witness::Witness;
use kofn::node::{Job, RoundId, Wanted};
use kofn::plan::{CodedLayer, Plan, Problems, Share, StageWork, Verify};
use kofn::units::{Bytes, DeviceId, Flops, RequestId, StageId};
use kofn::view::plan_table::PlanView;
use kofn::view::report::Report;
use ndarray::IxDyn;
use proptest::prelude::*;
use support::{answers, count, dead_from_the_start, plan, setup, simulate, topology};

fn number(i: usize) -> f32 {
    (i.wrapping_mul(2_654_435_761) >> 7) as f32 % 1009.0 / 504.5 - 1.0
}

/// A convolution with numbers for weights and bias.
fn convolution(patches: Patches, groups: usize, rows: usize) -> Layer {
    let kernel: usize = patches.kernel.iter().product();
    let positions: usize = patches.output.iter().product();
    let Patches { batch, channels, input, output, .. } = patches;
    let depth = channels / groups * kernel;
    let shape = |channels| [&[batch, channels][..], &input].concat();
    let mut layer = plan("lenet5").network.layers[0].clone();
    layer.op = Arc::new(LinearOp {
        input: shape(channels),
        groups,
        rows,
        depth,
        columns: batch * positions,
        lowering: Lowering::patches(patches, groups),
        raising: Raising {
            dims: vec![groups, rows, batch, positions],
            axes: if batch == 1 { vec![0, 1, 2, 3] } else { vec![2, 0, 1, 3] },
            shape: [&[batch, groups * rows][..], &output].concat(),
        },
    });
    layer.weights = (0..groups * rows * depth).map(number).collect::<Vec<_>>().into();
    layer.finish.bias = Some(Arc::new((0..groups * rows).map(number).collect()));
    layer
}

fn input_of(layer: &Layer) -> Tensor {
    let len: usize = layer.op.input.iter().product();
    let numbers = (0..len).map(|i| number(i + 77)).collect();
    Tensor::from_shape_vec(IxDyn(&layer.op.input), numbers).expect("its shape")
}

/// What every device answers, and what the undivided layer gives.
fn run(coded: &CodedLayer, input: &Tensor) -> (Vec<Tensor>, Tensor) {
    let tasks = coded.encode_input(input);
    let result = |(share, task): (usize, &Tensor)| {
        let result = coded.encode(share).run(std::slice::from_ref(task)).expect("a share runs");
        assert_eq!(result[0].len(), coded.result_len(share));
        result[0].clone()
    };
    let op = coded.op();
    let whole = op.apply(&coded.layer().weights, input);
    let finish = &coded.layer().finish;
    (tasks.iter().enumerate().map(result).collect(), op.assemble(&[&whole], op.rows, finish, None))
}

fn decode(coded: &CodedLayer, results: &[Tensor], arrived: &Arrived) -> Option<(Tensor, f64)> {
    let decoder = coded.code().decoder(arrived).ok()?;
    let block = |share: &usize| (*share, results[*share].as_slice().expect("plain"));
    let blocks: BTreeMap<usize, &[f32]> = arrived.iter().map(block).collect();
    Some((coded.decode(&decoder, &blocks, None), decoder.condition))
}

fn subsets(n: usize, k: usize) -> impl Iterator<Item = Arrived> {
    (0..1usize << n)
        .filter(move |set| set.count_ones() as usize == k)
        .map(move |set| (0..n).filter(|share| set >> share & 1 == 1).collect())
}

fn codes() -> Vec<Arc<dyn Code>> {
    vec![
        Arc::new(Uncoded::new(3)),
        Arc::new(Replication::new(4, 2)),
        Arc::new(Parity::new(3)),
        Arc::new(Mds::new(5, 3)),
        Arc::new(Gaussian::new(5, 2)),
        Arc::new(Rotation::new(5, 3)),
        Arc::new(ShiftAdd::new(5, 3, Some(2), Form::Systematic)),
        Arc::new(ShiftAdd::new(4, 2, Some(3), Form::Mixed)),
    ]
}

prop_compose! {
    /// Maps of one to three dimensions, with kernels that may be larger than a strip.
    fn any_patches()(
        dims in 1usize..4, batch in 1usize..3, input in [5usize..8, 5usize..10, 5usize..10],
        kernel in [1usize..3, 1usize..4, 1usize..4], stride in [1usize..3, 1usize..4, 1usize..4],
        dilation in 1usize..3, before in 0usize..3, after in 0usize..3, channels in 1usize..3,
    ) -> Patches {
        let only = |sizes: [usize; 3], rest: usize| {
            [0, 1, 2].map(|axis| if axis + dims < 3 { rest } else { sizes[axis] })
        };
        let (input, kernel) = (only(input, 1), only(kernel, 1));
        let (stride, dilation) = (only(stride, 1), only([dilation; 3], 1));
        let (pad, after) = (only([before; 3], 0), only([after; 3], 0));
        let output = [0, 1, 2].map(|axis| {
            let reach = (kernel[axis] - 1) * dilation[axis] + 1;
            (input[axis] + pad[axis] + after[axis] - reach.min(input[axis])) / stride[axis] + 1
        });
        Patches { batch, channels, input, kernel, stride, dilation, pad, output }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn from_every_set_of_k_coded_strips_comes_the_whole_convolution(
        patches in any_patches(), groups in 1usize..3, rows in 1usize..4,
    ) {
        let patches = Patches { channels: patches.channels * groups, ..patches };
        let layer = convolution(patches, groups, rows);
        let input = input_of(&layer);
        for code in codes() {
            let coded = CodedLayer::in_strips(layer.clone(), code.clone()).expect("a convolution");
            let (results, whole) = run(&coded, &input);
            let largest = whole.iter().fold(1.0f32, |a, y| a.max(y.abs()));
            let all_plain: Arrived =
                (0..code.shares()).filter(|share| code.plain(*share).is_some()).collect();
            let mut decoded = 0;
            for arrived in subsets(code.shares(), code.sources()) {
                let Some((output, condition)) = decode(&coded, &results, &arrived) else { continue };
                decoded += 1;
                prop_assert_eq!(output.shape(), whole.shape());
                let pairs = output.iter().zip(&whole);
                let off = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest;
                let allowed = 2e-6 * condition.max(1.0) as f32;
                prop_assert!(off < allowed, "{} from {:?}: {}", code.name(), arrived, off);
                if arrived.is_subset(&all_plain) {
                    prop_assert!(off < 1e-6, "{} plainly: {}", code.name(), off);
                }
            }
            let tolerates_any = code.tolerates() == code.shares() - code.sources();
            prop_assert!(decoded > 0);
            prop_assert!(!tolerates_any || decoded == subsets(code.shares(), code.sources()).count());
        }
    }

    #[test]
    fn a_clean_strip_is_never_accused_and_a_lie_about_one_is_caught(
        patches in any_patches(), groups in 1usize..3, rows in 1usize..4, seed in 0u64..1000,
    ) {
        let patches = Patches { channels: patches.channels * groups, ..patches };
        let layer = convolution(patches, groups, rows);
        let input = input_of(&layer);
        for code in codes() {
            let coded = CodedLayer::in_strips(layer.clone(), code.clone()).expect("a convolution");
            let (results, _) = run(&coded, &input);
            let tasks = coded.encode_input(&input);
            for (share, result) in results.iter().enumerate() {
                let Share::Rows { op, weights } = coded.encode(share) else {
                    unreachable!("a layer's share is rows")
                };
                let probe = Arc::new(Probe::new(op, coded.rows_held(share), Seed(seed), &[]));
                let witness = Witness::new(probe, &weights);
                let sketch = witness.sketch(&tasks[share]);
                let mut numbers = result.as_slice().expect("plain").to_vec();
                let checked = witness.check(&sketch, &numbers);
                prop_assert!(checked.is_ok(), "{} {share}: {checked:?}", code.name());
                // Another strip's answer, where the two differ, and one element that is off.
                if let Some(other) = results.iter().find(|r| r.len() == result.len() && *r != result) {
                    let swapped = witness.check(&sketch, other.as_slice().expect("plain"));
                    prop_assert!(swapped.is_err(), "{} {share} swapped", code.name());
                }
                let at = seed as usize % numbers.len();
                numbers[at] += 0.1 * numbers.iter().fold(1.0f32, |a, y| a.max(y.abs()));
                prop_assert!(witness.check(&sketch, &numbers).is_err(), "{} {share}", code.name());
            }
        }
    }
}

/// LeNet-5 as shipped in strips, its text changed.
fn lenet(changes: &[(&str, &str)]) -> Result<Arc<Plan>, Problems> {
    let path = topology("lenet5-spatial");
    let text = std::fs::read_to_string(&path).expect("shipped");
    let change = |text: String, (from, to): &(&str, &str)| {
        assert!(text.contains(from), "the topology no longer says {from}");
        text.replace(from, to)
    };
    Plan::parse(&path, changes.iter().fold(text, change)).map(Arc::new)
}

fn good(changes: &[(&str, &str)]) -> Arc<Plan> {
    lenet(changes).unwrap_or_else(|problems| panic!("{problems}"))
}

const CODE: &str = "code: Mds(n: 5, k: 3)";

#[test]
fn a_network_in_strips_is_the_undivided_one_while_one_dies_and_one_lies() {
    for (code, verify) in [
        ("code: Mds(n: 5, k: 3)", "Always"),
        ("code: Rotation(n: 5, k: 3)", "Auto"),
        ("code: ShiftAdd(n: 5, k: 3)", "Auto"),
        ("code: Gaussian(n: 5, k: 2)", "Surplus"),
    ] {
        let policy = format!("policy: (verify: {verify}, ");
        let plan = good(&[(CODE, code), ("policy: (", &policy)]);
        let strips = |stage: &&kofn::plan::Stage| match &stage.work {
            StageWork::Layers(layers) => layers.in_strips().is_some(),
            StageWork::Function(_) => false,
        };
        let split: Vec<_> = plan.stages.iter().filter(strips).map(|s| s.name.clone()).collect();
        assert_eq!(split, ["conv1", "conv2"], "dense layers have no map");
        let lies = FaultKind::Corrupt(Corrupt { how: How::Scale(1.5), probability: 1.0 });
        let liar = kofn::plan::Fault { what: lies, ..dead_from_the_start(4) };
        let faults = vec![dead_from_the_start(1), liar];
        let trace = simulate(&setup(&plan, 30).with_faults(faults));
        let caught = count(&trace, |event| {
            matches!(event, Event::Caught { device: DeviceId(4), stage: StageId(0 | 1), .. })
        });
        assert!(caught > 0, "{code}: lies about strips are found out");
        let answers = answers(&trace);
        assert_eq!(answers.len(), 30, "{code}: every request is answered");
        for (request, error, top1, whole) in answers {
            assert!(error < 1e-3, "{code}: {request:?} is off by {error}");
            assert_eq!(top1, whole, "{code}: {request:?}");
        }
    }
}

fn first(trace: &Trace, what: impl Fn(&Event) -> bool) -> &Record {
    trace.iter().find(|record| what(&record.event)).expect("it happens")
}

fn strips_of(plan: &Plan, stage: usize) -> Arc<CodedLayer> {
    match &plan.stages[stage].work {
        StageWork::Layers(layers) => layers.first().clone(),
        StageWork::Function(_) => panic!("a layer"),
    }
}

#[test]
fn strips_are_coded_before_they_are_sent_and_that_takes_the_supervisors_time() {
    let plan = good(&[(
        "supervisor: (speed: \"3GFLOP/s\", jitter: 0.05)",
        "supervisor: (speed: \"10MFLOP/s\")",
    )]);
    let trace = simulate(&setup(&plan, 1));
    let accepted = first(&trace, |event| matches!(event, Event::Accepted { .. })).at;
    let scattered = first(&trace, |event| matches!(event, Event::Scattered { .. })).at;
    let Event::Encoded { took, .. } =
        first(&trace, |event| matches!(event, Event::Encoded { .. })).event
    else {
        unreachable!("it was looked for")
    };
    let layer = strips_of(&plan, 0);
    // Two coded strips of three terms each; the plain ones take no arithmetic.
    let strip = layer.task_bytes(0).0 / 4;
    assert_eq!(layer.input_encode_work(), Flops(2 * 2 * 3 * strip));
    assert_eq!(took, plan.supervisor.speed.time_for(layer.input_encode_work()));
    assert_eq!(scattered - accepted, took);
    let encoded = count(&trace, |event| matches!(event, Event::Encoded { .. }));
    assert_eq!(encoded, 2, "once a convolution");
    let report = Report::new(&plan, 1, &[], &trace, None);
    assert_eq!(report.stages[0].encode_ms_mean, took.as_millis());
    assert_eq!(report.stages[2].encode_ms_mean, 0.0, "dense layers are coded beforehand");
}

#[test]
fn plain_strips_take_no_arithmetic() {
    for code in ["code: Uncoded(k: 3)", "code: Replication(n: 5, k: 3)"] {
        let layer = strips_of(&good(&[(CODE, code)]), 0);
        assert_eq!(layer.input_encode_work(), Flops(0));
        assert!(layer.input_encode_traffic() > Bytes(0), "they are cut all the same");
    }
}

#[test]
fn a_task_is_a_strip_and_a_reply_is_a_strip_of_all_channels() {
    let plan = good(&[]);
    let layer = strips_of(&plan, 0);
    // conv1 sees a padded 28 × 28 map through 5 × 5: strips of ten rows look at fourteen.
    let input = setup(&plan, 1).cases[0].inputs[0].clone();
    let tasks = layer.encode_input(&input);
    let [rows, width] = [tasks[0].shape()[3], tasks[0].shape()[4]];
    assert_eq!((rows, width), (14, 28));
    let stage = &plan.stages[0];
    for (share, task) in tasks.iter().enumerate() {
        assert_eq!(stage.task_bytes(share), Bytes(4 * task.len() as u64));
        assert_eq!(stage.reply_bytes(share), Bytes(4 * 6 * 10 * 28));
        let round = RoundId { request: RequestId(0), stage: StageId(0) };
        let ticket = kofn::node::Ticket { round, share, attempt: 0, again: 0 };
        let sent = kofn::node::Message::Task(ticket, vec![task.clone()].into()).size();
        assert_eq!(sent, Bytes(64 + 4 * 14 * 28));
        let share = Arc::new(layer.encode(share));
        let inputs = vec![task.clone()].into();
        let job = Job::Share { ticket, share, inputs, wanted: Wanted::default() };
        assert_eq!(job.work(), Flops(2 * 6 * 25 * 10 * 28), "a strip's worth of all filters");
    }
}

#[test]
fn every_device_holds_all_filters_once_and_spares_no_more() {
    let plan = good(&[("on: [\"pi\"])", "on: [\"pi\"], spares: [\"pi-1\", \"pi-2\"])")]);
    let conv1 = &plan.stages[0];
    let filters = Bytes(4 * 6 * 25);
    assert_eq!(conv1.held_bytes(5), [filters; 5]);
    let dense = &plan.stages[2];
    assert_eq!(dense.held_bytes(5)[0].0, 5 * dense.share_bytes(0).0, "a spare of all");
    // What is said on deployment is what travels.
    let deployment = kofn::node::Deployment::new(&plan, Seed(1));
    let held = deployment.held_by(DeviceId(0));
    assert_eq!(Share::bytes_held(held.values().map(AsRef::as_ref)), plan.held_bytes()[0]);
}

#[test]
fn spare_holders_are_sent_the_strip_of_the_one_they_stand_in_for() {
    let plan = good(&[
        (CODE, "code: Uncoded(k: 3)"),
        ("on: [\"pi\"])", "on: [\"pi-1\", \"pi-2\", \"pi-3\"], spares: [\"pi-4\"])"),
    ]);
    let trace = simulate(&setup(&plan, 10).with_faults(vec![dead_from_the_start(2)]));
    let answers = answers(&trace);
    assert_eq!(answers.len(), 10);
    assert!(answers.iter().all(|(_, error, top1, whole)| *error < 1e-4 && top1 == whole));
    let stands_in = count(&trace, |event| {
        matches!(event, Event::Arrived { device: DeviceId(3), stage: StageId(0), share: 2, .. })
    });
    assert!(stands_in > 0);
}

#[test]
fn layers_with_one_row_a_group_are_coded_in_strips() {
    let layer = {
        let patches = Patches {
            batch: 1,
            channels: 4,
            input: [1, 9, 9],
            kernel: [1, 3, 3],
            stride: [1; 3],
            dilation: [1; 3],
            pad: [0, 1, 1],
            output: [1, 9, 9],
        };
        convolution(patches, 4, 1)
    };
    let coded =
        CodedLayer::in_strips(layer.clone(), Arc::new(Mds::new(5, 3))).expect("a convolution");
    let (results, whole) = run(&coded, &input_of(&layer));
    let (output, _) = decode(&coded, &results, &[1, 3, 4].into()).expect("three");
    assert!(output.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-5));
    assert!(coded.split_otherwise().is_none(), "one row cannot be cut in three");
}

#[test]
fn a_guess_keeps_the_strips_that_came_and_of_a_lost_one_says_the_bias() {
    let layer = plan("lenet5").network.layers[0].clone();
    let code: Arc<dyn Code> = Arc::new(Uncoded::new(3));
    let coded = CodedLayer::in_strips(layer.clone(), code.clone()).expect("a convolution");
    let (results, whole) = run(&coded, &input_of(&layer));
    let arrived: Arrived = [0, 2].into();
    let guess = code.estimate(&arrived).expect("two of three came");
    let blocks = arrived.iter().map(|s| (*s, results[*s].as_slice().expect("plain"))).collect();
    let output = coded.decode(&guess, &blocks, None);
    let Finish { bias, rectify, .. } = &layer.finish;
    let bias = bias.as_ref().expect("it has one");
    let alone = |channel: usize| if *rectify { bias[channel].max(0.0) } else { bias[channel] };
    // (image, channel, row, column): strips are of ten rows.
    for ((at, y), whole) in output.indexed_iter().zip(&whole) {
        let want = if (10..20).contains(&at[2]) { alone(at[1]) } else { *whole };
        assert!((y - want).abs() < 1e-5, "{at:?}: {y} and {want}");
    }
}

#[test]
fn auto_verifies_strips_one_way_or_the_other() {
    for stage in &good(&[]).stages {
        assert!(matches!(stage.verify, Verify::Always | Verify::Surplus), "{}", stage.name);
    }
}

#[test]
fn the_plan_puts_both_ways_to_split_side_by_side() {
    let text = PlanView::of(&good(&[])).to_text();
    insta::assert_snapshot!(text);
}

#[test]
fn the_plan_says_which_map_is_too_low_for_the_strips_that_are_asked_for() {
    let plan = good(&[(CODE, "code: Mds(n: 12, k: 11)"), ("count: 5", "count: 12")]);
    let kinds: Vec<String> = plan.stages.iter().map(|stage| stage.kind()).collect();
    assert!(kinds[0].ends_with("in strips") && !kinds[1].ends_with("in strips"), "{kinds:?}");
    let notes = PlanView::of(&plan).notes;
    let low: Vec<&String> = notes.iter().filter(|note| note.contains("too few")).collect();
    let note = "conv2: its map has 10 rows, too few for 11 strips, so it is split by `Output`";
    assert_eq!(low, [note], "of dense layers nobody expects strips");
    let notes = PlanView::of(&good(&[])).notes;
    assert!(notes.iter().all(|note| !note.contains("too few")), "{notes:?}");
}

#[test]
fn what_cannot_be_split_is_told_all_at_once() {
    let stages = r#"stages: [
        (layers: ["fc1", "conv2"], split: Spatial),
        (layers: ["conv1"], code: Mds(n: 31, k: 29), split: Spatial),
        (layers: ["fc2"], run: Local, split: Output),
        (layers: ["fc3"], run: Whole, on: ["pi-1"], split: Spatial),
    ],
    inputs:"#;
    let refused = lenet(&[("inputs:", stages), ("count: 5", "count: 31")]);
    let said = refused.map(|_| ()).expect_err("four mistakes").to_string();
    let inside = |line: &str| line.rsplit_once("lenet5-spatial.ron").map(|(_, l)| l.to_owned());
    let lines: Vec<String> = said.lines().filter_map(inside).collect();
    insta::assert_snapshot!(lines.join("\n"));
    let unknown = lenet(&[("split: Spatial", "split: Diagonal")]).map(|_| ());
    assert!(unknown.expect_err("no such word").to_string().contains("`Output` or `Spatial`"));
}
