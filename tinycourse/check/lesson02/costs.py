"""Checks of lesson 02: a layer's cost, and what a stack sees."""

import torch
from torch import nn

from tinycourse.check.core import exercise, expect
from tinycourse.training import profiling

# ------------------------------------------------------------------------------------------------- conv_cost


def counted_conv_cost(c_in: int, c_out: int, kernel: int, stride: int, groups: int, bias: bool, size: int) -> tuple[int, int]:
    """Parameters and multiply-adds: the layer is made, run once and looked at."""
    layer = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=bias)
    cost = profiling.profile(layer, torch.zeros(1, c_in, size, size))
    return cost.parameters, cost.multiply_adds


def formula(c_in, c_out, kernel, groups, bias, places, more=0):
    """What the wrong answers share: the two counts for so many places of the map, and `more` multiply-adds in each."""
    weights = c_out * (c_in // groups) * kernel * kernel
    return weights + bias * c_out, (weights + more) * places


def places_of(size, stride):
    """Places at which a padded kernel of odd size is put down, along both axes."""
    return ((size - 1) // stride + 1) ** 2


def stride_forgotten(c_in, c_out, kernel, stride, groups, bias, size):
    """The kernel is put down at every `stride`-th place only, along both axes: there are fewer multiply-adds, and as many weights."""
    return formula(c_in, c_out, kernel, groups, bias, size * size)


def stride_along_one_axis(c_in, c_out, kernel, stride, groups, bias, size):
    """The stride works along both axes: height and width of the map both shrink."""
    return formula(c_in, c_out, kernel, groups, bias, size * ((size - 1) // stride + 1))


def rounded_down(c_in, c_out, kernel, stride, groups, bias, size):
    """size // stride loses the last place where the stride does not divide the size: it is (size - 1) // stride + 1 with this padding."""
    return formula(c_in, c_out, kernel, groups, bias, (size // stride) ** 2)


def no_padding(c_in, c_out, kernel, stride, groups, bias, size):
    """The map is padded by kernel // 2 on all sides, so the kernel is put down at the borders, too."""
    return formula(c_in, c_out, kernel, groups, bias, ((size - kernel) // stride + 1) ** 2)


def groups_forgotten(c_in, c_out, kernel, stride, groups, bias, size):
    """With groups, an output channel looks at c_in / groups channels only: every kernel is that much thinner."""
    return formula(c_in, c_out, kernel, 1, bias, places_of(size, stride))


def groups_squared(c_in, c_out, kernel, stride, groups, bias, size):
    """Divided by the groups twice: c_in / groups is how thin a kernel is, but there are still c_out kernels in all."""
    weights = c_out * (c_in // groups) * kernel * kernel // groups
    return weights + bias * c_out, weights * places_of(size, stride)


def bias_forgotten(c_in, c_out, kernel, stride, groups, bias, size):
    """A bias is one parameter more for every output channel."""
    return formula(c_in, c_out, kernel, groups, False, places_of(size, stride))


def bias_for_every_weight(c_in, c_out, kernel, stride, groups, bias, size):
    """A bias belongs to an output channel: there are c_out of them, not one for each kernel of each input channel."""
    weights, work = formula(c_in, c_out, kernel, groups, False, places_of(size, stride))
    return weights + bias * c_out * c_in // groups, work


def bias_multiplied(c_in, c_out, kernel, stride, groups, bias, size):
    """Adding a bias is no multiply-add: the sum merely starts at the bias instead of 0."""
    return formula(c_in, c_out, kernel, groups, bias, places_of(size, stride), more=bias * c_out)


def two_operations(c_in, c_out, kernel, stride, groups, bias, size):
    """A multiplication and the addition after it are one multiply-add, not two operations."""
    weights, work = formula(c_in, c_out, kernel, groups, bias, places_of(size, stride))
    return weights, 2 * work


@exercise(
    reference=counted_conv_cost,
    wrong=[
        stride_forgotten,
        stride_along_one_axis,
        rounded_down,
        no_padding,
        groups_forgotten,
        groups_squared,
        bias_forgotten,
        bias_for_every_weight,
        bias_multiplied,
        two_operations,
    ],
)
def conv_cost(candidate, random):
    """conv_cost(c_in, c_out, kernel, stride, groups, bias, size) -> (parameters, multiply_adds), two integers, exact."""
    groups = int(random.integers(2, 5))
    c_in, c_out = (groups * int(random.integers(2, 6)) for _ in range(2))
    stride = int(random.integers(2, 4))
    size = stride * int(random.integers(5, 9)) + 1  # not a multiple
    cases = {
        "a plain 3x3 convolution": (c_in, c_out, 3, 1, 1, False, size),
        "5x5, with a bias": (c_in, c_out, 5, 1, 1, True, size),
        f"stride {stride}": (c_in, c_out, 3, stride, 1, False, size),
        f"{groups} groups": (c_in, c_out, 3, 1, groups, False, size),
        "depthwise": (c_in, c_in, 3, 1, c_in, True, size),
        "everything at once": (c_in, c_out, 5, stride, groups, True, size),
    }
    for case, arguments in cases.items():
        got = candidate(*arguments)
        expected = counted_conv_cost(*arguments)
        names = ("c_in", "c_out", "kernel", "stride", "groups", "bias", "size")
        said = f"{case}: " + ", ".join(f"{n}={a}" for n, a in zip(names, arguments))
        expect(isinstance(got, tuple) and got == expected, said, f"{expected}", f"{got!r:.80}")


# ------------------------------------------------------------------------------------------- receptive_field


def traced_receptive_field(layers: list[tuple[int, int, int]]) -> int:
    """Frames of the input that one output sees: all of them are written down, layer by layer, from the last to the first."""
    seen = {0}
    for kernel, stride, dilation in reversed(layers):
        seen = {place * stride + tap * dilation for place in seen for tap in range(kernel)}
    return max(seen) - min(seen) + 1


def grown(layers, step=lambda jump, stride: jump * stride, reach=lambda k, d: (k - 1) * d, own=False):
    """What the wrong answers share: growth layer by layer, with one rule changed."""
    size, jump = 1, 1
    for kernel, stride, dilation in layers:
        jump = step(jump, stride) if own else jump
        size += reach(kernel, dilation) * jump
        jump = jump if own else step(jump, stride)
    return size


def strides_ignored(layers):
    """After a stride neighbours lie further apart: every later layer reaches as many times further."""
    return grown(layers, step=lambda jump, stride: 1)


def dilation_ignored(layers):
    """A dilated kernel has gaps: with kernel k and dilation d it reaches over (k - 1) * d + 1 frames."""
    return grown(layers, reach=lambda k, d: k - 1)


def own_stride_first(layers):
    """A layer's stride spreads what comes after it: its own kernel still stands on neighbours."""
    return grown(layers, own=True)


def strides_added(layers):
    """Strides multiply: two layers of stride 2 leave every fourth frame."""
    return grown(layers, step=lambda jump, stride: jump + stride - 1)


def last_stride_only(layers):
    """All strides before a layer count, not only that of the layer right before it."""
    return grown(layers, step=lambda jump, stride: stride)


def whole_kernels_added(layers):
    """Neighbouring outputs share most of what they see: a kernel k adds k - 1 frames, not k."""
    return grown(layers, reach=lambda k, d: k * d)


def dilated_too_far(layers):
    """k * d is one gap too many: between k taps there are k - 1 gaps, so they reach over (k - 1) * d + 1 frames."""
    return grown(layers, reach=lambda k, d: k * d - 1)


def without_itself(layers):
    """One frame is missing: with no layer at all an output sees one frame."""
    return grown(layers) - 1


@exercise(
    reference=traced_receptive_field,
    wrong=[
        strides_ignored,
        dilation_ignored,
        own_stride_first,
        strides_added,
        last_stride_only,
        whole_kernels_added,
        dilated_too_far,
        without_itself,
    ],
)
def receptive_field(candidate, random):
    """receptive_field(layers [(kernel, stride, dilation), ...] from the input on) -> an integer, exact."""

    def kernel():
        return int(random.choice([3, 5, 7, 9]))

    cases = {
        "one layer": [(kernel(), 1, 1)],
        "a stack": [(kernel(), 1, 1) for _ in range(int(random.integers(3, 6)))],
        "one layer, dilated": [(kernel(), 1, int(random.integers(3, 6)))],
        "dilations that double": [(3, 1, 2**i) for i in range(int(random.integers(3, 6)))],
        "a stride at the end": [(kernel(), 1, 1), (kernel(), int(random.integers(2, 4)), 1)],
        "a stride in the middle": [(kernel(), 1, 1), (kernel(), int(random.integers(2, 4)), 1), (kernel(), 1, 1)],
        "three strides": [(kernel(), int(random.integers(2, 4)), 1) for _ in range(3)] + [(kernel(), 1, 1)],
        "everything": [(kernel(), int(random.integers(1, 3)), int(random.integers(1, 4))) for _ in range(6)],
    }
    for case, layers in cases.items():
        got = candidate(layers)
        expected = traced_receptive_field(layers)
        expect(got == expected, f"{case}: {layers}", f"{expected}", f"{got!r:.80}")
