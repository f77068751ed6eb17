"""Checks of lesson 02: a layer's cost, a separable layer, what a stack sees, batch norm folded, misses and false alarms."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinycourse.check.core import UNIT, exercise, expect, expect_array, expect_close
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


# ------------------------------------------------------------------------------------------------- separable


def slow_separable(x: Tensor, depthwise: Tensor, pointwise: Tensor) -> Tensor:
    """[C, H, W] to [D, H, W]: each number of the result by itself."""
    (c, h, w), k = x.shape, depthwise.shape[1]
    padded = F.pad(x, [k // 2] * 4)  # [C, H + k - 1, W + k - 1]
    result = torch.zeros(len(pointwise), h, w, dtype=x.dtype)
    for i in range(h):
        for j in range(w):
            own = torch.stack([(padded[n, i : i + k, j : j + k] * depthwise[n]).sum() for n in range(c)])  # [C]
            result[:, i, j] = pointwise @ own
    return result


def both_steps(x, depthwise, pointwise):
    """What the wrong answers share: the right way, in two convolutions."""
    y = F.conv2d(x[None], depthwise[:, None], padding=depthwise.shape[1] // 2, groups=len(x))
    return F.conv2d(y, pointwise[:, :, None, None])[0]


def pointwise_transposed(x, depthwise, pointwise):
    """pointwise is [D, C]: its row d says how much of every channel goes into output d."""
    return both_steps(x, depthwise, pointwise.T.contiguous())


def one_filter_for_all(x, depthwise, pointwise):
    """Every channel has a filter of its own: depthwise[c] belongs to channel c."""
    return both_steps(x, depthwise[:1].expand_as(depthwise), pointwise)


def channels_added_first(x, depthwise, pointwise):
    """The channels were added up before filtering: depthwise means that no channel sees another before the pointwise step."""
    return both_steps(x.sum(0, keepdim=True).expand_as(x), depthwise, pointwise)


def filters_turned(x, depthwise, pointwise):
    """The filters were turned around: what networks call convolution does not flip them."""
    return both_steps(x, depthwise.flip(1, 2), pointwise)


def filters_transposed(x, depthwise, pointwise):
    """Rows and columns of the filters are swapped: depthwise[c, i, j] belongs to the neighbour i rows and j columns on."""
    return both_steps(x, depthwise.transpose(1, 2).contiguous(), pointwise)


def not_padded(x, depthwise, pointwise):
    """The map shrank: pad with zeros, k // 2 on every side, so that it keeps its size."""
    y = F.conv2d(x[None], depthwise[:, None], groups=len(x))
    return F.conv2d(y, pointwise[:, :, None, None])[0]


