"""A float network as a small graph, with the kinds of operation that `mcu/program.py` has in integers.

`RUN` says what each kind computes, `fold` merges batch norms, scales, activations, pads and crops into their neighbours.
`tracing.py` makes such a graph from a torch module; `quantization.py` turns it into integers.
"""

from collections import Counter
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(eq=False)
class Node:
    """One float operation; RUN documents each kind. `shape` is torch's without the batch: (C, H, W) or (C,)."""

    kind: str
    inputs: list["Node"]
    shape: tuple[int, ...]
    parameters: dict = field(default_factory=dict)
    arrays: dict[str, Tensor] = field(default_factory=dict)  # float64; the first axis is the output channel
    clamp: tuple[float, float] | None = None  # a fused ReLU, ReLU6 or Hardtanh
    path: str = ""  # the torch module it came from
    name: str = "input"


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
        values = {n.name: x.new_zeros(len(x), *n.shape) for n in self.nodes if n.kind == "state"} | (state or {})
        for node in self.nodes:
            if node.kind == "state":
                continue
            y = RUN[node.kind](node, *[values[i.name] for i in node.inputs]) if node.inputs else x
            values[node.name] = y.clamp(*node.clamp) if node.clamp else y
        return values


# ------------------------------------------------------------------------------------------------ running
# One function per kind: the node and its input tensors [N, C, H, W] or [N, C] to the output tensor.


def along_channels(values: Tensor, like: Tensor) -> Tensor:
    """[C] as [C, 1, 1] beside a map, in the type and on the device of `like`."""
    return values.to(like).reshape(-1, *[1] * (like.dim() - 2))


def run_conv(node, x):
    """arrays weight [O, I / groups, KH, KW], bias [O]; padding (top, bottom, left, right), stride, dilation, groups."""
    p, a = node.parameters, node.arrays
    top, bottom, left, right = p["padding"]
    x = F.pad(x, (left, right, top, bottom))
    return F.conv2d(x, a["weight"].to(x), a["bias"].to(x), p["stride"], 0, p["dilation"], p["groups"])


def run_linear(node, x):
    """arrays weight [O, I], bias [O]."""
    return F.linear(x, node.arrays["weight"].to(x), node.arrays["bias"].to(x))


def run_scale(node, x):
    """x * factor + bias; arrays as x, or of length 1 along H and W."""
    return x * node.arrays["factor"].to(x) + node.arrays["bias"].to(x)


def run_add(node, a, b):
    """a * factor_a + b * factor_b + bias with broadcast; arrays [C] of the output."""
    c = {k: along_channels(v, a) for k, v in node.arrays.items()}
    return a * c["factor_a"] + b * c["factor_b"] + c["bias"]


def run_multiply(node, a, b):
    """a * b with broadcast."""
    return a * b


def run_max_pool(node, x):
    """kernel, stride, padding (top, left), ceil_mode; what hangs over the edge is ignored."""
    p = node.parameters
    return F.max_pool2d(x, p["kernel"], p["stride"], p["padding"], ceil_mode=p["ceil_mode"])


def run_average_pool(node, x):
    """kernel, stride; no padding. A global mean may give a vector."""
    return F.avg_pool2d(x, node.parameters["kernel"], node.parameters["stride"]).reshape(len(x), *node.shape)


def run_upsample(node, x):
    """Nearest neighbour: out[y, x] = in[y // fh, x // fw], factor (fh, fw), cropped to the shape."""
    (fh, fw), (_, h, w) = node.parameters["factor"], node.shape
    return x.repeat_interleave(fh, 2).repeat_interleave(fw, 3)[:, :, :h, :w]


def run_shift(node, x):
    """runs of (channel, count, dy, dx): `count` channels from `channel` on, read at an offset, zeros beyond the edges."""
    _, h, w = node.shape
    reach = max(max(abs(dy), abs(dx)) for _, _, dy, dx in node.parameters["runs"]) + max(node.shape)
    x = F.pad(x, (reach, reach, reach, reach))
    moved = [x[:, c : c + n, reach + dy :, reach + dx :][..., :h, :w] for c, n, dy, dx in node.parameters["runs"]]
    return torch.cat(moved, 1)


