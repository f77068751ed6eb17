"""Lowering: what each ATen operation becomes in `graph.py`.

`LOWER` has one function for each kind of operation: it takes the call (see `tracing.Call`), the operation's first argument and the
others by their ATen names, and gives the node that takes the operation's place, or refuses.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tinycourse.quantization.ops.base import Node
from tinycourse.quantization.ops.shape import Crop, Pad, Reshape, Shift

# ------------------------------------------------------------------------------------------------- views


@dataclass(eq=False)
class View:
    """An activation as torch sees it: the numbers of a node, perhaps in another shape and order.

    `index` has torch's shape without the batch. It holds for each element where the node has it, counted in the order (c, h, w).
    So views, transpositions and reshapes cost nothing until an operation needs a map: see `settle`.
    """

    node: Node
    index: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """As torch sees it, without the batch."""
        return tuple(self.index.shape)


def counted(shape: tuple[int, ...]) -> Tensor:
    """0, 1, 2, ... in a tensor of this shape."""
    return torch.arange(math.prod(shape)).reshape(shape)


def as_stored(index: Tensor) -> Tensor:
    """The elements of a map or vector in the order in which a program keeps them, (h, w, c)."""
    return (index.permute(1, 2, 0) if index.dim() == 3 else index).flatten()


def as_map(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A sequence (C, T) as the map (C, T, 1); maps and vectors as they are."""
    return (*shape, 1) if len(shape) == 2 else tuple(shape)


