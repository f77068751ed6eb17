"""Attention condensers and TinySpeech (Wong, Famouri, Pavlova, Surana 2020, arXiv 2008.04245).

A condenser looks at its input through a much smaller map: pool (condense), mix (embed), unpool (expand), and lets
the result decide, together with the input itself, what is passed on (selective attention).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Pair = tuple[int, int]  # frames, bands
Channels = tuple[int, int]  # a, b: of the grouped and of the pointwise convolution of a condenser


class AttentionCondenser(nn.Module):
    """V [B, C, H, W] to V' [B, b, H, W] (paper, section 2).

    Q = C(V)          condensation: max pooling
    K = E(Q)          embedding: grouped convolution to `a` = 2 C channels, then pointwise to `b`
    A = X(K)          expansion: unpooling
    V' = F(V, A, S)   selective attention: S * V + A, which tends to A as S tends to 0

    A grouped convolution with two weights a channel makes two copies of each. Where those weights sit the paper does not say:
    here the copies look aside, in opposite directions, so that the pointwise convolution compares what was with what comes.
    """

    def __init__(self, a: int, b: int, pool: Pair, offsets: list[tuple[Pair, Pair]]):
        super().__init__()
        self.pool, self.offsets = pool, offsets
        self.grouped, self.grouped_norm = GroupedConvolution(a, a, 1, groups=a, bias=False), nn.BatchNorm2d(a)
        self.pointwise, self.pointwise_norm = nn.Conv2d(a, b, 1, bias=False), nn.BatchNorm2d(b)
        self.scale, self.norm = nn.Parameter(torch.ones(b, 1, 1)), nn.BatchNorm2d(b)  # S, one for each channel

    def forward(self, v: Tensor) -> Tensor:
        """V' alone: [B, C, H, W] to [B, b, H, W]."""
        return dict(self.steps(v))["V'"]

    def steps(self, v: Tensor) -> Iterator[tuple[str, Tensor]]:
        """V and the map after each step, by name."""
        yield "V", v  # [B, C, H, W]
        q = F.max_pool2d(v, self.pool, ceil_mode=True)
        yield "Q", q  # [B, C, H / ph, W / pw]
        copies = shift_channels(q, self.offsets)  # [B, a, H / ph, W / pw]
        k = self.pointwise_norm(self.pointwise(F.relu(self.grouped_norm(self.grouped(copies)))))
        yield "K", k  # [B, b, H / ph, W / pw]
        attention = unpool(k, self.pool, v.shape[2:])
        yield "A", attention  # [B, b, H, W]
        yield "V'", self.norm(self.scale * match_channels(v, attention.shape[1]) + attention)  # [B, b, H, W]


class GroupedConvolution(nn.Conv2d):
    """A kernel for each channel. One of a single weight is a product, which trains three times as fast (benchmarks/training_step.py)."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to the same."""
        if self.training and self.kernel_size == (1, 1):
            return x * self.weight[:, 0]
        return super().forward(x)


def shift_channels(x: Tensor, pairs: list[tuple[Pair, Pair]]) -> Tensor:
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


def looks(bands: tuple[int, ...], frames: tuple[int, ...]) -> tuple[list, list]:
    """Where the two condensers of a block look: one up and down by so many bands, the other back and ahead by so many frames.

    The first looks a little in time, too. For every pair of offsets there is a share of the channels.
    """
    near, far = [((0, -n), (0, n)) for n in bands], [((-n, 0), (n, 0)) for n in frames]
    return far[:1] + near, far


NEAR, FAR = looks(bands=(1, 2, 4), frames=(1, 2, 4))


def unpool(x: Tensor, pool: Pair, size: Pair) -> Tensor:
    """Repeat every value over the window it came from: [B, C, h, w] -> [B, C, *size]."""
    return F.interpolate(x, scale_factor=pool)[:, :, : size[0], : size[1]]


def match_channels(x: Tensor, channels: int) -> Tensor:
    """The first `channels` of x, or x and zeros: the way to add maps of different depth that costs no parameter."""
    missing = channels - x.shape[1]
    return F.pad(x, (0, 0, 0, 0, 0, missing)) if missing > 0 else x[:, :channels]


class Block(nn.Module):
    """Two condensers under a skip: [B, C, H, W] -> [B, d, H, W]. One pools two frames, the other all ten bands."""

    def __init__(self, first: Channels, second: Channels):
        super().__init__()
        self.first = AttentionCondenser(*first, (2, 1), NEAR)
        self.second = AttentionCondenser(*second, (1, 10), FAR)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to [B, d, H, W]."""
        y = self.second(self.first(x))  # [B, b, H, W], [B, d, H, W]
        return y + match_channels(x, y.shape[1])


@dataclass(frozen=True)
class TinySpeechConfig:
    """The numbers of channels in figure 2 of the paper. All else is ours to choose; lesson 03 measures what each choice brings."""

    stem: int
    blocks: tuple[tuple[Channels, Channels], ...]  # ((a, b), (c, d)): two condensers each
    last: int


class TinySpeech(nn.Module):
    """Figure 2 of the paper: a stem, a row of blocks, a convolution, an average over the map, a classifier."""

    def __init__(self, config: TinySpeechConfig, classes: int):
        super().__init__()
        c, channels = config, config.blocks[-1][1][1]
        self.stem, self.stem_norm = nn.Conv2d(1, c.stem, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(c.stem)
        self.blocks = nn.Sequential(*(Block(*pairs) for pairs in c.blocks))
        self.last, self.last_norm = nn.Conv2d(channels, c.last, 3, padding=1, bias=False), nn.BatchNorm2d(c.last)
        self.classifier = nn.Linear(c.last, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, 1, frames, bands] to logits [B, classes]; sizes are those of 101 x 40."""
        x = F.relu(self.stem_norm(self.stem(x)))  # [B, stem, 51, 20]
        x = F.max_pool2d(x, (2, 2), ceil_mode=True)  # [B, stem, 26, 10]
        x = self.blocks(x)  # [B, d, 26, 10]
        x = F.silu(self.last_norm(self.last(x)))  # [B, last, 26, 10]
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
