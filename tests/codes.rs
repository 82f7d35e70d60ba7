//! Every code in a fleet: as it is written in a topology, on a real model, with devices dying.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use kofn::code::{Code, Form, Mds, Rotation, ShiftAdd};
use kofn::event::Event;
use kofn::maths::Tensor;
use kofn::model::linear::{LinearOp, Lowering, Raising};
use kofn::plan::{CodedLayer, FaultPlan, Plan, Problems};
use kofn::view::plan_table::PlanView;
use ndarray::IxDyn;
use support::{answers, count, dead_from_the_start, root, setup, simulate, topology};

/// LeNet-5 on eight boards with this code in every layer.
fn lenet(code: &str) -> Result<Arc<Plan>, Problems> {
    let path = topology("lenet5");
    let text = std::fs::read_to_string(&path).expect("shipped");
    let text = text
        .replace("count: 5", "count: 8")
        .replace("(layers: [\"conv1\"], code: Mds(n: 5, k: 3)),", "")
        .replace("Mds(n: 5, k: 4)", code);
    Plan::parse(&path, text).map(Arc::new)
}

/// Any four of eight, and the largest error that is still rounding.
const CODES: [(&str, f64); 7] = [
    ("Mds(n: 8, k: 4)", 1e-3),
    ("Chebyshev(n: 8, k: 4)", 1e-2),
    ("Rotation(n: 8, k: 4)", 1e-2),
    ("Gaussian(n: 8, k: 4)", 1e-2),
    ("ShiftAdd(n: 8, k: 4)", 1e-2),
    ("ShiftAdd(n: 8, k: 4, cells: 4)", 1e-2),
    ("ShiftAdd(n: 8, k: 4, form: Mixed)", 1e-1),
];

#[test]
fn every_code_answers_with_as_many_devices_dead_as_it_may_lose() {
    for (code, rounding) in CODES {
        let plan = lenet(code).unwrap_or_else(|problems| panic!("{code}: {problems}"));
        let calm = setup(&plan, 20);
        let tolerates = plan.stages.iter().map(|stage| stage.tolerates).min().expect("stages");
        assert!(tolerates >= 3, "{code} tolerates {tolerates}");
        let dead = [1, 4, 6, 7][..tolerates].iter().map(|device| dead_from_the_start(*device));
        let answers = answers(&simulate(&calm.with_faults(dead.collect())));
        assert_eq!(answers.len(), 20, "{code}: every request is answered");
        for (request, error, top1, whole) in answers {
            assert!(error < rounding, "{code}: {request:?} is off by {error}");
            assert_eq!(top1, whole, "{code}: {request:?}");
        }
    }
}

#[test]
fn a_code_that_is_badly_conditioned_fails_rather_than_answering_wrong() {
    let plan = lenet("Vandermonde(n: 8, k: 5)").unwrap_or_else(|problems| panic!("{problems}"));
    let notes = PlanView::of(&plan).notes.join("\n");
    assert!(
        notes.contains("nothing is decoded, so no loss is promised"),
        "the plan warns:\n{notes}"
    );
    let calm = setup(&plan, 20);
    let mut failed = 0;
    for dead in [vec![0, 1], vec![0, 7], vec![3, 4], vec![6, 7], vec![2], vec![]] {
        let faults = dead.iter().map(|device| dead_from_the_start(*device)).collect();
        let trace = simulate(&calm.with_faults(faults));
        failed += count(&trace, |event| matches!(event, Event::Failed { .. }));
        for (request, error, ..) in answers(&trace) {
            assert!(error < 1.0, "{dead:?}: {request:?} is off by {error}");
        }
    }
    assert!(failed > 0, "some sets amplify rounding a million times");
}

#[test]
fn a_code_that_could_never_be_decoded_is_refused_with_its_place() {
    let refused = lenet("Vandermonde(n: 8, k: 8)").map(|_| ()).expect_err("conditions of 1e7");
    let said = refused.to_string();
    assert!(
        said.matches("amplifies rounding").count() == 1 && said.contains("lenet5.ron:"),
        "{said}"
    );
}

#[test]
fn polar_codes_answer_within_their_tolerance() {
    let plan = lenet("Polar(n: 8, k: 4)").unwrap_or_else(|problems| panic!("{problems}"));
    assert!(plan.stages.iter().all(|stage| stage.tolerates == 3));
    let dead = [0, 3, 6].map(dead_from_the_start);
    let answers = answers(&simulate(&setup(&plan, 20).with_faults(dead.to_vec())));
    assert_eq!(answers.len(), 20);
    assert!(answers.iter().all(|(_, error, top1, whole)| *error < 1e-3 && top1 == whole));
}

