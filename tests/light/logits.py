#!/usr/bin/env python3
"""What onnxruntime says to the light models of the onnx wheel, filled with weights by formula.

    pip install onnx==1.23.2 onnxruntime==1.31.1
    python3 logits.py

Writes MODEL-logits-f32.npy beside each MODEL.onnx (Apache-2.0, from the wheel). tests/light.rs fills them
in the same way, to the last bit, and holds kofn to these numbers.
"""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

HERE = Path(__file__).resolve().parent


def uniform(name, shape):
    """Numbers in [-1, 1): SplitMix64 of the place, begun with FNV-1a of the name."""
    start = np.uint64(0xCBF29CE484222325)
    with np.errstate(over="ignore"):
        for byte in name.encode():
            start = (start ^ np.uint64(byte)) * np.uint64(0x100000001B3)
        z = start + np.arange(1, np.prod(shape) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return ((z >> np.uint64(40)).astype(np.float32) / np.float32(1 << 23) - np.float32(1)).reshape(shape)


def role(graph, value):
    """The first operator that computes with a value, and as which input."""
    for node in graph.node:
        if value in node.input:
            place = list(node.input).index(value)
            if node.op_type in ("Unsqueeze", "Reshape") and place == 0:
                return role(graph, node.output[0])
            return node.op_type, place
    return "", 0


def weights(name, shape, operator, place):
    drawn = uniform(name, shape)
    if operator in ("Conv", "Gemm") and place == 1:
        return drawn * np.sqrt(np.float32(6) / np.float32(np.prod(shape[1:])))
    if operator in ("BatchNormalization", "Mul") and place in (1, 4):
        return drawn * np.float32(0.25) + np.float32(0.75)
    return drawn * np.float32(0.03125)


def filled(path):
    model = onnx.load(path)
    graph = model.graph
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes = [node for node in graph.node if node.op_type != "ConstantOfShape"]
    made = []
    for node in graph.node:
        if node.op_type == "ConstantOfShape":
            shape = [int(size) for size in shapes[node.input[0]]]
            operator, place = role(graph, node.output[0])
            made.append(numpy_helper.from_array(weights(node.output[0], shape, operator, place), node.output[0]))
    # ResNet-50's softmax is all but one of two numbers.
    if nodes[-1].op_type == "Softmax":
        graph.output[0].name = nodes.pop().input[0]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(made)
    used = {value for node in nodes for value in node.input}
    given = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name in used - given]
    del graph.input[:]
    graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, 4)
    return model


for path in sorted(HERE.glob("*.onnx")):
    model = filled(path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    logits = session.run(None, {given.name: uniform("input", given.shape)})[0]
    print(path.stem, logits.shape, float(np.abs(logits).max()), float(logits.std()))
    np.save(path.with_name(f"{path.stem}-logits-f32.npy"), logits.astype(np.float32).reshape(1, -1))
