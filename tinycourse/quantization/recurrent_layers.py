"""Recurrent layers in integers: one frame of them as a float graph, its scales from calibration, and the `Program` of one step.

The recipe is TensorFlow Lite's (Li and Alvarez 2021, arXiv 2101.05453). What goes from layer to layer and from frame to frame is
int8 (x, h), one scale and zero point for a tensor. Weights are int8 with a scale for every row: the kernel rescales each sum anyway, so
a scale of its own costs a row five bytes and no time. Gates and cells are int16. A gate has 12 bits after the point, for sigmoid and
tanh are flat beyond 8; a cell state has as many as its range allows, 12 where it stays below 8, 9 where it reaches 64, and it
saturates there.

A program is one step: its cells and outputs are `Program.state`, handed in and out by the interpreter, so that a batch of recordings
is one call a frame, and kept in the arena by the C code, so that a chip calls `model_run` for every frame and nothing else.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from tinycourse.errors import TinycourseError
from tinycourse.models.cells import EPSILON, GATES, Recurrent
from tinycourse.program.affine import affine_parameters, symmetric_parameters
from tinycourse.program.ops.base import Tensor as IntegerTensor
from tinycourse.program.program import Program
from tinycourse.quantization.graph import Graph
from tinycourse.quantization.observers import MeanSquareError, MinMax, find_observer
from tinycourse.quantization.ops.base import NODES, Input, Node, State
from tinycourse.quantization.ops.recurrent import Cell, Embedding, SruCell, Tanh8
from tinycourse.quantization.post_training import Ranges, quantize_graph

MOST_BITS, FEWEST_BITS = 12, 9  # after the point of a cell state: |c| < 8 to |c| < 64


# ------------------------------------------------------------------------------------------ one step as a graph


def recurrent_nodes(layer: Recurrent, x: Node, name: str) -> tuple[list[Node], dict[str, str]]:
    """One frame of a layer behind the node x: its nodes, the last of them the output, and its state."""
    config, units = layer.config, layer.config.units
    rows, double = GATES[config.kind] * units, {k: v.detach().double().cpu() for k, v in layer.named_parameters()}
    h, c = (State([], (size,), path=name, name=f"{name}.{letter}") for letter, size in (("h", config.outputs), ("c", units)))
    nodes = [c] if config.kind == "sru" else [h, c]

    def add(kind, inputs, size, arrays=None, **parameters):
        nodes.append(NODES[kind](inputs, (size,), parameters, arrays or {}, path=name, name=f"{name}.{kind}"))
        return nodes[-1]

    bias = torch.zeros(rows, dtype=torch.float64) if config.layer_norm else double["bias"]
    arrays = {"weight": double["weight_input"], "bias": bias}
    if config.kind != "sru":
        arrays["weight_recurrent"] = double["weight_recurrent"]
    z = add("linear16", [x] if config.kind == "sru" else [x, h], rows, arrays)
    if config.layer_norm:
        z = add("layer_norm", [z], rows, {k: double[k] for k in ("scale", "bias")}, gates=GATES[config.kind], epsilon=EPSILON)
    cell = add(f"{config.kind}_cell", [z, c], units, clip=None if config.kind == "sru" else config.clip)
    m = add("highway_output" if config.kind == "sru" else "gated_output", [z, cell], units)
    if config.projection:
        m = add("linear", [m], config.projection, {"weight": double["weight_projection"], "bias": torch.zeros(config.projection).double()})
    return nodes, ({} if config.kind == "sru" else {h.name: m.name}) | {c.name: cell.name}


def stack(layers: Sequence[Recurrent], nodes: list[Node]) -> Graph:
    """Recurrent layers, one on the other, behind the last of `nodes`, the first of which is the input."""
    nodes, state = list(nodes), {}
    for number, layer in enumerate(layers):
        more, kept = recurrent_nodes(layer, nodes[-1], f"layer{number}")
        nodes, state = nodes + more, state | kept
    return Graph(nodes, state)


def graph_of(layers: Sequence[Recurrent]) -> Graph:
    """Recurrent layers, one on the other."""
    return stack(layers, [Input([], (layers[0].inputs,))])


# ------------------------------------------------------------------------------------------ scales


def bits_for(largest: float) -> int:
    """Bits after the point of an int16 that shall reach `largest`; where even 9 are too many, it saturates at 64."""
    return int(np.clip(np.floor(np.log2(2**15 / max(largest, 1e-9) * (1 - 2**-15))), FEWEST_BITS, MOST_BITS))


@torch.no_grad()
def trace_steps(network: Graph | Program, sequence: Tensor | np.ndarray) -> dict[str, np.ndarray]:
    """Run a sequence [T, *input shape] from the beginning: every tensor on the way, by name, [T, ...]. Nothing where T is 0."""
    state, seen = None, []
    for x in sequence[:, None]:
        seen.append(network.trace(x, state))
        state = {name: seen[-1][after] for name, after in network.state.items()}
    return {name: np.concatenate([np.asarray(values[name]) for values in seen]) for name in (seen[0] if seen else ())}


def observe_steps(
    graph: Graph, sequences: Sequence[Tensor], observer: str | Callable[[], MinMax] = MeanSquareError
) -> tuple[Ranges, list[Tensor]]:
    """Run sequences [T, *input shape] through the float graph, each from the beginning: ranges by name, and the outputs [T, ...].

    int8 tensors are seen by `observer`, int16 ones by MinMax. Raises TinycourseError where there is nothing to see, or nan.
    """
    if not sequences or not sum(map(len, sequences)):
        raise TinycourseError("Calibration needs at least one recording that fills a frame; give longer ones.")
    make, outputs = find_observer(observer), []
    nodes = [n for n in graph.nodes if not isinstance(n, State)]
    observers = {n.name: MinMax() if n.bits == 16 else make() for n in nodes}
    for sequence in sequences:
        values = {name: torch.from_numpy(x) for name, x in trace_steps(graph, sequence).items()}
        for node in nodes if values else []:
            if not values[node.name].isfinite().all():
                raise TinycourseError(f"{node.path or 'The input'} gives nan or infinite numbers: train the network again.")
            observers[node.name].observe(values[node.name])
        outputs.append(values[nodes[-1].name] if values else sequence.new_zeros(0, *nodes[-1].shape))
    return {name: seen.range() for name, seen in observers.items()}, outputs


def cell_bits(node: Node, ranges: Ranges) -> int:
    """Of a cell state: its clip must fit, or what was seen; for SRU, gates too, for they share its scale."""
    if not isinstance(node, SruCell):
        clip = node.parameters["clip"]
        return bits_for(largest(*ranges[node.name]) if clip is None else clip)
    return bits_for(max(largest(*ranges[n.name]) for n in (node, node.inputs[0])))


def largest(low: float, high: float) -> float:
    """The largest magnitude in a range."""
    return max(-low, high)


def choose_scales(graph: Graph, ranges: Ranges, given: dict[str, tuple[float, int]] | None = None) -> dict[str, IntegerTensor]:
    """Scale and zero point of every tensor, by name; `given` has those that are settled already, as {name: (scale, zero point)}."""
    powers = {}  # of the cells and of their gates
    for node in graph.nodes:
        if isinstance(node, Cell):
            powers[node.name] = cell_bits(node, ranges)
            powers[node.inputs[0].name] = powers[node.name] if isinstance(node, SruCell) else MOST_BITS
        elif isinstance(node, Tanh8):
            powers[node.inputs[0].name] = MOST_BITS
    tensors = {}
    for node in graph.nodes:
        if isinstance(node, State) and graph.state[node.name] != node.name:
            continue  # it has the scale of its successor, below
        takes_label = any(node in n.inputs for n in graph.nodes if isinstance(n, Embedding))
        bits = 16 if node.bits == 16 or takes_label else 8
        if node.name in (given or {}):
            scale, zero_point = given[node.name]
        elif node.name in powers:
            scale, zero_point = 2.0 ** -powers[node.name], 0
        elif isinstance(node, Tanh8):
            scale, zero_point = 1 / 128, 0
        elif bits == 16:
            scale, zero_point = symmetric_parameters(*ranges[node.name], 16)
        else:
            scale, zero_point = affine_parameters(*ranges[node.name])
        tensors[node.name] = IntegerTensor(node.name, node.shape, scale, zero_point, bits)
    for name, after in graph.state.items():
        if name != after:
            t = tensors[after]
            tensors[name] = IntegerTensor(name, t.shape, t.scale, t.zero_point, t.bits)
    return tensors


# ------------------------------------------------------------------------------------------ layers as a program


def quantize_layers(
    layers: Sequence[Recurrent],
    sequences: Sequence[Tensor],
    observer: str | Callable[[], MinMax] = MeanSquareError,
    given: tuple[float, int] | None = None,
    metadata: dict | None = None,
) -> tuple[Program, list[Tensor]]:
    """Recurrent layers, one on the other, as the program of one step; and what they give in float for the calibration data.

    `sequences` are inputs as the layers will meet them, float [T, inputs] each; `given` is scale and zero point of the input where
    another program makes it. Raises TinycourseError where the data are of no use.
    """
    graph = graph_of(layers)
    ranges, outputs = observe_steps(graph, [s.detach().float() for s in sequences], observer)
    tensors = choose_scales(graph, ranges, {graph.nodes[0].name: given} if given else None)
    return quantize_graph(graph, tensors, metadata), outputs


def run_steps(program: Program, x: np.ndarray, state: dict[str, np.ndarray] | None = None) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """All frames: integers [N, T, *input shape], and the state before them -> outputs [N, T, *output shape], and the state after."""
    state, out = state or program.start(len(x)), program.tensors[program.output]
    y = np.empty((*x.shape[:2], *out.shape), out.dtype)
    for t in range(x.shape[1]):
        y[:, t], state = program.step(x[:, t], state)
    return y, state
