#!/usr/bin/env python3
"""kofn in real time against onnxruntime, and against tract, on one machine with as many threads.

    cargo build --release
    python3 -m venv target/against/venv
    target/against/venv/bin/pip install onnx==1.23.2 onnxruntime==1.31.1
    target/against/venv/bin/python benches/against_onnxruntime.py [MODEL ...]

The models are the `light` ones of the onnx wheel with weights drawn from a seed. All runs of a round
follow each other, and rounds alternate, so that a noisy machine is noisy for all; what counts are the
ratios of medians. Prints a table in Markdown. With `--crowd` in front of the models: eight requests always
on their way, each in rounds of its own against all sharing rounds where they may.
"""

import json
import os
import statistics
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

HERE = Path(__file__).resolve().parent.parent
KOFN = HERE / "target/release/kofn"
WORK = HERE / "target/against"
MODELS = ["bvlc_alexnet", "vgg19", "resnet50", "squeezenet", "inception_v1"]
ROUNDS = int(os.environ.get("ROUNDS", "5"))
REQUESTS = int(os.environ.get("REQUESTS", "20"))
KILLS = int(os.environ.get("KILLS", "20"))
THREADS = 2
SEED = 0


def filled(name):
    """The light model with weights: He-normal where they multiply, near one or zero elsewhere."""
    to = WORK / f"{name}.onnx"
    if to.exists():
        return to
    light = Path(onnx.__file__).parent / f"backend/test/data/light/light_{name}.onnx"
    model = onnx.load(light)
    graph = model.graph
    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    users = {}
    for node in graph.node:
        for place, value in enumerate(node.input):
            users.setdefault(value, []).append((node, place))

    def role(value):
        for node, place in users.get(value, []):
            if node.op_type in ("Unsqueeze", "Reshape", "Identity") and place == 0:
                return role(node.output[0])
            return node.op_type, place
        return None, 0

    nodes, weights = [], []
    for node in graph.node:
        if node.op_type != "ConstantOfShape":
            nodes.append(node)
            continue
        shape = [int(size) for size in known[node.input[0]]]
        chance = np.random.default_rng([SEED, zlib.crc32(node.output[0].encode())])
        operator, place = role(node.output[0])
        if operator in ("Conv", "Gemm", "MatMul") and place == 1:
            drawn = chance.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        elif operator == "BatchNormalization" and place in (1, 4):
            drawn = chance.uniform(0.5, 1.5, shape)
        elif operator == "Mul":
            drawn = chance.uniform(0.5, 1, shape)
        else:
            drawn = chance.normal(0, 0.02, shape)
        weights.append(numpy_helper.from_array(np.asarray(drawn, np.float32), node.output[0]))
    del graph.node[:]
    graph.node.extend(nodes)
    used = {value for node in nodes for value in node.input}
    left = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(left + weights)
    # Weights are not inputs: onnxruntime then prepares them, as it does in earnest.
    given = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name in used - given]
    del graph.input[:]
    graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, 4)
    onnx.save(model, to)
    return to


TOPOLOGY = """Topology(
    model: Onnx("{model}.onnx"),
    supervisor: (speed: "100GFLOP/s", memory_bandwidth: "100Gbit/s"),
    devices: [(name: "d", count: 5, speed: "100GFLOP/s", memory: "8GB", latency: Constant("5us"),
               bandwidth: "10Gbit/s", memory_bandwidth: "100Gbit/s")],
    coding: (code: {code}, on: ["d"]{split}),
    stages: [{stages}],
    inputs: Random(count: 1),{arrivals}
    requests: {requests},
    policy: (deadline: "20s", retries: 1, local_below: "{local}", verify: {verify}{wait}),
)
"""

# A device dies in mid-layer, and comes back when the request is over.
KILL = """
        (at: AtStage(request: {request}, stage: "{stage}", phase: FirstReply), who: "{who}", what: Crash,
         lasts: "{lasts}ms"),"""
EVERY = 5


def topology(name, kind, **words):
    defaults = {
        "code": "Mds(n: 5, k: 4)", "split": "", "stages": "", "wait": "", "local": "1MFLOP", "verify": "Off",
        "arrivals": "", "requests": REQUESTS,
    }
    path = WORK / f"{name}-{kind}.ron"
    path.write_text(TOPOLOGY.format(model=name, **{**defaults, **words}))
    return path


