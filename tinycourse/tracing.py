"""Tracing: any torch module made of supported operations becomes a small graph of float operations.

`torch.export` runs the module once and writes down every ATen operation with its shapes. `LOWER` turns each of them into a
node of `graph.py`, or refuses it by name. After folding, `Graph.run` computes what the module computes in evaluation mode.
No model class is known here.
"""

import copy
import math
import operator
import warnings

import torch
from torch import Tensor, nn
from torch.fx.node import map_arg

from tinycourse.errors import TinycourseError
from tinycourse.graph import RUN, Graph, Node, fold


class UnsupportedOperation(TinycourseError):
    """The network holds an operation that has no integer form here; the message names it and the module it is in."""


@torch.no_grad()
def trace(module: nn.Module, shape: tuple[int, ...]) -> Graph:
    """The folded float graph of a module for inputs of `shape`, (C, H, W) or (C,) without the batch.

    The module itself is left as it is; the graph describes it in evaluation mode.
    Raises UnsupportedOperation, naming the operation and the path of the module it is in.
    """
    module = copy.deepcopy(module).cpu().float().eval()
    example = torch.zeros(2, *shape)  # two, so that an operation across the batch shows in the shapes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export warns of its own internals
        try:
            exported = torch.export.export(module, (example,))
            if any(n.target._schema.is_mutable for n in exported.graph.nodes if hasattr(n.target, "_schema")):
                exported = exported.run_decompositions({})  # slow; makes in-place operations functional
        except Exception as error:  # whatever the module's own code raises, and torch's dozen errors
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise UnsupportedOperation(
                f"{type(module).__name__} cannot be traced with an input of shape [2, {', '.join(map(str, shape))}]: {reason}"
            ) from error
    return Graph(fold(*lower_all(exported, type(module).__name__, tuple(shape))))


# ----------------------------------------------------------------------------------------------- lowering


class Call:
    """One ATen call while it is lowered: its first argument, the rest by their ATen names, what it returns, how to refuse it."""

    def __init__(self, fx_node, values: dict, nodes: list[Node], root: str):
        self.target, self.op, self.nodes = fx_node.target, str(fx_node.target).split(".")[1], nodes
        stack = list((fx_node.meta.get("nn_module_stack") or {}).values())
        self.path = (stack[-1][0] if stack else "") or root
        if self.op not in LOWER:
            self.refuse()
        schema = [a.name for a in self.target._schema.arguments]
        self.arguments = {a.name: a.default_value for a in self.target._schema.arguments}
        self.arguments |= dict(zip(schema, fx_node.args)) | fx_node.kwargs
        self.arguments = {k: map_arg(v, values.__getitem__) for k, v in self.arguments.items()}
        self.first = schema[0]
        self.rest = {k: v for k, v in self.arguments.items() if k != self.first}
        if self.op not in ARITHMETIC and any(isinstance(v, Node) for v in self.rest.values()):
            self.refuse("its weights may not depend on the input")
        result = fx_node.meta["val"]
        result = result[0] if isinstance(result, (tuple, list)) else result
        known_rank = len(result.shape) in (2, 4) or LOWER[self.op] is lower_reshape  # [C, 1] between two reshapes is fine
        if not known_rank or result.shape[0] != 2 or not result.dtype.is_floating_point:
            self.refuse(f"its result {list(result.shape)} is no float map [N, C, H, W] or vector [N, C] of a batch N = 2")
        self.shape = tuple(result.shape[1:])

    def refuse(self, reason: str = "tinycourse cannot turn this operation into integers"):
        """Raise UnsupportedOperation with the path, the operation and what is supported."""
        known = ", ".join(sorted(k for k in LOWER if not k.startswith("_")))
        raise UnsupportedOperation(f"{self.path} (aten.{self.op}): {reason}; supported are {known}.")

    def evaluate(self, x: Tensor) -> Tensor:
        """This very operation on other numbers."""
        return self.target(**self.arguments | {self.first: x})

    def node(self, kind: str, *inputs: Node, arrays: dict | None = None, shape=None, **parameters) -> Node:
        """Append a node with this call's path, and its shape unless another is given."""
        shape = self.shape if shape is None else shape
        self.nodes.append(Node(kind, list(inputs), shape, parameters, arrays or {}, path=self.path))
        return self.nodes[-1]

    def like(self, kind: str, x: Node, arrays: dict | None = None, **parameters) -> Node:
        """A node that works element by element on x."""
        node = self.node(kind, x, arrays=arrays, **parameters)
        node.order = x.order
        return node

    def per_channel(self, value, x: Node) -> Tensor:
        """A number or a constant tensor as float64 [C] in the order of x; refused where it varies along H or W."""
        value, target = torch.as_tensor(value, dtype=torch.float64), (1, x.shape[0], *[1] * (len(x.shape) - 1))
        try:
            value = value.broadcast_to(target).flatten()
        except RuntimeError:
            self.refuse(f"a constant of shape {list(value.shape)} is neither one number nor one per channel")
        return value if x.order is None else value[x.order]


