"""Checks of lesson 03: the steps of an attention condenser, shifted copies, and the count of a network's weights."""

import torch
from torch import Tensor
from torch.nn import functional as F

from tinycourse.check.core import UNIT, exercise, expect, expect_array, expect_close

EXACT = 1e-30  # a bound for copies, which are not rounded at all


def drawn(random, *shape: int) -> Tensor:
    """Random numbers, float32."""
    return torch.tensor(random.normal(size=shape), dtype=torch.float32)


# ------------------------------------------------------------------------------------------------ condense


def slow_condense(v: Tensor, pool: tuple[int, int]) -> Tensor:
    """The maximum of every window of V [B, C, H, W], windows cut off at the far edges: [B, C, ceil(H / ph), ceil(W / pw)]."""
    h, w = (-(-size // window) for size, window in zip(v.shape[2:], pool))
    q = torch.zeros(*v.shape[:2], h, w)
    for i in range(h):
        for j in range(w):
            window = v[:, :, i * pool[0] : (i + 1) * pool[0], j * pool[1] : (j + 1) * pool[1]]
            q[:, :, i, j] = window.amax((2, 3))
    return q


def edge_lost(v, pool):
    """What is left over at the end of an axis got lost: a window that is not full counts, too (ceil_mode=True)."""
    return F.max_pool2d(v, pool)


def averaged(v, pool):
    """This is the mean of each window: condensation keeps the strongest activation, the maximum."""
    return F.avg_pool2d(v, pool, ceil_mode=True, count_include_pad=False)


def axes_swapped(v, pool):
    """The window is turned: pool[0] belongs to the frames (dimension 2), pool[1] to the bands (dimension 3)."""
    return F.max_pool2d(v, pool[::-1], ceil_mode=True)


def filled_with_zeros(v, pool):
    """The edge was filled up with zeros: where all activations of a window are negative the zero wins. Nothing lies beyond the edge."""
    ph, pw = pool
    return F.max_pool2d(F.pad(v, (0, -v.shape[3] % pw, 0, -v.shape[2] % ph)), pool)


def every_position(v, pool):
    """The windows overlap: the next one begins where this one ends (stride = window), or the map does not get smaller."""
    return F.max_pool2d(v, pool, stride=1)


def over_channels(v, pool):
    """The channels were merged as well: every channel is condensed on its own."""
    return F.max_pool2d(v, pool, ceil_mode=True).amax(1, keepdim=True)


def strongest_size(v, pool):
    """The maximum of the absolute values lost the sign: take the maximum of the activations themselves."""
    return F.max_pool2d(v.abs(), pool, ceil_mode=True)


@exercise(
    reference=slow_condense,
    wrong=[edge_lost, averaged, axes_swapped, filled_with_zeros, every_position, over_channels, strongest_size],
)
def condense(candidate, random):
    """condense(v float32 [B, C, H, W], pool) -> float32 [B, C, ceil(H / ph), ceil(W / pw)]. A maximum is a copy: exact."""
    ph = int(random.integers(2, 4))
    pw = ph + int(random.integers(1, 3))
    h, w = ph * int(random.integers(3, 5)), pw * int(random.integers(3, 5))
    cases = {
        "windows that fit": (drawn(random, 2, 3, h, w), (ph, pw)),
        "one row and one column too many": (drawn(random, 2, 3, h + 1, w + 1), (ph, pw)),
        "negative activations only": (-drawn(random, 2, 3, h + 1, w + 1).abs() - 0.1, (ph, pw)),
        "a window as high as the map": (drawn(random, 1, 2, h, w), (h, 1)),
    }
    for case, (v, pool) in cases.items():
        said = f"{case}: V {list(v.shape)}, window {pool}"
        expected = slow_condense(v, pool)
        got = candidate(v, pool)
        expect_array(got, expected.shape, torch.float32, said)
        expect_close(got, expected, EXACT, said)


# -------------------------------------------------------------------------------------------------- expand


def slow_expand(k: Tensor, pool: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Every value of K [B, b, h, w] over the window it came from: [B, b, *size]."""
    a = torch.zeros(*k.shape[:2], *size)
    for i in range(size[0]):
        for j in range(size[1]):
            a[:, :, i, j] = k[:, :, i // pool[0], j // pool[1]]
    return a


def not_cut(k, pool, size):
    """The result is larger than asked for: cut off what the last window has too much, [:, :, :H, :W]."""
    return F.interpolate(k, scale_factor=tuple(map(float, pool)))


def tiled(k, pool, size):
    """The whole map was repeated side by side: every single value has to be repeated, so that it fills its own window."""
    return k.repeat(1, 1, *pool)[:, :, : size[0], : size[1]]


def smoothed(k, pool, size):
    """Values in between were interpolated: within a window all values are equal."""
    return F.interpolate(k, scale_factor=tuple(map(float, pool)), mode="bilinear")[:, :, : size[0], : size[1]]


def stretched(k, pool, size):
    """The map was stretched to the size, so all windows got a little shorter where the last one is not full: repeat, then cut."""
    return F.interpolate(k, size=size)


def corners(k, pool, size):
    """Only one place of each window got the value, the others are 0: fill the whole window."""
    a = torch.zeros(*k.shape[:2], k.shape[2] * pool[0], k.shape[3] * pool[1])
    a[:, :, :: pool[0], :: pool[1]] = k
    return a[:, :, : size[0], : size[1]]


def shared_out(k, pool, size):
    """The value was divided among the places of its window: every place gets the whole value."""
    return slow_expand(k, pool, size) / (pool[0] * pool[1])


@exercise(reference=slow_expand, wrong=[not_cut, tiled, smoothed, stretched, corners, shared_out])
def expand(candidate, random):
    """expand(k float32 [B, b, h, w], pool, size) -> float32 [B, b, *size]; size is that of V. Copies are exact."""
    ph, pw = (int(n) for n in random.integers(2, 5, 2))
    h, w = (int(n) for n in random.integers(4, 7, 2))
    cases = {
        "windows that fit": ((ph, pw), (h * ph, w * pw)),
        "the last windows are not full": ((ph + 2, pw + 2), (h * (ph + 2) - ph - 1, w * (pw + 2) - pw - 1)),
        "a window of one band": ((ph, 1), (h * ph, w)),
    }
    for case, (pool, size) in cases.items():
        k = drawn(random, 2, 3, h, w)
        said = f"{case}: K {list(k.shape)}, window {pool}, size {size}"
        got = candidate(k, pool, size)
        expect_array(got, (2, 3, *size), torch.float32, said)
        expect_close(got, slow_expand(k, pool, size), EXACT, said)


# -------------------------------------------------------------------------------------------------- attend


def matched(v: Tensor, channels: int) -> Tensor:
    """The first `channels` of V, or V and zeros."""
    return F.pad(v, (0, 0, 0, 0, 0, max(0, channels - v.shape[1])))[:, :channels]


def slow_attend(v: Tensor, a: Tensor, s: Tensor) -> Tensor:
    """S * V + A, channel by channel; where V has fewer channels than A there is A alone."""
    out = a.clone()
    for channel in range(min(v.shape[1], a.shape[1])):
        out[:, channel] = s[channel] * v[:, channel] + a[:, channel]
    return out


def gate(v, a, s):
    """This gate, S V sigmoid(A) + V, tends to V as S goes to 0: the paper says that V' tends to A."""
    v = matched(v, a.shape[1])
    return s[:, None, None] * v * torch.sigmoid(a) + v


def gated_add(v, a, s):
    """S V sigmoid(A) + A has the right limit, but it is another form than the one asked for: S V + A."""
    return s[:, None, None] * matched(v, a.shape[1]) * torch.sigmoid(a) + a


def product(v, a, s):
    """S V A tends to 0 as S goes to 0: A has to be added."""
    return s[:, None, None] * matched(v, a.shape[1]) * a


def scaled_attention(v, a, s):
    """S scales A here, so that V' tends to V: S belongs to V."""
    return matched(v, a.shape[1]) + s[:, None, None] * a


def both_scaled(v, a, s):
    """S scales the sum, which tends to 0 as S goes to 0: S belongs to V alone."""
    return s[:, None, None] * (matched(v, a.shape[1]) + a)


def along_the_bands(v, a, s):
    """S was laid along the last axis, the bands: it has one number for each channel, so give it the shape [b, 1, 1]."""
    return s * matched(v, a.shape[1]) + a


def last_channels(v, a, s):
    """Of too many channels of V the last ones were kept: keep the first ones."""
    return s[:, None, None] * matched(v[:, -a.shape[1] :], a.shape[1]) + a


def repeated(v, a, s):
    """Where V has too few channels it was repeated: fill up with zeros."""
    return s[:, None, None] * v[:, torch.arange(a.shape[1]) % v.shape[1]] + a


@exercise(
    reference=slow_attend,
    wrong=[gate, gated_add, product, scaled_attention, both_scaled, along_the_bands, last_channels, repeated],
)
def attend(candidate, random):
    """attend(v float32 [B, C, H, W], a float32 [B, b, H, W], s float32 [b]) -> float32 [B, b, H, W].

    Bound: a product and a sum, each rounded once: 2 u (|s v| + |a|) covers them in any order.
    """
    b = int(random.integers(3, 6))
    few, many = b - int(random.integers(1, b - 1)), b + int(random.integers(1, 4))
    cases = {
        "V has more channels than A": (many, drawn(random, b)),
        "V has fewer channels than A": (few, drawn(random, b)),
        "as many of both": (b, drawn(random, b)),
        "S = 0": (b, torch.zeros(b)),
    }
    for case, (c, s) in cases.items():
        v, a = drawn(random, 2, c, 7, b), drawn(random, 2, b, 7, b)
        got = candidate(v, a, s)
        said = f"{case}: V {list(v.shape)}, A {list(a.shape)}"
        expect_array(got, a.shape, torch.float32, said)
        bound = 2 * UNIT * ((s[:, None, None] * matched(v, b)).abs() + a.abs()) + EXACT
        expect_close(got, slow_attend(v, a, s), bound, said)


# ---------------------------------------------------------------------------------------------- look_aside


def slow_look_aside(q: Tensor, distance: int) -> Tensor:
    """First all channels of `distance` frames ago, then those of `distance` frames later; outside there are zeros."""
    b, c, h, w = q.shape
    out = torch.zeros(b, 2 * c, h, w)
    for t in range(h):
        if t - distance >= 0:
            out[:, :c, t] = q[:, :, t - distance]
        if t + distance < h:
            out[:, c:, t] = q[:, :, t + distance]
    return out


def around_the_edge(q, distance):
    """What leaves the map at one end comes back at the other: torch.roll() goes round in a circle. Outside there are zeros."""
    return torch.cat([q.roll(distance, 2), q.roll(-distance, 2)], 1)


def sides_swapped(q, distance):
    """The sides are swapped: the first copy looks back, so what it has at frame t was at frame t - distance."""
    back, ahead = slow_look_aside(q, distance).chunk(2, 1)
    return torch.cat([ahead, back], 1)


def up_and_down(q, distance):
    """The copies were moved along the bands (dimension 3): here they look along time, dimension 2."""
    return slow_look_aside(q.transpose(2, 3), distance).transpose(2, 3).contiguous()


def edge_repeated(q, distance):
    """The first and the last frame were repeated beyond the edge: outside there are zeros."""
    frames = torch.arange(q.shape[2])
    return torch.cat([q[:, :, (frames + d).clamp(0, q.shape[2] - 1)] for d in (-distance, distance)], 1)


def twins_side_by_side(q, distance):
    """The two copies of a channel stand side by side: first all channels that look back, then all that look ahead."""
    return torch.stack(slow_look_aside(q, distance).chunk(2, 1), 2).flatten(1, 2)


def added_up(q, distance):
    """The two copies were added up, so past and future cannot be told apart: put them behind each other (torch.cat)."""
    back, ahead = slow_look_aside(q, distance).chunk(2, 1)
    return back + ahead


def always_one(q, distance):
    """The copies are shifted by one frame, whatever `distance` says."""
    return slow_look_aside(q, 1)


@exercise(
    reference=slow_look_aside,
    wrong=[around_the_edge, sides_swapped, up_and_down, edge_repeated, twins_side_by_side, added_up, always_one],
)
def look_aside(candidate, random):
    """look_aside(q float32 [B, C, H, W], distance >= 1) -> float32 [B, 2 C, H, W]. Copies are exact."""
    for distance in (2, 1, int(random.integers(3, 5))):
        shape = (2, int(random.integers(2, 5)), int(random.integers(8, 12)), int(random.integers(5, 8)))
        q = drawn(random, *shape)
        said = f"distance {distance}, Q {list(shape)}"
        got = candidate(q, distance)
        expected = slow_look_aside(q, distance)
        expect_array(got, expected.shape, torch.float32, said)
        expect_close(got, expected, EXACT, said)


# ------------------------------------------------------------------------------------------- count_weights

Blocks = tuple[tuple[tuple[int, int], tuple[int, int]], ...]


def slow_count_weights(stem: int, blocks: Blocks, last: int, classes: int) -> int:
    """Weights of a TinySpeech in the reading that fits: layer by layer."""
    layers, channels = [3 * 3 * 1 * stem], stem
    for block in blocks:
        for a, b in block:
            layers += [a * 1, a * b]  # one weight for each channel of the grouped convolution; the pointwise one is dense
            channels = b
    layers += [3 * 3 * channels * last, last * classes]
    return sum(layers)


def with_biases(stem, blocks, last, classes):
    """A bias for every output channel was counted: the reading that fits counts weights alone."""
    return slow_count_weights(stem, blocks, last, classes) + stem + sum(a + b for pair in blocks for a, b in pair) + last + classes


def three_by_three(stem, blocks, last, classes):
    """The grouped convolution was counted with 3x3 kernels: in the reading that fits it is 1x1, one weight a channel."""
    return slow_count_weights(stem, blocks, last, classes) + 8 * sum(a for pair in blocks for a, _ in pair)


def grouped_as_dense(stem, blocks, last, classes):
    """The grouped convolution was counted as if every output saw every input channel: it sees one, so it has `a` weights."""
    total, channels = slow_count_weights(stem, blocks, last, classes), stem
    for a, b in (pair for block in blocks for pair in block):
        total += a * channels - a
        channels = b
    return total


def grouped_forgotten(stem, blocks, last, classes):
    """The grouped convolution is missing: it has one weight for each of its `a` channels."""
    return slow_count_weights(stem, blocks, last, classes) - sum(a for pair in blocks for a, _ in pair)


def last_sees_the_stem(stem, blocks, last, classes):
    """The last convolution was given the stem's channels: its input is what the last condenser gives."""
    return slow_count_weights(stem, blocks, last, classes) + 9 * last * (stem - blocks[-1][1][1])


def last_pointwise(stem, blocks, last, classes):
    """The last convolution was counted as 1x1: it is 3x3, nine weights for each pair of channels."""
    return slow_count_weights(stem, blocks, last, classes) - 8 * last * blocks[-1][1][1]


def average_forgotten(stem, blocks, last, classes):
    """The classifier was given the whole map, 26 x 10 places: the average before it leaves one number for each channel."""
    return slow_count_weights(stem, blocks, last, classes) + last * classes * (26 * 10 - 1)


@exercise(
    reference=slow_count_weights,
    wrong=[
        with_biases,
        three_by_three,
        grouped_as_dense,
        grouped_forgotten,
        last_sees_the_stem,
        last_pointwise,
        average_forgotten,
    ],
)
def count_weights(candidate, random):
    """count_weights(stem, blocks, last, classes) -> int, exactly."""
    for case in ("one block", "two blocks", "four blocks"):
        depth = {"one block": 1, "two blocks": 2, "four blocks": 4}[case]
        stem, last = int(random.integers(5, 12)), int(random.integers(13, 40))
        blocks, channels = (), stem
        for _ in range(depth):
            middle, end = int(random.integers(2, 12)), stem + int(random.integers(1, 6))
            blocks += (((2 * channels, middle), (2 * middle, end)),)
            channels = end
        classes = int(random.integers(2, 13))
        got = candidate(stem, blocks, last, classes)
        expect(type(got) is int, case, "an int", f"{got!r:.60}", "The result has another type than asked for.")
        said = f"{case}: stem {stem}, blocks {blocks}, last {last}, {classes} classes"
        expected = slow_count_weights(stem, blocks, last, classes)
        expect(got == expected, said, f"{expected}", f"{got}")
