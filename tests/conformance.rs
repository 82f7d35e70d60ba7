//! PyTorch's own one-layer cases give PyTorch's numbers on a coded fleet, whichever device is lost and
//! however convolutions are split.
//!
//! `conformance.txt` says how each of them fares; `KOFN_BLESS=1` writes it anew.

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/onnx_cases.rs"]
mod onnx_cases;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use fleet::Fleet;
use kofn::maths::Tensor;
use kofn::model::Network;
use kofn::plan::{Plan, Stage, StageWork};
use kofn::units::DeviceId;

struct Folder {
    name: &'static str,
    cases: usize,
    /// So many must pass.
    least: usize,
}

const FOLDERS: [Folder; 2] = [
    Folder { name: "pytorch-converted", cases: 82, least: 82 },
    Folder { name: "pytorch-operator", cases: 35, least: 35 },
];

const DEVICES: usize = 5;

/// Layers are split so many ways, or by as many rows as a group has if those are fewer.
const WAYS: usize = 4;

/// The tolerance of ONNX's own runner, but 1e-5 and not 1e-7 near zero: `f32` has seven digits.
const RTOL: f32 = 1e-3;
const ATOL: f32 = 1e-5;

/// How a case fares.
enum Verdict {
    /// The codes of its stages, each once: (shares, sources).
    Coded(Vec<(usize, usize)>, Strips),
    /// It has no layer whose weights can be coded.
    Local(Strips),
    /// kofn refuses the model, and says why.
    Unsupported(String),
    /// What must not be.
    Wrong(String),
}

/// Whether a case was answered with inputs coded in strips as well.
type Strips = bool;

/// The verdicts on each folder's cases, by name; or why there are no cases.
static VERDICTS: LazyLock<Result<[BTreeMap<String, Verdict>; 2], String>> = LazyLock::new(|| {
    let data = onnx_cases::folder()?;
    Ok(FOLDERS.map(|folder| {
        let cases = onnx_cases::all(&data.join(folder.name)).into_iter();
        cases.map(|(name, case)| (name, verdict(&case))).collect()
    }))
});

fn verdicts() -> &'static [BTreeMap<String, Verdict>; 2] {
    VERDICTS.as_ref().unwrap_or_else(|why| panic!("{why}"))
}

fn verdict(case: &Path) -> Verdict {
    let model = case.join("model.onnx");
    let network = match Network::open(&model) {
        Ok(network) => network,
        Err(why) => return Verdict::Unsupported(on_any_machine(&why.0, &model)),
    };
    let run = |split: &str| {
        let plan = plan(&model, &network, split);
        let lose = |lost| run_without(DeviceId(lost), &plan, case);
        (0..DEVICES).try_for_each(lose).map_err(|why| format!("split by {split}: {why}"))?;
        Ok(plan)
    };
    let is_in_strips = |stage: &Stage| match &stage.work {
        StageWork::Layers(layers) => layers.in_strips().is_some(),
        StageWork::Function(_) => false,
    };
    let strips = run("Spatial").map(|plan| plan.stages.iter().any(is_in_strips));
    match strips.and_then(|strips| Ok((run("Output")?, strips))) {
        Err(why) => Verdict::Wrong(why),
        Ok((plan, strips)) if plan.stages.is_empty() => Verdict::Local(strips),
        Ok((plan, strips)) => {
            let code = |stage: &Stage| (stage.code.shares(), stage.code.sources());
            let mut codes: Vec<_> = plan.stages.iter().map(code).collect();
            codes.sort_unstable();
            codes.dedup();
            Verdict::Coded(codes, strips)
        }
    }
}

/// Why kofn refuses a model, without the folders that lead to it.
fn on_any_machine(why: &str, model: &Path) -> String {
    why.replace(&model.display().to_string(), "model.onnx")
}

/// A plan that codes every linear layer which has at least two rows to tell apart.
fn plan(model: &Path, network: &Network, split: &str) -> Arc<Plan> {
    let narrow = network.layers.iter().filter(|layer| (2..WAYS).contains(&layer.op.rows));
    let stages: String = narrow
        .map(|layer| (&layer.name, layer.op.rows))
        .map(|(name, k)| format!("(layers: [{name:?}], code: Mds(n: {}, k: {k})), ", k + 1))
        .collect();
    let topology = format!(
        r#"Topology(
            model: Onnx({model:?}),
            supervisor: (speed: "1GFLOP/s"),
            devices: [(
                name: "pi", count: {DEVICES}, speed: "1GFLOP/s", memory: "1GB",
                latency: Constant("1ms"), bandwidth: "1Gbit/s",
            )],
            coding: (code: Mds(n: {}, k: {WAYS}), split: {split}, on: ["pi"]),
            stages: [{stages}],
            inputs: Random(count: 1),
            requests: 1,
            policy: (local_below: "0FLOP", verify: Always),
        )"#,
        WAYS + 1,
    );
    let dir = tempfile::tempdir().expect("a place for a file");
    let file = dir.path().join("conformance.ron");
    std::fs::write(&file, topology).expect("a temporary file is written");
    Arc::new(Plan::read(&file).unwrap_or_else(|problems| panic!("{problems}")))
}