def border_repeated(x, depthwise, pointwise):
    """Around the map there are zeros, not its border once more."""
    k = depthwise.shape[1]
    y = F.conv2d(F.pad(x[None], [k // 2] * 4, mode="replicate"), depthwise[:, None], groups=len(x))
    return F.conv2d(y, pointwise[:, :, None, None])[0]


def relu_between(x, depthwise, pointwise):
    """There is a ReLU between the two steps: networks do that, but here only the two convolutions are asked for."""
    y = F.conv2d(x[None], depthwise[:, None], padding=depthwise.shape[1] // 2, groups=len(x)).relu()
    return F.conv2d(y, pointwise[:, :, None, None])[0]


@exercise(
    reference=slow_separable,
    wrong=[
        pointwise_transposed,
        one_filter_for_all,
        channels_added_first,
        filters_turned,
        filters_transposed,
        not_padded,
        border_repeated,
        relu_between,
    ],
)
def separable(candidate, random):
    """separable(x float32 [C, H, W], depthwise [C, k, k], pointwise [D, C]) -> float32 [D, H, W].

    Bound: a float32 sum of n products is off by at most (n + 1) u of the sum of their sizes, u = 2**-24; here sums of k * k and of C
    numbers follow each other, in any order.
    """
    square, taller = (int(n) for n in random.integers(3, 6, 2))
    for case, c, d, k in (("as many channels as before", square, square, 3), ("more channels", square, square + taller, 5)):
        h, w = (int(n) for n in random.integers(6, 9, 2))
        x, depthwise, pointwise = (torch.tensor(random.normal(size=s), dtype=torch.float32) for s in ((c, h, w), (c, k, k), (d, c)))
        said = f"{case}: {c} to {d}, filters {k} x {k}, a map of {h} x {w}"
        got = candidate(x, depthwise, pointwise)
        expect_array(got, (d, h, w), torch.float32, said)
        expected = slow_separable(x.double(), depthwise.double(), pointwise.double())
        size = slow_separable(x.double().abs(), depthwise.double().abs(), pointwise.double().abs())
        expect_close(got, expected, UNIT * (k * k + c + 4) * size, said)


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


# ------------------------------------------------------------------------------------------------- fold_norm


def slow_fold_norm(layer: Tensor, scale: Tensor, shift: Tensor, mean: Tensor, variance: Tensor, eps: float) -> Tensor:
    """A layer [D, n + 1] and the batch norm after it as one layer [D, n + 1]: one row at a time."""
    folded = torch.zeros_like(layer)
    for d in range(len(layer)):
        factor = scale[d] / (variance[d] + eps) ** 0.5
        folded[d, :-1] = layer[d, :-1] * factor
        folded[d, -1] = (layer[d, -1] - mean[d]) * factor + shift[d]
    return folded


def without_bias(layer):
    """The layer with zeros in its last column."""
    return torch.cat([layer[:, :-1], torch.zeros(len(layer), 1)], 1)


def eps_forgotten(layer, scale, shift, mean, variance, eps):
    """eps is missing: it is added to the variance, and where a channel hardly varies it decides the result."""
    return slow_fold_norm(layer, scale, shift, mean, variance, 0.0)


def eps_outside(layer, scale, shift, mean, variance, eps):
    """eps is added to the variance, inside of the square root."""
    return slow_fold_norm(layer, scale, shift, mean, (variance.sqrt() + eps) ** 2, 0.0)


def variance_not_rooted(layer, scale, shift, mean, variance, eps):
    """Batch norm divides by the deviation, which is the root of the variance."""
    return slow_fold_norm(layer, scale, shift, mean, (variance + eps) ** 2, 0.0)


def mean_forgotten(layer, scale, shift, mean, variance, eps):
    """Batch norm subtracts the mean before it scales: so the folded bias holds - mean * factor."""
    return slow_fold_norm(layer, scale, shift, 0 * mean, variance, eps)


def mean_unscaled(layer, scale, shift, mean, variance, eps):
    """The mean is subtracted before scaling: it is multiplied by the factor as well."""
    return slow_fold_norm(layer, scale, shift - mean, 0 * mean, variance, eps)


def bias_unscaled(layer, scale, shift, mean, variance, eps):
    """The layer's own bias goes through batch norm too: it is multiplied by the factor."""
    return slow_fold_norm(without_bias(layer), scale, shift + layer[:, -1], mean, variance, eps)


def bias_lost(layer, scale, shift, mean, variance, eps):
    """The layer's own bias, in the last column, is lost."""
    return slow_fold_norm(without_bias(layer), scale, shift, mean, variance, eps)


def shift_scaled(layer, scale, shift, mean, variance, eps):
    """The shift comes last: it is not multiplied."""
    return slow_fold_norm(layer, scale, 0 * shift, mean - shift, variance, eps)


def scale_forgotten(layer, scale, shift, mean, variance, eps):
    """After dividing by the deviation batch norm multiplies by its learned scale."""
    return slow_fold_norm(layer, torch.ones_like(scale), shift, mean, variance, eps)


@exercise(
    reference=slow_fold_norm,
    wrong=[
        eps_forgotten,
        eps_outside,
        variance_not_rooted,
        mean_forgotten,
        mean_unscaled,
        bias_unscaled,
        bias_lost,
        shift_scaled,
        scale_forgotten,
    ],
)
def fold_norm(candidate, random):
    """fold_norm(layer float32 [D, n + 1], scale [D], shift [D], mean [D], variance [D], eps) -> float32 [D, n + 1].

    Bound: factor = scale / sqrt(variance + eps) takes four roundings of u = 2**-24, each product one more, and the bias is a sum of
    three numbers: 8 u of the sizes that are added cover every usual order.
    """
    d, n = (int(v) for v in random.integers(3, 8, 2))
    for case, variances in (("channels that vary", (0.5, 4.0)), ("channels that hardly vary", (1e-4, 1e-3))):
        layer, scale, shift, mean = (random.uniform(0.5, 2, s) * random.choice([-1, 1], s) for s in ((d, n + 1), d, d, d))
        variance, eps = random.uniform(*variances, d), 1e-3
        given = [torch.tensor(a, dtype=torch.float32) for a in (layer, scale, shift, mean, variance)]
        got = candidate(*given, eps)
        said = f"{case}: {d} outputs of {n} inputs"
        expect_array(got, (d, n + 1), torch.float32, said)
        exact = [a.double() for a in given]
        weights, factor, added, subtracted, variance = (a.abs() for a in exact)
        size = slow_fold_norm(weights, factor, added, -subtracted, variance, eps)
        expect_close(got, slow_fold_norm(*exact, eps), 8 * UNIT * size, said)


# ------------------------------------------------------------------------------------------- operating_point


def slow_operating_point(
    score: Tensor, hop: float, spoken: list[tuple[float, float]], threshold: float, refractory: float, tolerance: float
) -> tuple[float, float]:
    """Share of words that were missed, and false alarms an hour: window by window."""
    fired, free = [], list(spoken)
    for i, value in enumerate(score.tolist()):
        time = 1 + i * hop
        if value >= threshold and (not fired or time - fired[-1] >= refractory):
            fired.append(time)
    alarms = 0
    for time in fired:
        claimed = [word for word in free if word[0] <= time <= word[1] + tolerance]
        if claimed:
            free.remove(claimed[0])
        else:
            alarms += 1
    seconds = 1 + (len(score) - 1) * hop
    return len(free) / len(spoken), alarms / (seconds / 3600)


def firing(score, hop, threshold, refractory, restart=False, above=False, longer=False):
    """What the wrong answers share: the instants of detections; `restart`, `above` and `longer` change a rule."""
    fired, last = [], -1e9
    for i, value in enumerate(score.tolist()):
        time, over = 1 + i * hop, value > threshold if above else value >= threshold
        if over and (time - last > refractory or (time - last == refractory and not longer)):
            fired.append(time)
            last = time
        elif over and restart:
            last = time
    return fired


def matching(fired, spoken, tolerance, again=False):
    """What the wrong answers share: (hits, words that were found, false alarms); with `again` a word may be claimed more than once."""
    hits, found, alarms = 0, set(), 0
    for time in fired:
        claimed = [w for w in spoken if w[0] <= time <= w[1] + tolerance and (again or w not in found)]
        found.update(claimed[:1])
        hits, alarms = hits + bool(claimed), alarms + (not claimed)
    return hits, len(found), alarms


def judged(score, hop, spoken, threshold, refractory, tolerance, again=False, **rules):
    """What the wrong answers share: (misses, alarms an hour) with a rule of `firing` or `matching` changed."""
    _, found, alarms = matching(firing(score, hop, threshold, refractory, **rules), spoken, tolerance, again)
    return 1 - found / len(spoken), alarms * 3600 / (1 + (len(score) - 1) * hop)


def every_window_counts(score, hop, spoken, threshold, refractory, tolerance):
    """One word keeps the score up for several windows: after a detection the device is deaf for `refractory` seconds."""
    return judged(score, hop, spoken, threshold, 0, tolerance)


def deafness_restarts(*given):
    """The deaf time counts from the last detection: a high score while the device is deaf does not make it longer."""
    return judged(*given, restart=True)


def deaf_too_long(*given):
    """The device fires again as soon as `refractory` seconds have passed: compare with >=, not with >."""
    return judged(*given, longer=True)


def strictly_above(*given):
    """A score equal to the threshold fires, too."""
    return judged(*given, above=True)


def found_twice(*given):
    """A word that was said once and detected twice is one hit and one false alarm: the device acted twice."""
    return judged(*given, again=True)


def no_tolerance(score, hop, spoken, threshold, refractory, tolerance):
    """A window that ends up to `tolerance` seconds after the word still has it in view: that is a hit."""
    return judged(score, hop, spoken, threshold, refractory, 0)


def share_of_detections(score, hop, spoken, threshold, refractory, tolerance):
    """The miss rate is a share of the words that were spoken, not of the detections."""
    fired = firing(score, hop, threshold, refractory)
    hits, _, _ = matching(fired, spoken, tolerance)
    return 1 - hits / len(fired), judged(score, hop, spoken, threshold, refractory, tolerance)[1]


def hits_instead_of_misses(*given):
    """This is the share that was found: asked for is the share that was missed."""
    misses, alarms = judged(*given)
    return 1 - misses, alarms


def windows_as_seconds(score, hop, spoken, threshold, refractory, tolerance):
    """A window comes every `hop` seconds, so N windows are not N seconds: the recording lasts 1 + (N - 1) * hop."""
    misses, alarms = alarms_not_per_hour(score, hop, spoken, threshold, refractory, tolerance)
    return misses, alarms * 3600 / len(score)


def first_window_forgotten(score, hop, spoken, threshold, refractory, tolerance):
    """The first window alone lasts a second: N windows last 1 + (N - 1) * hop seconds, not N * hop."""
    misses, alarms = alarms_not_per_hour(score, hop, spoken, threshold, refractory, tolerance)
    return misses, alarms * 3600 / (len(score) * hop)


def alarms_not_per_hour(score, hop, spoken, threshold, refractory, tolerance):
    """This is the number of false alarms: divide by the hours that the recording lasts."""
    _, found, alarms = matching(firing(score, hop, threshold, refractory), spoken, tolerance)
    return 1 - found / len(spoken), float(alarms)


def per_window(score, hop, spoken, threshold, refractory, tolerance):
    """False alarms for each window depend on how often the device looks, which means nothing to its owner: count them by the hour."""
    misses, alarms = alarms_not_per_hour(score, hop, spoken, threshold, refractory, tolerance)
    return misses, alarms / len(score)


SLOT = 28  # windows that each event of a trial has for itself


@exercise(
    reference=slow_operating_point,
    wrong=[
        every_window_counts,
        deafness_restarts,
        deaf_too_long,
        strictly_above,
        found_twice,
        no_tolerance,
        share_of_detections,
        hits_instead_of_misses,
        windows_as_seconds,
        first_window_forgotten,
        alarms_not_per_hour,
        per_window,
    ],
)
def operating_point(candidate, random):
    """operating_point(score float32 [N], hop, spoken [(start, end), ...], threshold, refractory, tolerance) -> (misses, alarms an hour).

    All instants are drawn so that no comparison of times is close; `hop` and `refractory` are sums of powers of two, and exact.
    Bound: two or three divisions of float64, 1e-12 of the result.
    """
    hop, refractory, tolerance = 0.25, float(random.choice([1.0, 1.25])), float(random.choice([0.4, 0.5]))
    deaf = round(refractory / hop)  # windows
    threshold = float(random.integers(6, 13)) / 16
    events = {  # windows that reach the threshold, counted from the slot's own; a word that begins and ends so many seconds from there
        "a word, found at once": ([0, 1, 2], (-0.6, 0.4)),
        "a word that nobody heard": ([], (-0.6, 0.4)),
        "two false alarms": ([0, deaf], None),
        "a word, found twice": ([0, deaf], (-0.1, 0.9)),
        "a false alarm that does not end": (list(range(deaf + 2)), None),
        "a word, found after its end": ([0], (-1.2, -0.2)),
        "a word, found too late": ([0, 1], (-1.65, -0.65)),
        "a word that just reaches the threshold": (["equal"], (-0.6, 0.4)),
    }
    for case, kinds in (*((kind, [kind]) for kind in events), ("all of these, one after the other", list(events) * 2)):
        kinds = [*kinds, "a word, found at once"]
        random.shuffle(kinds)
        score = threshold * random.uniform(0, 0.95, SLOT * len(kinds) + int(random.integers(10)))
        spoken = []
        for i, kind in enumerate(kinds):
            at, (windows, word) = SLOT * i + 10, events[kind]
            for k in windows:
                score[at if k == "equal" else at + k] = threshold if k == "equal" else random.uniform(threshold + 0.02, 1)
            spoken += [(1 + at * hop + word[0], 1 + at * hop + word[1])] if word else []
        score = torch.tensor(score, dtype=torch.float32)
        got = candidate(score, hop, spoken, threshold, refractory, tolerance)
        said = f"{case}: {len(spoken)} words, refractory = {refractory}, tolerance = {tolerance}, {len(score)} windows"
        pair = isinstance(got, tuple) and len(got) == 2 and all(isinstance(v, float | int) for v in got)
        expect(pair, said, "a tuple of two numbers", f"{got!r:.80}")
        expected = slow_operating_point(score, hop, spoken, threshold, refractory, tolerance)
        for name, one, other in zip(("misses", "false alarms an hour"), got, expected):
            expect_close(one, other, 1e-12 * max(1.0, other), f"{said}; {name}")