def lower_all(exported, root: str, shape: tuple[int, ...]) -> tuple[list[Node], Node]:
    """Nodes in running order, and the output among them. What depends on parameters alone is computed here and now."""
    signature, state = exported.graph_signature, {**exported.state_dict, **exported.constants}
    constants = {s.arg.name: state[s.target] for s in signature.input_specs if s.target is not None}
    values, nodes = {}, [Node("input", [], shape)]
    for fx_node in exported.graph.nodes:
        if fx_node.op == "placeholder":
            value = constants.get(fx_node.name, nodes[0])
        elif fx_node.op == "output":
            break
        elif fx_node.meta.get("val") is None:  # an assertion
            continue
        elif fx_node.target is operator.getitem:
            source, index = fx_node.args
            value = values[source] if isinstance(values[source], Node) else values[source][index]
        elif all(isinstance(values[n], Tensor) for n in fx_node.all_input_nodes):
            value = fx_node.target(*map_arg(fx_node.args, values.get), **map_arg(fx_node.kwargs, values.get))
        else:
            call = Call(fx_node, values, nodes, root)
            value = LOWER[call.op](call, call.arguments[call.first], **call.rest)
        values[fx_node] = value
    results = [(values[n], n.meta["val"]) for n in fx_node.all_input_nodes]
    match results:
        case [(Node(order=None) as output, value)] if len(signature.output_specs) == 1 and value.shape[1:] == output.shape:
            return nodes, output
    raise UnsupportedOperation(
        f"{root} must return one tensor, a map or a vector computed from the input, and may not change its own buffers."
    )


# One function per kind of ATen operation: the call, its first argument, the others by their ATen names; gives the node that
# takes its place, or refuses.


def pair(value) -> tuple[int, int]:
    """ATen writes (2, 2) as 2, [2] or [2, 2]."""
    value = [value] if isinstance(value, int) else list(value)
    return tuple(value * 2 if len(value) == 1 else value)


def weights(weight, bias) -> dict[str, Tensor]:
    """As float64; no bias is a bias of zeros."""
    return {"weight": weight.double(), "bias": torch.zeros(len(weight)).double() if bias is None else bias.double()}


