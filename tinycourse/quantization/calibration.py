"""Calibration: the ranges that a recogniser's activations have in use, from which its integers follow. They travel in its checkpoint.

So a trained recogniser becomes a program without any data. Ranges go by the path of the layer and the kind of its operation, which stay
when nodes of the graph are numbered anew, and they hold for the weights that they were measured with, and no others.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence

from torch import Tensor

from tinycourse.errors import TinycourseError
from tinycourse.models.rnnt import Transducer
from tinycourse.program.program import Program
from tinycourse.quantization import integer_transducer, post_training
from tinycourse.quantization.graph import Graph
from tinycourse.quantization.ops.base import State
from tinycourse.quantization.tracing import trace
from tinycourse.training.checkpoint import Calibration, Recogniser, in_batches

NETWORK = "network"  # the one part of a recogniser of words; a transducer has integer_rnnt.PARTS
OBSERVER = "mean-square-error"


def measure(recogniser: Recogniser, audio: Tensor | Sequence[Tensor], data: str, observer: str = OBSERVER) -> Calibration:
    """The ranges on audio [N, 16000], or for a transducer recordings [samples] each, of the data set `data`.

    `observer` is one of `observers.OBSERVERS`. Raises TinycourseError for another one, for recordings of no use, and for a network that
    gives nan.
    """
    if isinstance(recogniser.network, Transducer):
        ranges = integer_transducer.measure(recogniser.network, integer_transducer.features_of(recogniser, audio), observer)
    else:
        graph, features = graph_of(recogniser), in_batches(recogniser.frontend, audio)
        found, labels = post_training.measure(graph, features, observer), labels_of(graph, recogniser)
        ranges = {NETWORK: {labels[name]: bounds for name, bounds in found.items()}}
    return Calibration(ranges, data, len(audio), observer, weights_of(recogniser))


def fits(recogniser: Recogniser, observer: str = OBSERVER) -> bool:
    """Whether a recogniser has ranges that this observer found, with the weights that it has now."""
    found = recogniser.calibration
    return found is not None and found.observer == observer and found.weights == weights_of(recogniser)


def program_of(recogniser: Recogniser, metadata: dict) -> Program:
    """A recogniser of words in integers, by its ranges. Raises TinycourseError where they are those of another graph."""
    graph = graph_of(recogniser)
    labels = labels_of(graph, recogniser)
    names = {labels[node.name]: node.name for node in graph.nodes if not node.keeps_scale}
    ranges = ranges_of(recogniser, {NETWORK: set(names)})[NETWORK]
    tensors = post_training.tensors_of(graph, {name: ranges[label] for label, name in names.items()})
    return post_training.quantize_graph(graph, tensors, metadata)


def integers_of(recogniser: Recogniser) -> Recogniser:
    """The same of a transducer, see `integer_transducer.in_integers`."""
    graphs = integer_transducer.graphs_of(recogniser.network)
    needed = {part: {node.name for node in graph.nodes if not isinstance(node, State)} for part, graph in graphs.items()}
    return integer_transducer.in_integers(recogniser, ranges_of(recogniser, needed | {"joint": {"logits"}}))


def graph_of(recogniser: Recogniser) -> Graph:
    """The float graph of a recogniser of words."""
    return trace(recogniser.network, recogniser.frontend.config.shape)


def labels_of(graph: Graph, recogniser: Recogniser) -> dict[str, str]:
    """The label of each node by its name: path of the layer and kind, and which one where a layer has several of a kind."""
    root, seen, labels = type(recogniser.network).__name__, Counter(), {}
    for node in graph.nodes:
        label = node.kind if node.path in ("", root) else f"{node.path}.{node.kind}"
        seen[label] += 1
        labels[node.name] = label if seen[label] == 1 else f"{label}.{seen[label]}"
    return labels


def ranges_of(recogniser: Recogniser, needed: dict[str, set[str]]) -> dict[str, post_training.Ranges]:
    """A recogniser's ranges. Raises TinycourseError where they are not those `needed`, {part: labels}."""
    ranges = recogniser.calibration.ranges
    for part, labels in needed.items():
        if different := sorted(labels ^ ranges.get(part, {}).keys()):
            raise TinycourseError(
                f"The calibration ranges in this checkpoint of {recogniser.name} are those of another graph, the first difference is "
                f"{part} {different[0]}; measure them anew with `tinycourse calibrate`, or by --calibrate SET."
            )
    return ranges


def weights_of(recogniser: Recogniser) -> str:
    """The SHA-256 of all weights, those of the front end among them: they are the same weights if it is the same."""
    found = hashlib.sha256()
    for name, tensor in recogniser.state_dict().items():
        found.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()