def settle(x: View, nodes: list[Node], path: str) -> Node | None:
    """The node that holds x as a map or vector of just this shape.

    That is x's own, or a reshape where the stored order allows it, or a shift where only channels change places; None for any other.
    """
    shape = as_map(x.shape)
    if shape == x.node.shape and torch.equal(x.index.flatten(), counted(shape).flatten()):
        return x.node
    if len(shape) not in (1, 3):
        return None
    index = x.index.reshape(shape)
    if torch.equal(as_stored(index), as_stored(counted(x.node.shape))):
        nodes.append(Reshape([x.node], shape, path=path))
    elif shape == x.node.shape and len(shape) == 3 and torch.equal(index, counted(shape)[channels := index[:, 0, 0] // index[0].numel()]):
        nodes.append(Shift([x.node], shape, {"runs": [(c, 1, 0, 0) for c in channels.tolist()]}, path=path))
    else:
        return None
    return nodes[-1]


# ---------------------------------------------------------------------------------------- one operation each


def pair(value) -> tuple[int, int]:
    """ATen writes (2, 2) as 2, [2] or [2, 2]."""
    value = [value] if isinstance(value, int) else list(value)
    return tuple(value * 2 if len(value) == 1 else value)


def along_time(value, across: int = 1) -> tuple[int, int]:
    """A stride, kernel or padding of a sequence as one of a map of width 1."""
    return pair(value)[0], across


def weights(weight, bias) -> dict[str, Tensor]:
    """As float64; no bias is a bias of zeros."""
    return {"weight": weight.double(), "bias": torch.zeros(len(weight)).double() if bias is None else bias.double()}


def lower_conv2d(call, x, weight, bias, stride, padding, dilation, groups):
    """A convolution; padding "same" or "valid" becomes numbers."""
    weight, dilation = weight.double(), pair(dilation)
    if padding == "same":  # the odd one goes behind, as in torch
        total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:])]
        padding = (total[0] // 2, total[0] - total[0] // 2, total[1] // 2, total[1] - total[1] // 2)
    else:
        h, w = (0, 0) if padding == "valid" else pair(padding)
        padding = (h, h, w, w)
    weight, padding = without_empty_edges(weight, padding, dilation)
    shape = {"stride": pair(stride), "padding": padding, "dilation": dilation, "groups": groups}
    return call.node("conv", x, arrays=weights(weight, bias), **shape)


def without_empty_edges(weight: Tensor, padding: tuple[int, ...], dilation: tuple[int, int]) -> tuple[Tensor, tuple[int, ...]]:
    """A kernel [O, I, KH, KW] without the outer rows and columns that are zero everywhere, and the padding that remains.

    Padding becomes negative where the kernel then begins inside the map.
    """
    left = list(padding)
    for axis in (2, 3):
        used = weight.ne(0).movedim(axis, 0).flatten(1).any(1).nonzero().flatten().tolist() or [0]
        first, last, size = used[0], used[-1], weight.shape[axis]
        weight = weight.narrow(axis, first, last + 1 - first)
        left[2 * axis - 4] -= first * dilation[axis - 2]
        left[2 * axis - 3] -= (size - 1 - last) * dilation[axis - 2]
    return weight, tuple(left)


def lower_conv1d(call, x, weight, bias, stride, padding, dilation, groups):
    """A sequence is a map of width 1."""
    padding = padding if isinstance(padding, str) else along_time(padding, 0)
    return lower_conv2d(call, x, weight[..., None], bias, along_time(stride), padding, along_time(dilation), groups)


def lower_linear(call, x, weight, bias):
    """Of a vector: however torch sees it, a program stores it in the order (h, w, c), and so the columns of the weight."""
    if len(x.shape) != 1:
        call.refuse("a linear layer needs a vector [N, C], flatten the map first")
    stored = as_stored(counted(x.node.shape))
    vector = x.node if len(x.node.shape) == 1 else call.node("reshape", x.node, shape=x.shape)
    return call.node("linear", vector, arrays=weights(weight[:, x.index.argsort()[stored]], bias))


def lower_batch_norm(call, x, weight, bias, running_mean, running_var, eps, training=False, **_):
    """One factor and one shift for each channel."""
    if training:
        call.refuse("a batch norm without running statistics")
    factor = (running_var.double() + eps).rsqrt() * (1.0 if weight is None else weight.double())
    shift = (0.0 if bias is None else bias.double()) - running_mean.double() * factor
    beside = [-1] + [1] * (len(x.shape) - 1)  # [C], [C, 1] or [C, 1, 1]
    return call.affine(x, *(call.constant(v.view(beside), x) for v in (factor, shift)))


def lower_arithmetic(call, x, other=-1.0, alpha=1, rounding_mode=None):
    """add, sub, rsub, mul, div, neg of two activations, or of one and a constant."""
    first, second = {"add": (1, alpha), "sub": (1, -alpha), "rsub": (-alpha, 1)}.get(call.op, (1, 1))
    if isinstance(x, View) and isinstance(other, View):
        return lower_pair(call, x, other, first, second)
    if isinstance(other, View):
        x, other, first, second = other, x, second, first
        if call.op == "div":
            call.refuse("a constant cannot be divided by an activation")
    if x.shape != call.shape or rounding_mode:
        call.refuse("a constant may be added to an activation or scale it, it may neither widen nor round it")
    other = call.constant(other, x)
    if call.op in ("mul", "div", "neg"):
        return call.affine(x, 1 / other if call.op == "div" else other, 0 * other)
    return call.affine(x, torch.full_like(other, first), second * other)


def lower_pair(call, a: View, b: View, first, second):
    """Two activations: both as maps or vectors, or both seen in the same way."""
    if call.op == "div" or len(a.shape) != len(b.shape):
        call.refuse(f"{list(a.shape)} and {list(b.shape)} must be two maps or two vectors, added or multiplied")
    same = a.node.shape == b.node.shape and torch.equal(a.index, b.index)
    x, y = (a.node, b.node) if same else (call.settled(v) for v in (a, b))
    shape = x.shape if same else as_map(call.shape)
    one = torch.ones(shape[0], dtype=torch.float64)
    arrays = {"factor_a": first * one, "factor_b": second * one, "bias": 0 * one}
    node = call.node("multiply", x, y, shape=shape) if call.op == "mul" else call.node("add", x, y, arrays=arrays, shape=shape)
    return View(node, a.index) if same else node


def lower_max_pool2d(call, x, kernel_size, stride, padding, dilation, ceil_mode):
    """Windows of a map."""
    if pair(dilation) != (1, 1):
        call.refuse("a pool with dilation")
    kernel = pair(kernel_size)
    return call.node("max_pool", x, kernel=kernel, stride=pair(stride or kernel), padding=pair(padding), ceil_mode=ceil_mode)


def lower_max_pool1d(call, x, kernel_size, stride, padding, dilation, ceil_mode):
    """A sequence is a map of width 1."""
    kernel, stride = along_time(kernel_size), along_time(stride or kernel_size)
    return lower_max_pool2d(call, x, kernel, stride, along_time(padding, 0), along_time(dilation), ceil_mode)


def lower_avg_pool2d(call, x, kernel_size, stride, padding, count_include_pad, ceil_mode=False, divisor_override=None):
    """Padding that counts is a `pad` of its own."""
    kernel, stride, (top, left) = pair(kernel_size), pair(stride or kernel_size), pair(padding)
    if divisor_override or ceil_mode or ((top or left) and not count_include_pad):
        call.refuse("an average pool with ceil_mode, a divisor of its own or padding that does not count")
    if top or left:
        c, h, w = x.shape
        x = call.node("pad", x, shape=(c, h + 2 * top, w + 2 * left), start=(0, top, left))
    return call.node("average_pool", x, kernel=kernel, stride=stride)


def lower_avg_pool1d(call, x, kernel_size, stride, padding, count_include_pad, ceil_mode):
    """A sequence is a map of width 1."""
    kernel, stride = along_time(kernel_size), along_time(stride or kernel_size)
    return lower_avg_pool2d(call, x, kernel, stride, along_time(padding, 0), count_include_pad, ceil_mode)


def lower_adaptive_avg_pool(call, x, output_size):
    """Windows side by side, where the sizes go into each other."""
    size = as_map(call.shape)[1:]
    kernel = tuple(n // m for n, m in zip(x.shape[1:], size))
    if any(n % m for n, m in zip(x.shape[1:], size)):
        call.refuse(f"{list(x.shape[1:])} is no multiple of {list(size)}")
    return call.node("average_pool", x, kernel=kernel, stride=kernel)


def reduced(call, x: View, dim) -> tuple[Node, tuple[int, int], tuple[int, ...]]:
    """A map, the window that a reduction over H, W or both looks at, and the shape that it gives."""
    axes = {d % (len(x.shape) + 1) for d in ([dim] if isinstance(dim, int) else dim or [])}
    if len(x.shape) not in (2, 3) or not axes or axes - {2, 3}:
        call.refuse("a map may be reduced over its axes 2 and 3 only")
    node = call.settled(x)
    c, h, w = node.shape
    kernel = (h if 2 in axes else 1, w if 3 in axes else 1)
    return node, kernel, (c, h // kernel[0], w // kernel[1])


def lower_mean(call, x, dim=None, **_):
    """An average pool whose window is what the mean goes over."""
    node, kernel, shape = reduced(call, x, dim)
    return call.node("average_pool", node, shape=call.shape if len(call.shape) == 1 else shape, kernel=kernel, stride=kernel)


def lower_amax(call, x, dim, keepdim):
    """A max pool whose window is what the maximum goes over."""
    node, kernel, shape = reduced(call, x, dim)
    return call.node("max_pool", node, shape=shape, kernel=kernel, stride=kernel, padding=(0, 0), ceil_mode=False)


def lower_upsample_nearest2d(call, x, **_):
    """Each number repeated along time and bands; torch itself says whether it is that."""
    (_, h, w), (_, oh, ow) = x.shape, call.shape
    node = call.node("upsample", x, factor=(math.ceil(oh / h), math.ceil(ow / w)))
    numbers = torch.arange(h * w, dtype=torch.float64).reshape(1, 1, h, w)
    if not torch.equal(call.evaluate(numbers), node.run(numbers)):
        call.refuse(f"{h} x {w} to {oh} x {ow} is no repetition of each element")
    return node


def repetition(channels: int, count: int) -> list[tuple[int, int, int, int]]:
    """The runs of a shift that repeats every channel."""
    return [(c, 1, 0, 0) for c in range(channels) for _ in range(count)]


def lower_expand(call, x, **_):
    """Repetition along the axes that grow."""
    if as_map(call.shape) == x.shape:
        return x
    if len(x.shape) != 3 or len(as_map(call.shape)) != 3:
        call.refuse("only a map can be expanded, along channels, time or frequency")
    (c, h, w), (d, oh, ow) = x.shape, as_map(call.shape)
    x = call.node("shift", x, shape=(d, h, w), runs=repetition(c, d // c)) if d > c else x
    return call.node("upsample", x, factor=(oh // h, ow // w)) if (oh, ow) != (h, w) else x


def lower_repeat_interleave(call, x, repeats, dim=None, **_):
    """Each number, or each channel, so many times."""
    axis = -1 if dim is None else dim % (len(call.shape) + 1) - 1
    if len(x.shape) != 3 or axis < 0:
        call.refuse("only a map can be repeated, along channels, time or frequency")
    if axis == 0:
        return call.node("shift", x, runs=repetition(x.shape[0], repeats))
    return call.node("upsample", x, factor=(repeats, 1) if axis == 1 else (1, repeats))


def lower_slice(call, x, dim=0, start=None, end=None, step=1, length=None):
    """A part of a map along one axis."""
    axis, starts = dim % (len(call.shape) + 1) - 1, [0, 0, 0]
    if as_map(call.shape) == x.shape:
        return x
    if len(x.shape) != 3 or axis < 0 or step != 1:
        call.refuse("only maps can be cut, and without steps")
    starts[axis] = slice(start, None).indices(x.shape[axis])[0]
    return call.node("crop", x, start=tuple(starts))


def origin(node: Node) -> tuple[Node, tuple[int, int, int]]:
    """The map that a slice, perhaps of a map padded along H and W, was cut from, and where (c, h, w) the slice begins there."""
    start = (0, 0, 0)
    while isinstance(node, Crop):
        start, node = tuple(a + b for a, b in zip(start, node.parameters["start"])), node.inputs[0]
    while isinstance(node, Pad) and node.shape[0] == node.inputs[0].shape[0]:
        start, node = tuple(a - b for a, b in zip(start, node.parameters["start"])), node.inputs[0]
    return node, start


def lower_cat(call, tensors, dim=0):
    """Slices of one map become a shift.

    Others the sum of maps that are padded with zeros to the whole length, each behind the other: no operation of its own.
    """
    axis, shape, at, total = dim % (len(call.shape) + 1) - 1, as_map(call.shape), 0, None
    if len(shape) != 3 or axis < 0 or not all(isinstance(x, Node) for x in tensors):
        call.refuse("only maps can be joined, and not along the batch")
    sources, starts = zip(*map(origin, tensors))
    if axis == 0 and len(set(sources)) == 1:
        return call.node("shift", sources[0], runs=[(c, x.shape[0], dy, dx) for x, (c, dy, dx) in zip(tensors, starts)])
    one = torch.ones(shape[0], dtype=torch.float64)
    for x in tensors:
        part = call.node("pad", x, shape=shape, start=tuple(at * (i == axis) for i in range(3)))
        arrays = {"factor_a": one, "factor_b": one, "bias": 0 * one}
        total = part if total is None else call.node("add", total, part, arrays=arrays, shape=shape)
        at += x.shape[axis]
    return total


def lower_pad(call, x, pad, mode="constant", value=0.0):
    """Zeros around a map."""
    pad = [0] * (2 * (3 - len(call.shape))) + list(pad) + [0] * 6  # torch begins with the last axis
    if len(x.shape) != 3 or mode != "constant" or value or min(pad) < 0:
        call.refuse("a map can only be padded, and only with zeros")
    return call.node("pad", x, start=(pad[4], pad[2], pad[0]))


def lower_clamp(call, x, min=None, max=None, min_val=None, max_val=None):
    """ReLU and its kind: bounds that are fused into what gives x."""
    low, high = {"relu": (0, math.inf), "relu6": (0, 6), "hardtanh": (min_val, max_val)}.get(call.op, (min, max))
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        call.refuse("bounds must be numbers")
    result = call.like("clamp", x)
    result.node.clamp = (-math.inf if low is None else float(low), math.inf if high is None else float(high))
    return result


def lower_function(call, x, **_):
    """Any function of one number, as a table."""
    return call.like("lookup", x, function=call.evaluate)


def lower_identity(call, x, **_):
    """What changes nothing in inference."""
    return x


def lower_view(call, x, **_):
    """Shapes and orders of axes: nothing moves before somebody needs it (see `settle`)."""
    size = x.index.numel()
    first, second = call.evaluate(torch.stack([x.index, x.index + size]))  # two clips, told apart by their numbers
    if not torch.equal(first + size, second):
        call.refuse("it mixes the clips of a batch")
    return View(x.node, first)


FUNCTIONS = "sigmoid tanh hardsigmoid hardswish silu gelu leaky_relu elu selu celu softplus mish abs".split()
ARITHMETIC = "add sub rsub mul div neg".split()
PAIRS = frozenset(ARITHMETIC)  # those that may take a second activation; the weights of all others are constant
LOWER = {
    **dict.fromkeys(ARITHMETIC, lower_arithmetic),
    **dict.fromkeys("batch_norm _native_batch_norm_legit_no_training".split(), lower_batch_norm),
    **dict.fromkeys("relu relu6 hardtanh clamp clip clamp_min clamp_max".split(), lower_clamp),
    **dict.fromkeys(FUNCTIONS, lower_function),
    **dict.fromkeys("view reshape flatten unflatten squeeze unsqueeze permute transpose movedim mT channel_shuffle".split(), lower_view),
    **dict.fromkeys("dropout feature_dropout clone alias contiguous detach to".split(), lower_identity),
    "linear": lower_linear,
    "mean": lower_mean,
    "amax": lower_amax,
}
ON_VIEWS = frozenset(LOWER)  # those so far take a View and care for its order themselves; the others get a settled Node
LOWER |= {
    "conv1d": lower_conv1d,
    "conv2d": lower_conv2d,
    "max_pool1d": lower_max_pool1d,
    "max_pool2d": lower_max_pool2d,
    "avg_pool1d": lower_avg_pool1d,
    "avg_pool2d": lower_avg_pool2d,
    "adaptive_avg_pool1d": lower_adaptive_avg_pool,
    "adaptive_avg_pool2d": lower_adaptive_avg_pool,
    "upsample_nearest2d": lower_upsample_nearest2d,
    "repeat_interleave": lower_repeat_interleave,
    "expand": lower_expand,
    "slice": lower_slice,
    "narrow": lower_slice,
    "cat": lower_cat,
    "pad": lower_pad,
}