def kofn(*arguments):
    command = [str(KOFN), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


def latencies(path, *arguments):
    """Milliseconds of each request of a run in real time, and the largest error."""
    trace = WORK / "trace.jsonl"
    asked = ["--clock", "live", "--no-tui", "--format", "json", "--trace", trace]
    report = json.loads(kofn("run", path, *asked, *arguments))
    lines = (json.loads(line) for line in trace.read_text().splitlines())
    spans = {line["request"]: line["latency"] / 1e6 for line in lines if line.get("event") == "Answered"}
    if report["requests"]["failed"]:
        sys.exit(f"{path}: {report['requests']}")
    return spans, report["max_abs_err"]


def stages(path):
    """The names of a topology's stages, in order: they are in the first line of its trace."""
    trace = WORK / "trace.jsonl"
    kofn("run", path, "--no-tui", "--requests", 1, "--trace", trace)
    with trace.open() as lines:
        return [stage["name"] for stage in json.loads(next(lines))["stages"]]


def steady(spans):
    """Without the first few, which find cold caches."""
    return [span for request, span in spans.items() if request >= 3]


def onnxruntime_ms(session, value):
    spans = []
    for _ in range(REQUESTS):
        start = time.perf_counter()
        session.run(None, value)
        spans.append((time.perf_counter() - start) * 1e3)
    return spans[3:]


def measure(name):
    path = filled(name)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    value = {given.name: np.random.default_rng(SEED).random(given.shape, np.float32)}

    coded = topology(name, "coded")
    names = stages(coded)
    layers = stages(topology(name, "layers", code="Uncoded(k: 1)", split=", siblings: Apart", local="0FLOP"))
    together = f'(layers: {json.dumps(layers)}, run: Whole, on: ["d-1"])'
    whole = topology(name, "whole", code="Uncoded(k: 1)", stages=together)
    everybody = topology(name, "all", wait=", wait: Everyone")
    checked = topology(name, "checked", verify="Always")
    killed = topology(name, "killed", requests=4 + EVERY * KILLS)
    kinds = ["ort", "coded", "checked", "all", "tract", "hit"]
    spans = {kind: [] for kind in kinds}
    worst = 0.0
    for turn in range(ROUNDS):
        spans["ort"] += onnxruntime_ms(session, value)
        for kind, path in (("coded", coded), ("checked", checked), ("tract", whole), ("all", everybody)):
            seen, error = latencies(path)
            spans[kind] += steady(seen)
            worst = max(worst, error)
        hit, error = hits(killed, names, turn, statistics.median(spans["coded"]))
        spans["hit"] += hit
        worst = max(worst, error)
    middle = {kind: statistics.median(values) for kind, values in spans.items()}
    ours, theirs = middle["coded"], middle["ort"]
    print(
        f"| {name} | {theirs:.1f} ms | {ours:.1f} ms | {ours / theirs:.2f} | {middle['checked'] / ours:.2f} "
        f"| {middle['all'] / ours:.2f} | {ours / middle['tract']:.2f} | {middle['hit']:.2f} | {worst:.0e} |",
        flush=True,
    )


def hits(path, stages, turn, usual):
    """How much longer requests take in which a device dies than their neighbours, and the largest error."""
    faults = ""
    for kill in range(KILLS):
        request = 3 + EVERY * kill
        words = {"request": request, "lasts": round(1.5 * usual, 3), "who": f"d-{1 + kill % 4}"}
        faults += KILL.format(stage=stages[(7 * turn + 3 * kill) % len(stages)], **words)
    plan = WORK / f"{path.stem}-faults.ron"
    plan.write_text(f'FaultPlan(topology: "{path.name}", faults: [{faults}\n    ])\n')
    seen, error = latencies(path, "--faults", plan)
    calm = statistics.median(span for request, span in seen.items() if request >= 3 and request % EVERY in (1, 2))
    return [seen[3 + EVERY * kill] / calm for kill in range(KILLS)], error


def crowd(name):
    filled(name)
    arrivals = "\n    arrivals: ClosedLoop(clients: 8),"
    words = {"arrivals": arrivals, "requests": 8 * REQUESTS}
    alone = topology(name, "alone", **words)
    shared = topology(name, "shared", wait=', gather: (most: 8, within: "100ms")', **words)
    spans = {alone: [], shared: []}
    for _ in range(ROUNDS):
        for path, seen in spans.items():
            seen += [span for request, span in latencies(path)[0].items() if request >= 8]
    alone, shared = (statistics.median(seen) for seen in spans.values())
    print(f"{name}: {alone:.1f} ms each by itself, {shared:.1f} ms sharing rounds, {shared / alone:.2f}", flush=True)


def main():
    WORK.mkdir(parents=True, exist_ok=True)
    if sys.argv[1:2] == ["--crowd"]:
        for name in sys.argv[2:] or MODELS:
            crowd(name)
        return
    print("| model | onnxruntime | kofn, 4 of 5 | ratio | checked ÷ it | all five ÷ it | it ÷ tract | hit ÷ calm | error |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for name in sys.argv[1:] or MODELS:
        measure(name)


if __name__ == "__main__":
    main()
