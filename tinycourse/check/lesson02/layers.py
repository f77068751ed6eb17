"""Checks of lesson 02: a separable layer, and batch norm folded."""

import torch
from torch import Tensor
from torch.nn import functional as F

from tinycourse.check.core import UNIT, exercise, expect_array, expect_close

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
