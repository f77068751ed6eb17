"""Attention condensers and TinySpeech (Wong, Famouri, Pavlova, Surana 2020, arXiv 2008.04245).

A condenser looks at its input through a much smaller map: pool (condense), mix (embed), unpool (expand), and lets
the result decide, together with the input itself, what is passed on (selective attention).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Offset = tuple[int, int]  # frames, bands


@dataclass(frozen=True)
class TinySpeechConfig:
    """A network of figure 2 of the paper, and what the paper leaves open.

    Numbers of channels are the figure's: `stem`, for every block ((a, b), (c, d)) the grouped and the pointwise convolution
    of its two condensers, and `last`. The rest is ours to choose. Lesson 03 measures what each choice brings.
    """

    stem: int
    blocks: tuple[tuple[tuple[int, int], tuple[int, int]], ...]
    last: int
    kernel: int = 1  # of the grouped convolution; 1 gives the published parameter counts
    form: str = "add"  # of selective attention, one of FORMS
    activation: str = "silu"  # behind the last convolution: a function of torch.nn.functional
    stem_pool: tuple[int, int] = (2, 2)  # max pooling behind the stem: 101 x 40 features become 26 x 10
    pools: tuple[tuple[int, int], ...] = ((2, 1), (1, 10))  # (time, frequency) windows of a block's two condensers
    bands: tuple[int, ...] = (1, 2, 4)  # how far the first condenser of a block looks up and down
    frames: tuple[int, ...] = (1, 2, 4)  # how far the second one looks back and ahead

    @property
    def offsets(self) -> tuple[list[tuple[Offset, Offset]], list[tuple[Offset, Offset]]]:
        """Where the two condensers of a block look: pairs of offsets, for each of which there is a share of the channels."""
        near, far = [((0, -n), (0, n)) for n in self.bands], [((-n, 0), (n, 0)) for n in self.frames]
        return far[:1] + near, far


class AttentionCondenser(nn.Module):
    """V [B, C, H, W] to V' [B, b, H, W] (paper, section 2).

    Q = C(V)          condensation: max pooling
    K = E(Q)          embedding: grouped convolution to `a` = 2 C channels, then pointwise to `b`
    A = X(K)          expansion: unpooling
    V' = F(V, A, S)   selective attention: S * V + A, which tends to A as S tends to 0

    A grouped convolution with two weights a channel makes two copies of each. Where those weights sit the paper does not say:
    here the copies look aside, in opposite directions, so that the pointwise convolution compares what was with what comes.
    """

    def __init__(
        self,
        channels: int,
        a: int,
        b: int,
        pool: tuple[int, int],  # a window of 0 bands is all of them
        offsets: list,
        kernel: int | tuple[int, int] = 1,
        form: str = "add",
        dilation: tuple[int, int] = (1, 1),
        condense: str = "max",  # or "mean", where the window is all bands
        activation: str = "relu",
    ):
        super().__init__()
        self.pool, self.offsets, self.select = pool, offsets, FORMS[form]
        self.copies, self.condense, self.activation = a // channels, condense, getattr(F, activation)
        kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = tuple(k // 2 * d for k, d in zip(kernel, dilation))
        self.grouped = GroupedConvolution(a, a, kernel, padding=padding, dilation=dilation, groups=a, bias=False)
        self.grouped_norm = nn.BatchNorm2d(a)
        self.pointwise = nn.Conv2d(a, b, 1, bias=False)
        self.pointwise_norm = nn.BatchNorm2d(b)
        self.scale = nn.Parameter(torch.ones(b, 1, 1))  # S, one for each channel
        self.norm = nn.BatchNorm2d(b)

    def forward(self, v: Tensor) -> Tensor:
        """V' alone: [B, C, H, W] to [B, b, H, W]."""
        return self.steps(v)["V'"]

    def steps(self, v: Tensor) -> dict[str, Tensor]:
        """V and the maps after each step, in order: Q, K, A, V'. A of a window of all bands is left at one band: [B, b, H, 1]."""
        q = condense(v, self.pool, self.condense)  # [B, C, H / ph, W / pw]
        copies = q if self.copies == 1 else look_aside(q, self.offsets)  # [B, a, H / ph, W / pw]
        k = self.activation(self.grouped_norm(self.grouped(copies)))  # [B, a, H / ph, W / pw]
        k = self.pointwise_norm(self.pointwise(k))  # [B, b, H / ph, W / pw]
        a = unpool(k, self.pool, v.shape[2:])  # [B, b, H, W]
        chosen = self.norm(self.select(match_channels(v, a.shape[1]), a, self.scale))  # [B, b, H, W]
        return {"V": v, "Q": q, "K": k, "A": a, "V'": chosen}


class GroupedConvolution(nn.Conv2d):
    """A kernel for each channel. One of a single weight is a product, which trains three times as fast (benchmarks/training_step.py)."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to the same."""
        if self.training and self.kernel_size == (1, 1):
            return x * self.weight[:, 0]
        return super().forward(x)


