//! What is asked of an ONNX graph before tract parses it: every value comes from somewhere, nothing
//! waits for itself, and windows slide by as many axes as they have. tract answers such mistakes with
//! a panic, or without a name.

use std::collections::{BTreeMap, BTreeSet};

use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto};

/// What is wrong with a graph, if anything is, and with which node.
pub(super) fn sound(graph: &GraphProto) -> Result<(), String> {
    if graph.output.is_empty() {
        return Err("it has no outputs".to_owned());
    }
    let given = given(graph)?;
    let givers = givers(graph, &given)?;
    all_read_values_exist(graph, &given, &givers)?;
    no_node_waits_for_itself(graph, given, &givers)?;
    graph.node.iter().try_for_each(axes_are_near)?;
    graph.node.iter().try_for_each(|node| windows_slide(graph, node))
}

/// Who gives a value.
type Givers<'g> = BTreeMap<&'g str, &'g NodeProto>;

/// As tract calls it: a node without a name by its first output.
fn name(node: &NodeProto) -> &str {
    match node.name.as_str() {
        "" => node.output.iter().find(|output| !output.is_empty()).map_or("", |output| output),
        name => name,
    }
}

fn once<'g>(names: impl Iterator<Item = &'g str>, what: &str) -> Result<BTreeSet<&'g str>, String> {
    let mut once = BTreeSet::new();
    for name in names {
        if !once.insert(name) {
            return Err(format!("{what} \"{name}\" is there twice"));
        }
    }
    Ok(once)
}

/// The values that no node has to give. Those that have a default may be inputs, too.
fn given(graph: &GraphProto) -> Result<BTreeSet<&str>, String> {
    let sparse = graph.sparse_initializer.iter().filter_map(|sparse| sparse.values.as_ref());
    let constants = graph.initializer.iter().chain(sparse).map(|tensor| tensor.name.as_str());
    let mut given = once(graph.input.iter().map(|input| input.name.as_str()), "input")?;
    given.extend(once(constants, "initializer")?);
    Ok(given)
}

fn givers<'g>(graph: &'g GraphProto, given: &BTreeSet<&str>) -> Result<Givers<'g>, String> {
    let mut givers = BTreeMap::new();
    for node in &graph.node {
        for output in node.output.iter().filter(|output| !output.is_empty()) {
            let before = givers.insert(output.as_str(), node);
            if before.is_some() || given.contains(output.as_str()) {
                let name = name(node);
                return Err(format!("node \"{name}\" gives \"{output}\", which is given before"));
            }
        }
    }
    Ok(givers)
}

/// An input without a name is one that was left out.
fn inputs(node: &NodeProto) -> impl Iterator<Item = &str> {
    node.input.iter().map(String::as_str).filter(|input| !input.is_empty())
}

fn all_read_values_exist(
    graph: &GraphProto,
    given: &BTreeSet<&str>,
    givers: &Givers<'_>,
) -> Result<(), String> {
    let nowhere = |value: &str| !given.contains(value) && !givers.contains_key(value);
    for node in &graph.node {
        if let Some(input) = inputs(node).find(|input| nowhere(input)) {
            return Err(format!("node \"{}\" reads \"{input}\", which nothing gives", name(node)));
        }
    }
    match graph.output.iter().find(|output| nowhere(&output.name)) {
        Some(output) => Err(format!("nothing gives the output \"{}\"", output.name)),
        None => Ok(()),
    }
}

fn no_node_waits_for_itself<'g>(
    graph: &'g GraphProto,
    mut known: BTreeSet<&'g str>,
    givers: &Givers<'g>,
) -> Result<(), String> {
    let mut waiting: Vec<&NodeProto> = graph.node.iter().collect();
    let mut before = usize::MAX;
    while waiting.len() < before {
        before = waiting.len();
        waiting.retain(|node| {
            let ready = inputs(node).all(|input| known.contains(input));
            if ready {
                known.extend(node.output.iter().map(String::as_str));
            }
            !ready
        });
    }
    let Some(mut node) = waiting.first().copied() else { return Ok(()) };
    // Going from what waits to what it waits for ends on the cycle.
    for _ in &waiting {
        let awaited = inputs(node).find(|input| !known.contains(input)).expect("a node that waits");
        node = givers[awaited];
    }
    Err(format!("node \"{}\" waits for its own output", name(node)))
}

/// A window moves by at least one, and has as many axes wherever they are counted.
/// Axes count from either end; tract would walk to one that is far beyond.
fn axes_are_near(node: &NodeProto) -> Result<(), String> {
    match node.attribute.iter().find(|a| a.name == "axis" && !(-64..64).contains(&a.i)) {
        Some(axis) => Err(format!("node \"{}\" has an axis {}", name(node), axis.i)),
        None => Ok(()),
    }
}

fn windows_slide(graph: &GraphProto, node: &NodeProto) -> Result<(), String> {
    let too_small = |attribute: &&AttributeProto| match attribute.name.as_str() {
        "group" => attribute.i < 1,
        // A window of channels: LRN divides by how many they are.
        "size" => node.op_type == "LRN" && attribute.i < 1,
        "strides" | "dilations" | "kernel_shape" => attribute.ints.iter().any(|size| *size < 1),
        _ => false,
    };
    let node_name = name(node);
    if let Some(attribute) = node.attribute.iter().find(too_small) {
        return Err(format!("node \"{node_name}\": its {} must be at least 1", attribute.name));
    }
    match window_ends(graph, node).windows(2).find(|pair| pair[0].1 != pair[1].1) {
        Some([(one, _), (other, _)]) => Err(format!(
            "node \"{node_name}\": its {one} and its {other} are for different numbers of axes"
        )),
        _ => Ok(()),
    }
}

/// Where the axes of a window are counted, and twice how many: pads have two numbers for each.
fn window_ends<'g>(graph: &'g GraphProto, node: &'g NodeProto) -> Vec<(&'g str, usize)> {
    let weights = match node.op_type.as_str() {
        "Conv" | "ConvTranspose" => {
            graph.initializer.iter().find(|w| node.input.get(1) == Some(&w.name))
        }
        _ => None,
    };
    let of_weights = weights.map(|weights| ("weights", 2 * weights.dims.len().saturating_sub(2)));
    let of_attributes = node.attribute.iter().filter_map(|attribute| {
        let ends = match attribute.name.as_str() {
            "strides" | "dilations" | "kernel_shape" => 2 * attribute.ints.len(),
            "pads" => attribute.ints.len(),
            _ => return None,
        };
        Some((attribute.name.as_str(), ends))
    });
    of_weights.into_iter().chain(of_attributes).collect()
}
