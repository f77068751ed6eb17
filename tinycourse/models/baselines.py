"""The networks that came before: small-footprint keyword spotting from 2015 to 2021, as their authors defined them.

All map features [B, 1, frames, bands] to logits [B, classes]: time runs down, frequency across. The numbers in comments are
for one second of audio. What only looks along time begins with a kernel as wide as the map, which turns bands into channels.

- Sainath & Parada 2015, "Convolutional neural networks for small-footprint keyword spotting", as in honk (arXiv 1710.06554)
- Zhang, Suda, Lai & Chandra 2017, "Hello edge: keyword spotting on microcontrollers", arXiv 1711.07128, as in MLPerf Tiny
- Tang & Lin 2018, "Deep residual learning for small-footprint keyword spotting", arXiv 1710.10361, as in honk
- Myer & Tomar 2018, "Efficient keyword spotting using time delay neural networks", arXiv 1807.04353
- Choi et al. 2019, "Temporal convolution for real-time keyword spotting on mobile devices", arXiv 1904.03814, and its code
- Kim, Chang, Lee & Sung 2021, "Broadcasted residual learning for efficient keyword spotting", arXiv 2106.04140, and its code
"""

import math

from torch import Tensor, nn
from torch.nn import functional as F

# ----------------------------------------------------------------- two convolutions and a few dense layers, 2015


def trad_fpool13(classes: int) -> nn.Sequential:
    """cnn-trad-fpool3 (Sainath & Parada 2015, table 1): pool along frequency only, then a low-rank layer. 101 x 40 features."""
    return nn.Sequential(
        nn.Conv2d(1, 64, (20, 8)), nn.ReLU(), nn.Dropout(0.5), nn.MaxPool2d((1, 3)),  # [B, 64, 82, 33], pooled [B, 64, 82, 11]
        nn.Conv2d(64, 64, (10, 4)), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(),  # [B, 64, 73, 8], flat [B, 37376]
        nn.Linear(64 * 73 * 8, 32), nn.Linear(32, 128), nn.ReLU(), nn.Dropout(0.5),  # [B, 128]
        nn.Linear(128, classes),
    )  # fmt: skip


def tpool2(classes: int) -> nn.Sequential:
    """cnn-tpool2 (Sainath & Parada 2015, table 4): pool along time too. 101 x 40 features."""
    return nn.Sequential(
        nn.Conv2d(1, 94, (21, 8)), nn.ReLU(), nn.Dropout(0.5), nn.MaxPool2d((2, 3)),  # [B, 94, 81, 33], pooled [B, 94, 40, 11]
        nn.Conv2d(94, 94, (6, 4)), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(),  # [B, 94, 35, 8], flat [B, 26320]
        nn.Linear(94 * 35 * 8, 32), nn.Linear(32, 128), nn.ReLU(), nn.Dropout(0.5),  # [B, 128]
        nn.Linear(128, 128), nn.Dropout(0.5),
        nn.Linear(128, classes),
    )  # fmt: skip


def one_stride1(classes: int) -> nn.Sequential:
    """cnn-one-stride1 (honk's compact network): one kernel as long as the clip. 101 x 40 features."""
    return nn.Sequential(
        nn.Conv2d(1, 186, (101, 8)), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(),  # [B, 186, 1, 33], flat [B, 6138]
        nn.Linear(186 * 33, 128), nn.Dropout(0.5),
        nn.Linear(128, 128), nn.Dropout(0.5),
        nn.Linear(128, classes),
    )  # fmt: skip


# ------------------------------------------------------------------------ depthwise separable convolutions, 2017