def lower_conv2d(call, x, weight, bias, stride, padding, dilation, groups):
    dilation = pair(dilation)
    if padding == "same":  # the odd one goes behind, as in torch
        total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:])]
        padding = (total[0] // 2, total[0] - total[0] // 2, total[1] // 2, total[1] - total[1] // 2)
    else:
        h, w = (0, 0) if padding == "valid" else pair(padding)
        padding = (h, h, w, w)
    shape = {"stride": pair(stride), "padding": padding, "dilation": dilation, "groups": groups}
    return call.node("conv", x, arrays=weights(weight, bias), **shape)


def lower_linear(call, x, weight, bias):
    if len(x.shape) != 1:
        call.refuse("a linear layer needs a vector [N, C], flatten the map first")
    return call.node("linear", x, arrays=weights(weight if x.order is None else weight[:, x.order], bias))


def lower_batch_norm(call, x, weight, bias, running_mean, running_var, eps, training=False, **_):
    if training:
        call.refuse("a batch norm without running statistics")
    factor = (running_var.double() + eps).rsqrt() * (1.0 if weight is None else weight.double())
    shift = (0.0 if bias is None else bias.double()) - running_mean.double() * factor
    arrays = {"factor": factor, "bias": shift}
    beside = [-1] + [1] * (len(x.shape) - 1)  # [C] or [C, 1, 1]
    return call.like("scale", x, {k: call.per_channel(v.view(beside), x) for k, v in arrays.items()})


def lower_arithmetic(call, x, other=-1.0, alpha=1, rounding_mode=None):
    """add, sub, rsub, mul, div, neg of two activations, or of one and a constant."""
    first, second = {"add": (1, alpha), "sub": (1, -alpha), "rsub": (-alpha, 1)}.get(call.op, (1, 1))
    if isinstance(x, Node) and isinstance(other, Node):
        if call.op == "div" or len(x.shape) != len(other.shape) or not same_order(x, other):
            call.refuse(f"{list(x.shape)} and {list(other.shape)} must be two maps or two vectors, added or multiplied")
        one = torch.ones(call.shape[0], dtype=torch.float64)
        arrays = {"factor_a": first * one, "factor_b": second * one, "bias": 0 * one}
        node = call.node("multiply", x, other) if call.op == "mul" else call.node("add", x, other, arrays=arrays)
        node.order = x.order
        return node
    if isinstance(other, Node):
        x, other, first, second = other, x, second, first
        if call.op == "div":
            call.refuse("a constant cannot be divided by an activation")
    if x.shape != call.shape or rounding_mode:
        call.refuse("a constant may be added to an activation or scale it, it may neither widen nor round it")
    other = call.per_channel(other, x)
    if call.op in ("mul", "div", "neg"):
        return call.like("scale", x, {"factor": 1 / other if call.op == "div" else other, "bias": 0 * other})
    return call.like("scale", x, {"factor": torch.full_like(other, first), "bias": second * other})


def lower_max_pool2d(call, x, kernel_size, stride, padding, dilation, ceil_mode):
    if pair(dilation) != (1, 1):
        call.refuse("a pool with dilation")
    kernel = pair(kernel_size)
    return call.node("max_pool", x, kernel=kernel, stride=pair(stride or kernel), padding=pair(padding), ceil_mode=ceil_mode)


def lower_avg_pool2d(call, x, kernel_size, stride, padding, divisor_override, **_):
    kernel, stride = pair(kernel_size), pair(stride or kernel_size)
    size = tuple((n - k) // s + 1 for n, k, s in zip(x.shape[1:], kernel, stride))
    if any(pair(padding)) or size != call.shape[1:] or divisor_override:
        call.refuse("an average pool may have neither padding, nor windows over the edge, nor a divisor of its own")
    return call.node("average_pool", x, kernel=kernel, stride=stride)


def lower_adaptive_avg_pool2d(call, x, output_size):
    kernel = tuple(n // m for n, m in zip(x.shape[1:], call.shape[1:]))
    if any(n % m for n, m in zip(x.shape[1:], call.shape[1:])):
        call.refuse(f"{list(x.shape[1:])} is no multiple of {list(call.shape[1:])}")
    return call.node("average_pool", x, kernel=kernel, stride=kernel)


def reduced(call, x: Node, dim) -> tuple[int, int]:
    """The window that a reduction over H, W or both looks at."""
    axes = {d % (len(x.shape) + 1) for d in ([dim] if isinstance(dim, int) else dim or [])}
    if len(x.shape) != 3 or not axes or axes - {2, 3}:
        call.refuse("a map may be reduced over its axes 2 and 3 only")
    return (x.shape[1] if 2 in axes else 1, x.shape[2] if 3 in axes else 1)


def lower_mean(call, x, dim=None, **_):
    kernel = reduced(call, x, dim)
    return call.node("average_pool", x, kernel=kernel, stride=kernel)


def lower_amax(call, x, dim, keepdim):
    kernel = reduced(call, x, dim)
    c, h, w = x.shape
    shape = (c, h // kernel[0], w // kernel[1])
    pooled = call.node("max_pool", x, shape=shape, kernel=kernel, stride=kernel, padding=(0, 0), ceil_mode=False)
    return pooled if keepdim else call.node("reshape", pooled)


def lower_upsample_nearest2d(call, x, **_):
    (_, h, w), (_, oh, ow) = x.shape, call.shape
    node = call.node("upsample", x, factor=(math.ceil(oh / h), math.ceil(ow / w)))
    numbers = torch.arange(h * w, dtype=torch.float64).reshape(1, 1, h, w)
    if not torch.equal(call.evaluate(numbers), RUN["upsample"](node, numbers)):
        call.refuse(f"{h} x {w} to {oh} x {ow} is no repetition of each element")
    return node


def lower_slice(call, x, dim, start, step=1, **_):
    if call.shape == x.shape:
        return x
    if len(x.shape) != 3 or step != 1:
        call.refuse("only maps can be cut, and without steps")
    axis, starts = dim % 4 - 1, [0, 0, 0]
    starts[axis] = slice(start, None).indices(x.shape[axis])[0]
    return call.node("crop", x, start=tuple(starts))


def lower_pad(call, x, pad, mode="constant", value=0.0):
    pad = list(pad) + [0] * (6 - len(pad))
    if len(x.shape) != 3 or mode != "constant" or value or min(pad) < 0:
        call.refuse("a map can only be padded, and only with zeros")
    return call.node("pad", x, start=(pad[4], pad[2], pad[0]))


def lower_clamp(call, x, min=None, max=None, min_val=None, max_val=None):
    low, high = {"relu": (0, math.inf), "relu6": (0, 6), "hardtanh": (min_val, max_val)}.get(call.op, (min, max))
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        call.refuse("bounds must be numbers")
    node = call.like("clamp", x)
    node.clamp = (-math.inf if low is None else float(low), math.inf if high is None else float(high))
    return node


def lower_function(call, x, **_):
    return call.like("lookup", x, function=call.evaluate)


def lower_identity(call, x, train=False, **_):
    if train:
        call.refuse("dropout that is on in evaluation mode")
    return x


def places(shape: tuple[int, ...], order: Tensor | None = None) -> Tensor:
    """For each place in our order (h, w, c): where torch, in its order (c, h, w), keeps that element."""
    if order is not None:
        return order
    index = torch.arange(math.prod(shape)).reshape(shape)
    return (index.permute(1, 2, 0) if len(shape) == 3 else index).flatten()


def same_order(a: Node, b: Node) -> bool:
    """Whether two activations keep their elements in the same order."""
    return a.order is b.order or (a.order is not None and b.order is not None and torch.equal(a.order, b.order))


def lower_reshape(call, x, **_):
    """Allowed where the channels-last order survives, and to vectors, which then remember their order.

    Shapes that are neither map nor vector are kept as vectors; only another reshape can read them.
    """
    shape = call.shape if len(call.shape) == 3 else (math.prod(call.shape),)
    node, source = call.node("reshape", x, shape=shape), places(x.shape, x.order)
    if not torch.equal(source, places(shape)):
        if len(shape) == 3:
            call.refuse(f"{list(x.shape)} to {list(shape)} moves elements between channels and positions")
        node.order = source
    return node


FUNCTIONS = "sigmoid tanh hardsigmoid hardswish silu gelu leaky_relu elu selu celu softplus mish abs".split()
ARITHMETIC = "add sub rsub mul div neg".split()
LOWER = {
    "conv2d": lower_conv2d,
    "linear": lower_linear,
    "batch_norm": lower_batch_norm,
    "_native_batch_norm_legit_no_training": lower_batch_norm,
    "max_pool2d": lower_max_pool2d,
    "avg_pool2d": lower_avg_pool2d,
    "adaptive_avg_pool2d": lower_adaptive_avg_pool2d,
    "mean": lower_mean,
    "amax": lower_amax,
    "upsample_nearest2d": lower_upsample_nearest2d,
    "slice": lower_slice,
    "narrow": lower_slice,
    "pad": lower_pad,
    **dict.fromkeys(ARITHMETIC, lower_arithmetic),
    **dict.fromkeys("relu relu6 hardtanh clamp clip clamp_min clamp_max".split(), lower_clamp),
    **dict.fromkeys(FUNCTIONS, lower_function),
    **dict.fromkeys("view reshape flatten unflatten squeeze unsqueeze".split(), lower_reshape),
    **dict.fromkeys("dropout feature_dropout clone alias contiguous detach to".split(), lower_identity),
}
