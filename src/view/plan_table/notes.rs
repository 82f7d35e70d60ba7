//! What a reader of a plan's table should know and does not see in it.

use crate::plan::{CodedLayer, Plan, Stage, StageWork, Verify};
use crate::view::batches::approximate;

/// What a reader of the table should know and does not see.
pub(super) fn notes(plan: &Plan, stage: &Stage) -> Vec<String> {
    if let Some(batch) = &stage.batch {
        return vec![approximate(stage, batch)];
    }
    let StageWork::Layers(layers) = &stage.work else { return Vec::new() };
    let of_layer = |layer| [streaming(stage, layer), padding(stage, layer), overhang(stage, layer)];
    let of_layers = layers.iter().flat_map(|layer| of_layer(layer.as_ref()));
    let notes = std::iter::once(too_low(stage)).chain(of_layers);
    notes.chain([amplification(plan, stage), sharing(plan, stage)]).flatten().collect()
}

/// The policy lets requests share rounds, and no stage is one where they can.
pub(super) fn nothing_shared(plan: &Plan) -> Option<String> {
    let asked = plan.policy.gather.is_some() && plan.most_requests() == 1;
    asked.then(|| {
        "`gather` changes nothing: requests share rounds of dense layers and others with few columns, and no \
         stage here is one"
            .to_owned()
    })
}

/// What is said of all convolutions does not go for this one.
fn too_low(stage: &Stage) -> Option<String> {
    let (name, k) = (&stage.name, stage.code.sources() / stage.code.hand());
    stage.too_low.map(|rows| {
        format!(
            "{name}: its map has {rows} rows, too few for {k} strips, so it is split by `Output`"
        )
    })
}

/// Requests may share its rounds.
fn sharing(plan: &Plan, stage: &Stage) -> Option<String> {
    let gather = plan.policy.gather.filter(|_| stage.most_requests > 1)?;
    let (name, most, within) = (&stage.name, stage.most_requests, gather.within);
    Some(format!(
        "{name}: up to {most} requests share a round; one that comes while another round is under way \
         waits for it {within} at most"
    ))
}

/// Devices hold hands of shares, of which no number is sure to suffice.
fn streaming(stage: &Stage, layer: &CodedLayer) -> Option<String> {
    let (name, code, hand) = (&layer.layer().name, stage.code.name(), stage.code.hand());
    let (rows, shares) = (layer.rows_per_source(), stage.code.shares());
    let checked = match stage.verify {
        Verify::Always => "each is held against a witness of its own",
        Verify::Off | Verify::Surplus | Verify::Auto => "lies are not looked for",
    };
    let of = if rows == 1 { "one row".to_owned() } else { format!("{rows} rows") };
    let certain = match stage.code.tolerates() {
        0 => "That the loss of any one is borne could not be shown".to_owned(),
        1 => "That the loss of any one is borne is shown".to_owned(),
        lost => format!("That the loss of any {lost} is borne is shown"),
    };
    (hand > 1).then(|| {
        format!(
            "{name}: each device sends {hand} blocks of {of}, each as it is done. {code} needs at \
             least {} of the {shares}, whoever sends them; {checked}. {certain}",
            stage.needed()
        )
    })
}

/// Some source is nothing but padding: its device computes zeros.
fn padding(stage: &Stage, layer: &CodedLayer) -> Option<String> {
    let (rows, k) = (layer.rows_in_all(), stage.code.sources());
    let real = rows.div_ceil(layer.rows_per_source());
    let hint = match stage.code.hand() {
        1 => format!("; k = {real} costs the same"),
        // The code has made its blocks as few as it can.
        _ => String::new(),
    };
    (real < k).then(|| {
        format!("{}: {rows} rows fill only {real} of {k} sources{hint}", layer.layer().name)
    })
}

/// Shares of shifted sources are higher than a source.
fn overhang(stage: &Stage, layer: &CodedLayer) -> Option<String> {
    let rows = layer.rows_in_all().div_ceil(stage.code.sources());
    let highest = (0..stage.code.shares()).map(|share| layer.rows_of(share)).max()?;
    (stage.code.encoder().cells() > 1 && highest > rows).then(|| {
        let (name, more) = (&layer.layer().name, 100 * (highest - rows) / rows);
        format!(
            "{name}: its largest share has {highest} rows for {rows} of a source, {more} % more"
        )
    })
}

/// Some sets of shares amplify rounding, so much perhaps that they are not decoded from.
fn amplification(plan: &Plan, stage: &Stage) -> Option<String> {
    let (name, code, lost) = (&stage.name, stage.code.name(), stage.code.tolerates());
    let (worst, allowed) = (stage.worst_condition, plan.policy.worst_condition);
    let lost = match stage.code.hand() {
        1 => format!("{lost} shares"),
        _ => format!("{lost} devices"),
    };
    if worst > allowed {
        let left = stage.tolerates;
        let so = match left {
            0 => "no loss is promised, though what comes may amplify less".to_owned(),
            left => format!("only any {left} may be lost"),
        };
        return Some(format!(
            "{name}: with {lost} lost {code} may amplify rounding {worst:.0e} times; beyond \
             worst_condition, {allowed:.0e}, nothing is decoded, so {so}"
        ));
    }
    (worst > WORTH_A_NOTE).then(|| {
        format!("{name}: with {lost} lost {code} amplifies rounding up to {worst:.0e} times")
    })
}

/// `f32` has seven digits; three of them are worth a word.
const WORTH_A_NOTE: f64 = 1e3;