#[test]
fn shift_and_add_is_cut_as_finely_as_is_safe() {
    let plan = lenet("ShiftAdd(n: 8, k: 4, form: Mixed)").unwrap_or_else(|p| panic!("{p}"));
    for stage in &plan.stages {
        assert!(stage.worst_condition <= plan.policy.worst_condition, "{}", stage.name);
        assert_eq!(stage.tolerates, 4, "{}", stage.name);
    }
    // Left to the user it may be too fine, and then the plan says so.
    let plan = lenet("ShiftAdd(n: 8, k: 4, form: Mixed, cells: 30)");
    let plan = plan.unwrap_or_else(|problems| panic!("{problems}"));
    let notes = PlanView::of(&plan).notes.join("\n");
    assert!(notes.contains("fc1") && notes.contains("amplif"), "{notes}");
    for code in ["ShiftAdd(n: 8, k: 4, cells: 0)", "Polar(n: 6, k: 4)", "Rotation(n: 65, k: 4)"] {
        assert!(lenet(code).is_err(), "{code}");
    }
}

/// Groups, rows that no number of cells divides, and a bias: results of shares decode to the layer's own.
#[test]
fn shares_of_grouped_layers_are_cut_into_cells_in_every_group() {
    let network = lenet("Mds(n: 8, k: 4)").unwrap_or_else(|problems| panic!("{problems}"));
    let (groups, depth, columns) = (3, 5, 4);
    for rows in [7, 8, 13] {
        let mut layer = network.network.layers[2].clone();
        layer.op = Arc::new(LinearOp {
            input: vec![groups, depth, columns],
            groups,
            rows,
            depth,
            columns,
            lowering: Lowering::Permute { axes: vec![0, 1, 2] },
            raising: Raising {
                dims: vec![groups, rows, columns],
                axes: vec![0, 1, 2],
                shape: vec![groups, rows, columns],
            },
        });
        let number = |i: usize| ((i * 31 + 7) % 101) as f32 / 50.0 - 1.0;
        layer.weights = (0..groups * rows * depth).map(number).collect::<Vec<_>>().into();
        layer.finish.bias = Some(Arc::new((0..groups * rows).map(number).collect()));
        let input = Tensor::from_shape_fn(IxDyn(&layer.op.input), |at| {
            number(at[0] * 77 + at[1] * 13 + at[2])
        });
        let whole = layer.op.apply(&layer.weights, &input);
        let whole = layer.op.assemble(&[&whole], rows, &layer.finish, None);
        let codes: [Arc<dyn Code>; 4] = [
            Arc::new(Rotation::new(5, 3)),
            Arc::new(ShiftAdd::new(5, 3, Some(2), Form::Systematic)),
            Arc::new(ShiftAdd::new(5, 3, Some(3), Form::Mixed)),
            Arc::new(Mds::new(5, 3)),
        ];
        for code in codes {
            let coded = CodedLayer::new(layer.clone(), code.clone());
            let run = |share: usize| {
                coded
                    .encode(share)
                    .run(std::slice::from_ref(&input))
                    .expect("a share runs")
                    .remove(0)
            };
            let results: Vec<Tensor> = (0..5).map(run).collect();
            for lost in [[0, 1], [0, 4], [1, 3], [3, 4]] {
                let left = (0..5).filter(|share| !lost.contains(share));
                let results: BTreeMap<usize, &[f32]> =
                    left.map(|s| (s, results[s].as_slice().expect("plain"))).collect();
                assert!(results.iter().all(|(s, result)| result.len() == coded.result_len(*s)));
                let decoder = code.decoder(&results.keys().copied().collect()).expect("three");
                let decoded = coded.decode(&decoder, &results, None);
                let pairs = decoded.iter().zip(&whole);
                let off = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(off < 1e-4, "{} without {lost:?}, {rows} rows: {off}", code.name());
            }
        }
    }
}

#[test]
fn a_liar_is_caught_whatever_the_code() {
    for code in [
        "Rotation(n: 8, k: 4)",
        "ShiftAdd(n: 8, k: 4)",
        "Chebyshev(n: 8, k: 4)",
        "Polar(n: 8, k: 4)",
    ] {
        let plan = lenet(code).unwrap_or_else(|problems| panic!("{code}: {problems}"));
        let text = "FaultPlan(topology: \"../topologies/lenet5.ron\", faults: [
            (at: At(\"0ms\"), who: \"pi-2\", what: Corrupt(how: Scale(1.1), probability: 1.0)),
        ])";
        let path = root().join("fault-plans/a-liar.ron");
        let faults = FaultPlan::parse(&path, text.to_owned(), &plan);
        let faults = faults.unwrap_or_else(|problems| panic!("{problems}"));
        let trace = simulate(&setup(&plan, 20).with_faults(faults.faults));
        assert!(count(&trace, |event| matches!(event, Event::Caught { .. })) > 0, "{code}");
        let answers = answers(&trace);
        assert_eq!(answers.len(), 20, "{code}");
        assert!(answers.iter().all(|(_, error, ..)| *error < 1e-2), "{code}: {answers:?}");
    }
}