class SameConv2d(nn.Conv2d):
    """A convolution that pads as TensorFlow does: the map shrinks by the stride alone, an odd row or column of zeros goes behind."""

    def forward(self, x: Tensor) -> Tensor:
        """Zeros around, and the convolution: [B, C, H, W] to [B, D, ceil(H / stride), ceil(W / stride)]."""
        padding = []
        for n, k, s in zip(x.shape[2:], self.kernel_size, self.stride):
            missing = max(0, (math.ceil(n / s) - 1) * s + k - n)
            padding = [missing // 2, missing - missing // 2, *padding]  # torch begins with the last axis
        return super().forward(F.pad(x, padding))


def conv_norm_relu(c_in: int, c_out: int, kernel, stride=1, **how) -> nn.Sequential:
    """[B, c_in, H, W] to [B, c_out, H / stride, W / stride]."""
    return nn.Sequential(SameConv2d(c_in, c_out, kernel, stride, **how), nn.BatchNorm2d(c_out), nn.ReLU())


class Mean(nn.Module):
    """Global average pooling: [B, C, H, W] to [B, C]."""

    def forward(self, x: Tensor) -> Tensor:
        """Over both axes of a map: [B, C, H, W] to [B, C]."""
        return x.mean((2, 3))


def ds_cnn(classes: int, width: int, blocks: int, stride, block_stride) -> nn.Sequential:
    """DS-CNN (Zhang et al. 2017, table 5): one convolution, then `blocks` of a depthwise and a pointwise one. 49 x 10 features.

    Every convolution has a bias, as in MLPerf Tiny, though the batch norm behind it could do that work.
    """
    layers = [conv_norm_relu(1, width, (10, 4), stride)]  # [B, width, 25, 5], or 10 bands wide in M and L
    for i in range(blocks):
        layers += [conv_norm_relu(width, width, 3, block_stride if i == 0 else 1, groups=width)]  # [B, width, 25 or 13, 5]
        layers += [conv_norm_relu(width, width, 1)]
    return nn.Sequential(*layers, Mean(), nn.Linear(width, classes))


DS_CNNS = {
    "s": {"width": 64, "blocks": 4, "stride": 2, "block_stride": 1},
    "m": {"width": 172, "blocks": 4, "stride": (2, 1), "block_stride": 2},
    "l": {"width": 276, "blocks": 5, "stride": (2, 1), "block_stride": 2},
}


# ------------------------------------------------------------------------------------------ residual networks, 2018


class ResNet(nn.Module):
    """res8, res15, res26 and the narrow ones (Tang & Lin 2018, table 1). 101 x 40 features.

    `depth` convolutions behind the first, the i-th spread over 2 ** (i // 3) frames and bands if `dilate`. Every second adds what
    came out of the last addition; batch norm, without scale and bias, stands behind it. The paper counts the multiply-adds of res15
    on 99 x 38 positions, as if the first convolution did not pad; its code, followed here, pads.
    """

    def __init__(self, classes: int, width: int, depth: int, pool: tuple[int, int] = (1, 1), dilate: bool = False):
        super().__init__()
        self.stem, self.pool = nn.Conv2d(1, width, 3, padding=1, bias=False), nn.AvgPool2d(pool)
        reach = [2 ** (i // 3) if dilate else 1 for i in range(depth)]
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, padding=r, dilation=r, bias=False) for r in reach)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width, affine=False) for _ in reach)
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, 1, 101, 40] to logits [B, classes]."""
        x = skip = self.pool(F.relu(self.stem(x)))  # [B, width, 101, 40], res8 [B, width, 25, 13], res26 [B, width, 50, 20]
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            x = F.relu(conv(x))
            if i % 2:
                x = skip = x + skip
            x = norm(x)
        return self.classifier(x.mean((2, 3)))


RESNETS = {
    f"{name}{narrow}": {"width": width, **shape}
    for narrow, width in (("", 45), ("-narrow", 19))
    for name, shape in {
        "res8": {"depth": 6, "pool": (4, 3)},
        "res15": {"depth": 13, "dilate": True},
        "res26": {"depth": 24, "pool": (2, 2)},
    }.items()
}


# -------------------------------------------------------------------------------- convolutions along time, 2018 and 2019


def tdnn(classes: int) -> nn.Sequential:
    """A time delay network in two stages: sounds, then words (after Myer & Tomar 2018). 101 x 40 features.

    The paper counts 251K parameters, all at work in each of 100 frames a second: 25.1M multiply-adds. We do not know its widths; those
    here are ours, chosen to meet both figures. It first learned phones from another corpus; here both stages learn together.
    """
    wide, sounds, words = 192, 48, 112
    return nn.Sequential(
        nn.Conv2d(1, wide, (11, 40), padding=(5, 0), bias=False), nn.BatchNorm2d(wide), nn.ReLU(),  # [B, 192, 101, 1]: 0.11 s
        nn.Conv2d(wide, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU(),
        nn.Conv2d(wide, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU(),
        nn.Conv2d(wide, sounds, 1), nn.MaxPool2d((5, 1), 1, (2, 0)),  # [B, 48, 101, 1]: was there this sound within 0.05 s?
        nn.Conv2d(sounds, words, (15, 1), padding=(28, 0), dilation=(4, 1), bias=False), nn.BatchNorm2d(words), nn.ReLU(),  # 0.57 s
        nn.Conv2d(words, classes, 1), Mean(),  # [B, classes, 101, 1], mean [B, classes]
    )  # fmt: skip


class TemporalBlock(nn.Module):
    """Two convolutions along time under a skip: [B, c_in, T, 1] to [B, c_out, T, 1], half as many frames where the channels change."""

    def __init__(self, c_in: int, c_out: int):
        super().__init__()
        stride = (1, 1) if c_in == c_out else (2, 1)
        self.first = conv_norm_relu(c_in, c_out, (9, 1), stride, bias=False)
        self.second = nn.Sequential(SameConv2d(c_out, c_out, (9, 1), bias=False), nn.BatchNorm2d(c_out))
        self.skip = nn.Identity() if c_in == c_out else conv_norm_relu(c_in, c_out, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, c_in, T, 1] to [B, c_out, T / stride, 1]."""
        return F.relu(self.second(self.first(x)) + self.skip(x))