/// Runs a case with one device dead from the start, and says what is wrong with the answer.
fn run_without(lost: DeviceId, plan: &Arc<Plan>, case: &Path) -> Result<(), String> {
    let mut fleet = Fleet::without(lost, plan);
    let got = fleet.answer(onnx_cases::tensors(case, "input"))?;
    let want = onnx_cases::tensors(case, "output");
    if got.len() != want.len() {
        return Err(format!("{} outputs and not {}", got.len(), want.len()));
    }
    for (at, (got, want)) in got.iter().zip(&want).enumerate() {
        compare(got, want).map_err(|why| format!("output {at} without {lost:?}: {why}"))?;
    }
    fleet.decoded_around_the_loss()
}

fn compare(got: &Tensor, want: &Tensor) -> Result<(), String> {
    if got.shape() != want.shape() {
        return Err(format!("its shape is {:?} and not {:?}", got.shape(), want.shape()));
    }
    // Infinities are equal or wrong; NaN is right where PyTorch has it.
    let near = |got: f32, want: f32| {
        got == want
            || (got - want).abs() <= ATOL + RTOL * want.abs()
            || got.is_nan() && want.is_nan()
    };
    match got.iter().zip(want).find(|(got, want)| !near(**got, **want)) {
        Some((got, want)) => Err(format!("{got} and not {want}")),
        None => Ok(()),
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Coded(codes, strips) => {
                let codes: Vec<String> = codes.iter().map(|(n, k)| format!("{k} of {n}")).collect();
                write!(f, "pass (coded {}{})", codes.join(", "), and_in_strips(*strips))
            }
            Self::Local(strips) => write!(f, "pass (local{})", and_in_strips(*strips)),
            Self::Unsupported(why) => write!(f, "unsupported: {why}"),
            Self::Wrong(why) => write!(f, "wrong: {why}"),
        }
    }
}

fn and_in_strips(strips: Strips) -> &'static str {
    if strips { ", and in strips" } else { "" }
}

impl Verdict {
    fn passes(&self) -> bool {
        matches!(self, Self::Coded(..) | Self::Local(_))
    }

    fn is_coded(&self) -> bool {
        matches!(self, Self::Coded(..))
    }
}

/// What `conformance.txt` should say.
fn table() -> String {
    let mut head = HEAD.to_owned();
    let mut body = String::new();
    for (Folder { name, cases, .. }, verdicts) in FOLDERS.iter().zip(verdicts()) {
        let count = |what: fn(&Verdict) -> bool| verdicts.values().filter(|v| what(v)).count();
        let (pass, coded) = (count(Verdict::passes), count(Verdict::is_coded));
        head += &format!("# {name}: {pass} of {cases} pass, {coded} of them coded\n");
        body += &format!("\n{name}\n");
        for (name, verdict) in verdicts {
            body += &format!("  {name:<44}{verdict}\n");
        }
    }
    head + &body
}

const HEAD: &str = "\
# PyTorch's cases in the wheel onnx 1.23.2, answered by five devices with each of them lost in turn.
# Made by tests/conformance.rs and compared by it; KOFN_BLESS=1 writes it anew.
#
# pass (coded k of n): its linear layers were split k ways, coded to n shares, and decoded without
#                      the lost device's
# pass (local):        it has no layer whose weights can be coded; depthwise and transposed convolutions
#                      and products of two inputs cannot
# and in strips:       answered once more with the input of its convolutions coded in place of weights
# unsupported:         kofn refuses the model, in these words
#
# test_operator_add_broadcast and the three add_size1 cases were saved from uninitialised doubles:
# their numbers, below 1e-308 or above 1e168, are zeros and infinities in f32, and little is compared
# but their shapes.
#
";

/// The lines of one text that the other does not have.
fn only_in<'t>(text: &'t str, other: &str) -> Vec<&'t str> {
    text.lines().filter(|line| !other.lines().any(|known| known == *line)).collect()
}

/// The cases that must not be, and what is wrong with them.
fn wrong() -> Vec<String> {
    let wrong = |verdict: &Verdict| matches!(verdict, Verdict::Wrong(_));
    let all = verdicts().iter().flatten().filter(|(_, verdict)| wrong(verdict));
    all.map(|(name, verdict)| format!("{name}: {verdict}")).collect()
}

#[test]
fn whichever_device_is_lost_the_answers_are_pytorchs() {
    assert!(wrong().is_empty(), "an answer must be right or refused:\n{}", wrong().join("\n"));
}

#[test]
fn no_case_is_skipped_and_few_are_refused() {
    for (Folder { name, cases, least }, verdicts) in FOLDERS.iter().zip(verdicts()) {
        assert_eq!(verdicts.len(), *cases, "every case of {name} has a verdict");
        let pass = verdicts.values().filter(|verdict| verdict.passes()).count();
        assert!(pass >= *least, "{pass} of {name} pass, and {least} can");
    }
}

#[test]
fn the_table_says_how_every_case_fares() {
    let (file, now) =
        (Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance.txt"), table());
    if std::env::var_os("KOFN_BLESS").is_some_and(|bless| bless == "1") && wrong().is_empty() {
        std::fs::write(&file, &now).expect("the table is written");
    }
    let said = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        said == now,
        "tests/conformance.txt does not say how the cases fare.\nIt says\n{}\nand should say\n{}\n\
         If that is as it should be, write it anew:\n\
         KOFN_BLESS=1 cargo test --release --test conformance",
        only_in(&said, &now).join("\n"),
        only_in(&now, &said).join("\n"),
    );
}