def run_crop(node, x):
    """A box of `shape` that begins at start (c, h, w)."""
    (c, y, z), (d, h, w) = node.parameters["start"], node.shape
    return x[:, c : c + d, y : y + h, z : z + w]


def run_pad(node, x):
    """The input at start (c, h, w) of a box of zeros."""
    starts, pads = node.parameters["start"], []
    for start, size, whole in zip(starts[::-1], x.shape[:0:-1], node.shape[::-1]):
        pads += [start, whole - start - size]
    return F.pad(x, pads)


def run_lookup(node, x):
    """A function of one number."""
    return node.parameters["function"](x)


def run_clamp(node, x):
    """A ReLU, ReLU6 or Hardtanh that found nothing to be fused into: its bounds are in `clamp`."""
    return x


def run_reshape(node, x):
    """The same numbers in the same channels-last order (h, w, c) under another shape."""
    x = x.permute(0, 2, 3, 1) if x.dim() == 4 else x
    if len(node.shape) == 1:
        return x.reshape(len(x), -1)
    c, h, w = node.shape
    return x.reshape(len(x), h, w, c).permute(0, 3, 1, 2)


def run_embedding(node, x):
    """Row x [N, 1] of the array table [rows, C]."""
    return node.arrays["table"][x[:, 0].long()].to(x)


def run_linear16(node, x, h=None):
    """arrays weight [O, I], bias [O], and with a second input weight_recurrent [O, H]."""
    y = run_linear(node, x)
    return y if h is None else y + F.linear(h, node.arrays["weight_recurrent"].to(h))


def run_layer_norm(node, x):
    """Each of `gates` blocks by itself, parameter epsilon; arrays scale, bias [gates * units]."""
    gates, epsilon = (node.parameters[k] for k in ("gates", "epsilon"))
    x = F.layer_norm(x.unflatten(1, (gates, -1)), (x.shape[1] // gates,), eps=epsilon).flatten(1)
    return x * node.arrays["scale"].to(x) + node.arrays["bias"].to(x)


def gates_of(z: Tensor, c: Tensor) -> tuple[Tensor, ...]:
    """[N, gates * units] beside cells [N, units] -> [N, units] each."""
    return z.unflatten(1, (-1, c.shape[1])).unbind(1)


def run_lstm_cell(node, z, c):
    """Gates [g, i, f, o] and c -> the next c; parameter clip, 0 for none."""
    g, i, f, _ = gates_of(z, c)
    c, clip = f.sigmoid() * c + i.sigmoid() * g.tanh(), node.parameters["clip"]
    return c.clamp(-clip, clip) if clip else c


def run_cifg_cell(node, z, c):
    """Gates [g, f, o] and c -> the next c; parameter clip, 0 for none."""
    g, f, _ = gates_of(z, c)
    c, clip = torch.lerp(g.tanh(), c, f.sigmoid()), node.parameters["clip"]
    return c.clamp(-clip, clip) if clip else c


def run_sru_cell(node, z, c):
    """Gates [g, n, f, r] and c -> the next c."""
    g, _, f, _ = gates_of(z, c)
    return torch.lerp(g, c, f.sigmoid())


def run_gated_output(node, z, c):
    """The last gate of LSTM and CIFG, and the new c -> h."""
    return gates_of(z, c)[-1].sigmoid() * c.tanh()


def run_highway_output(node, z, c):
    """Gates of SRU and the new c -> h."""
    _, n, _, r = gates_of(z, c)
    return torch.lerp(n, c.tanh(), r.sigmoid())


def run_tanh8(node, x):
    """tanh"""
    return x.tanh()


RUN = {name.removeprefix("run_"): f for name, f in list(globals().items()) if name.startswith("run_")}


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
            case "clamp", "conv" | "linear" | "scale" | "add" | "multiply" | "average_pool" | "clamp":
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