FORMS = {  # F(V, A, S): the paper draws one node marked x / +
    "add": lambda v, a, s: s * v + a,
    "gate": lambda v, a, s: s * v * torch.sigmoid(a) + v,  # a public re-implementation; tends to V, not to A
    "gated add": lambda v, a, s: s * v * torch.sigmoid(a) + a,
}


def look_aside(x: Tensor, pairs: list[tuple[Offset, Offset]]) -> Tensor:
    """Every channel twice, moved by its pair of offsets (frames, bands): [B, C, H, W] -> [B, 2 C, H, W].

    The channels are shared out among the pairs. What lies outside of the map is 0. Costs no weight and no multiply-add
    (Wu et al. 2018, arXiv 1711.08141, call it shift).
    """
    c, h, w = x.shape[1:]
    dh, dw = (max(abs(offset[axis]) for pair in pairs for offset in pair) for axis in (0, 1))
    x = F.pad(x, (dw, dw, dh, dh))
    shares = [(i * c // len(pairs), (i + 1) * c // len(pairs)) for i in range(len(pairs))]
    moved = [
        x[:, start:stop, dh + t : dh + t + h, dw + f : dw + f + w]
        for (start, stop), pair in zip(shares, pairs)
        for t, f in pair
        if start < stop
    ]  # fmt: skip
    return torch.cat(moved, 1)


def condense(x: Tensor, pool: tuple[int, int], how: str = "max") -> Tensor:
    """The strongest of every window, or the mean of all bands: [B, C, H, W] -> [B, C, H / ph, W / pw], W / pw = 1 for pw = 0."""
    if pool == (1, 1):
        return x
    if pool[1] == 0:
        return x.amax(3, keepdim=True) if how == "max" else x.mean(3, keepdim=True)
    return F.max_pool2d(x, pool, ceil_mode=True)


def unpool(x: Tensor, pool: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Repeat every value over the window it came from: [B, C, h, w] -> [B, C, *size]; over all bands, sums and products do that."""
    if pool == (1, 1) or pool[1] == 0:
        return x
    return F.interpolate(x, scale_factor=pool)[:, :, : size[0], : size[1]]


def match_channels(x: Tensor, channels: int) -> Tensor:
    """The first `channels` of x, or x and zeros: the way to add maps of different depth that costs no parameter."""
    missing = channels - x.shape[1]
    return F.pad(x, (0, 0, 0, 0, 0, missing)) if missing > 0 else x[:, :channels]


class Block(nn.Module):
    """Two condensers under a skip: [B, C, H, W] -> [B, d, H, W]."""

    def __init__(self, channels: int, shape: tuple[tuple[int, int], tuple[int, int]], config: TinySpeechConfig):
        super().__init__()
        ((a, b), (c, d)), (near, far) = shape, config.offsets
        self.first = AttentionCondenser(channels, a, b, config.pools[0], near, config.kernel, config.form)
        self.second = AttentionCondenser(b, c, d, config.pools[1], far, config.kernel, config.form)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to [B, d, H, W]."""
        y = self.second(self.first(x))
        return y + match_channels(x, y.shape[1])


class TinySpeech(nn.Module):
    """Features [B, 1, frames, bands] to logits [B, classes]."""

    def __init__(self, config: TinySpeechConfig, classes: int):
        super().__init__()
        c = self.config = config
        self.stem = nn.Conv2d(1, c.stem, 3, stride=2, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(c.stem)
        widths = [c.stem] + [shape[1][1] for shape in c.blocks]
        self.blocks = nn.Sequential(*(Block(n, shape, c) for n, shape in zip(widths, c.blocks)))
        self.last = nn.Conv2d(widths[-1], c.last, 3, padding=1, bias=False)
        self.last_norm = nn.BatchNorm2d(c.last)
        self.classifier = nn.Linear(c.last, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, 1, frames, bands] to logits [B, classes]; sizes are those of 101 x 40."""
        x = F.relu(self.stem_norm(self.stem(x)))  # [B, stem, 51, 20]
        x = F.max_pool2d(x, self.config.stem_pool, ceil_mode=True)  # [B, stem, 26, 10]
        x = self.blocks(x)
        x = getattr(F, self.config.activation)(self.last_norm(self.last(x)))  # [B, last, 26, 10]
        return self.classifier(x.mean((2, 3)))


TAIL = (((30, 19), (38, 15)), ((30, 26), (52, 15)), ((30, 18), (36, 15)))  # the blocks that end X and Y

TINYSPEECH = {
    "x": TinySpeechConfig(15, 3 * (((30, 6), (12, 15)),) + TAIL, 38),
    "y": TinySpeechConfig(10, (((20, 6), (12, 15)),) + 2 * (((30, 6), (12, 15)),) + TAIL, 6),
    "z": TinySpeechConfig(
        7, 2 * (((14, 3), (6, 7)),) + (((14, 2), (4, 7)), ((14, 11), (22, 7)), ((14, 14), (28, 7)), ((14, 10), (20, 7))), 17
    ),
    "m": TinySpeechConfig(9, (((18, 6), (12, 9)), ((18, 9), (18, 9)), ((18, 8), (16, 9))), 40),
}