def tc_resnet(classes: int, widths: tuple[int, ...]) -> nn.Sequential:
    """TC-ResNet (Choi et al. 2019, figure 2): the bands are channels, all convolutions run along time. 98 x 40 features."""
    stem = [nn.Conv2d(1, widths[0], (3, 40), padding=(1, 0), bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()]  # [B, 16, 98, 1]
    blocks = [TemporalBlock(c_in, c_out) for c_in, c_out in zip(widths, widths[1:])]  # [B, 24, 49, 1], [B, 32, 25, 1], [B, 48, 13, 1]
    return nn.Sequential(*stem, *blocks, Mean(), nn.Dropout(0.5), nn.Linear(widths[-1], classes, bias=False))


TC_RESNETS = {8: (16, 24, 32, 48), 14: (16, 24, 24, 32, 32, 48, 48)}


# ----------------------------------------------------------------------------------- broadcasted residual learning, 2021


class SubSpectralNorm(nn.Module):
    """Batch norm with statistics, scale and bias of its own for each of `groups` bands of frequency: [B, C, T, F] to the same."""

    def __init__(self, channels: int, groups: int = 5):
        super().__init__()
        self.groups, self.norm = groups, nn.BatchNorm2d(channels * groups)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T, F] to the same."""
        b, c, t, f = x.shape
        x = x.view(b, c, t, self.groups, -1).transpose(2, 3)  # [B, C, groups, T, F / groups]
        x = self.norm(x.reshape(b, c * self.groups, t, -1))
        return x.view(b, c, self.groups, t, -1).transpose(2, 3).reshape(b, c, t, f)


class BroadcastBlock(nn.Module):
    """y = ReLU(x + f2(x) + f1(mean of f2(x) over frequency)): [B, c_in, T, F] to [B, c_out, T, F / stride] (paper, figure 2).

    f2 looks along frequency, f1 along time; its answer, one number for each instant, is broadcast over all frequencies.
    Where the number of channels changes there is no x in the sum.
    """

    def __init__(self, c_in: int, c_out: int, stride: int, dilation: int):
        super().__init__()
        self.same = c_in == c_out
        widen = [nn.Conv2d(c_in, c_out, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()] if not self.same else []
        across = nn.Conv2d(c_out, c_out, (1, 3), (1, stride), (0, 1), groups=c_out, bias=False)
        self.f2 = nn.Sequential(*widen, across, SubSpectralNorm(c_out))
        along = nn.Conv2d(c_out, c_out, (3, 1), padding=(dilation, 0), dilation=(dilation, 1), groups=c_out, bias=False)
        mix = nn.Conv2d(c_out, c_out, 1, bias=False)
        self.f1 = nn.Sequential(along, nn.BatchNorm2d(c_out), nn.SiLU(), mix, nn.Dropout2d(0.1))

    def forward(self, x: Tensor) -> Tensor:
        """[B, c_in, T, F] to [B, c_out, T, F / stride]."""
        y = self.f2(x)  # [B, c_out, T, F / stride]
        y = y + self.f1(y.mean(3, keepdim=True))  # [B, c_out, T, 1], broadcast
        return F.relu(x + y if self.same else y)


def bc_resnet(classes: int, scale: float) -> nn.Sequential:
    """BC-ResNet-`scale` (Kim et al. 2021, table 1): 8 * scale channels in the first stage. 101 x 40 log-mel features."""
    c = int(8 * scale)
    stem, widths, last = 2 * c, (c, int(1.5 * c), 2 * c, int(2.5 * c)), 4 * c
    layers = [nn.Conv2d(1, stem, 5, (1, 2), 2, bias=False), nn.BatchNorm2d(stem), nn.ReLU()]  # [B, 2c, 101, 20]
    for i, (width, blocks) in enumerate(zip(widths, (2, 2, 4, 4))):  # [B, width, 101, 20], then 10, 5 and 5 bands
        c_in = (stem, *widths)[i]
        for j in range(blocks):
            layers.append(BroadcastBlock(width if j else c_in, width, stride=2 if i in (1, 2) and j == 0 else 1, dilation=2**i))
    layers += [nn.Conv2d(width, width, 5, padding=(2, 0), groups=width, bias=False)]  # [B, 2.5c, 101, 1]
    layers += [nn.Conv2d(width, last, 1, bias=False), nn.BatchNorm2d(last), nn.ReLU()]  # [B, 4c, 101, 1]
    return nn.Sequential(*layers, Mean(), nn.Linear(last, classes))
