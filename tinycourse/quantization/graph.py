"""A float network as a small graph, of the operations in `quantization/ops`, the twins of those that a program has in integers.

`fold` merges batch norms, scales, activations, pads and crops into their neighbours.
`tracing.py` makes such a graph from a torch module; `post_training.py` turns it into integers.
"""

from collections import Counter
from dataclasses import dataclass, field

from torch import Tensor

from tinycourse.quantization.ops.base import Node, State


@dataclass
class Graph:
    """Nodes in the order they run: the first is the input, the last the output.

    `state`, of a recurrent network, is as in `Program`: {node of kind state: the node whose value it takes at the end of a step}.
    """

    nodes: list[Node]
    state: dict[str, str] = field(default_factory=dict)

    def run(self, x: Tensor) -> Tensor:
        """[N, C, H, W] or [N, C] to the output, as the module in evaluation mode computes it, in the precision of x."""
        return self.trace(x)[self.nodes[-1].name]

    def trace(self, x: Tensor, state: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
        """As `run`, but every tensor on the way, by the name of its node. Without a `state` it is 0."""
        values = {n.name: x.new_zeros(len(x), *n.shape) for n in self.nodes if isinstance(n, State)} | (state or {})
        for node in self.nodes:
            if isinstance(node, State):
                continue
            y = node.run(*[values[i.name] for i in node.inputs]) if node.inputs else x
            values[node.name] = y.clamp(*node.clamp) if node.clamp else y
        return values


# ------------------------------------------------------------------------------------------------ folding


def fold(nodes: list[Node], output: Node) -> list[Node]:
    """Merge neighbours until nothing changes; drop what the output does not need; number the names."""
    merged = True
    while merged:
        live = {output}
        for node in reversed(nodes):
            live.update(node.inputs if node in live else [])
        nodes = [n for n in nodes if n in live]
        readers = Counter(i for n in nodes for i in n.inputs) + Counter([output])
        for node in nodes:
            merged = merge(node, readers)
            if merged:
                for other in nodes:
                    other.inputs = [merged if i is node else i for i in other.inputs]
                output = merged if output is node else output
                break
    for number, node in enumerate(nodes[1:], 1):
        node.name = f"{node.kind}_{number}"
    return nodes


def by_channel(scale: Node) -> bool:
    """Whether a scale has one factor and one bias for each channel."""
    return all(len(array) == array.numel() for array in scale.arrays.values())


def repeats(shift: Node) -> bool:
    """Whether a shift moves nothing, but repeats each channel equally often."""
    channels = shift.inputs[0].shape[0]
    runs = [(c, 1, 0, 0) for c in range(channels) for _ in range(shift.shape[0] // channels)]
    return shift.parameters["runs"] == runs and shift.shape[1:] == shift.inputs[0].shape[1:]


def merge(node: Node, readers: Counter) -> Node | None:
    """Merge one node with the one before it, where nobody else reads that one: the node that takes its place, or None."""
    for place, before in enumerate(node.inputs):
        if readers[before] > 1:
            continue
        free = before.clamp is None
        match node.kind, before.kind:
            case "scale", "scale" if free:
                factor, bias = (node.arrays[k] for k in ("factor", "bias"))
                before.arrays = {"factor": before.arrays["factor"] * factor, "bias": before.arrays["bias"] * factor + bias}
                return before
            case "scale", "conv" | "linear" | "add" if free and by_channel(node):  # batch norm into what makes its input
                for key, array in before.arrays.items():
                    before.arrays[key] = array * node.arrays["factor"].reshape(-1, *[1] * (array.dim() - 1))
                before.arrays["bias"] = before.arrays["bias"] + node.arrays["bias"].flatten()
                return before
            case "add", "scale" if free and by_channel(before):  # S * V into S * V + A
                key = ("factor_a", "factor_b")[place]
                node.arrays["bias"] = node.arrays["bias"] + node.arrays[key] * before.arrays["bias"].flatten()
                node.arrays[key] = node.arrays[key] * before.arrays["factor"].flatten()
                node.inputs[place] = before.inputs[0]
                return node
            case "clamp", _ if before.can_clamp:
                low, high = node.clamp
                before.clamp = tuple(min(max(bound, low), high) for bound in before.clamp or node.clamp)
                return before
            case "conv", "pad" if before.shape[0] == before.inputs[0].shape[0]:
                (_, top, left), (_, h, w), (_, oh, ow) = before.parameters["start"], before.inputs[0].shape, before.shape
                extra = (top, oh - h - top, left, ow - w - left)
                node.parameters["padding"] = tuple(a + b for a, b in zip(node.parameters["padding"], extra))
                node.inputs = before.inputs
                return node
            case "conv", "shift" if node.parameters["groups"] == before.shape[0] and repeats(before):
                node.parameters["groups"] = before.inputs[0].shape[0]  # depthwise: more outputs for each channel
                node.inputs = before.inputs
                return node
            case "crop", "upsample" if node.parameters["start"] == (0, 0, 0) and node.shape[0] == before.shape[0]:
                before.shape = node.shape
                return before
            case "reshape", "reshape":
                node.inputs = before.inputs
                return node
            case "crop", "crop":
                before.parameters["start"] = tuple(a + b for a, b in zip(before.parameters["start"], node.parameters["start"]))
                before.shape = node.shape
                return before
    return None
