"""Small networks with random weights and random batch-norm statistics, for the tests of tracing and quantization.

`NETWORKS` are whole networks in the manner of the course's, `SINGLES` one operation or one merger each; `graph`, `program`
and `inputs` give what a test needs of one of them by its name, computed once.
"""

import functools

import torch
import torch.nn.functional as F
from torch import nn

from tinycourse.quantization.post_training import calibrate, quantize_graph
from tinycourse.quantization.tracing import trace


class Lambda(nn.Module):
    """A function of (module, x) as a network; `parts` become its submodules, `p` is a parameter."""

    def __init__(self, function, *parts, p=None):
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(parts)
        self.p = None if p is None else nn.Parameter(p)

    def forward(self, x):
        return self.function(self, x)


class Condenser(nn.Module):
    """TinySpeech's attention condenser with V' = S * V + A, batch norm and ReLU."""

    def __init__(self, channels, middle, out, pool):
        super().__init__()
        self.pool = pool
        self.depthwise = nn.Conv2d(channels, middle, 1, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(middle, out, 1, bias=False)
        self.scale = nn.Parameter(torch.rand(min(channels, out), 1, 1) + 0.5)
        self.norm = nn.BatchNorm2d(out)

    def forward(self, v):
        h, w = v.shape[2:]
        q = F.max_pool2d(v, self.pool, ceil_mode=True)
        k = self.pointwise(F.relu(self.depthwise(q)))
        a = F.interpolate(k, scale_factor=self.pool, mode="nearest")[:, :, :h, :w]
        v = v[:, : a.shape[1]] * self.scale
        if a.shape[1] > v.shape[1]:
            v = F.pad(v, (0, 0, 0, 0, 0, a.shape[1] - v.shape[1]))
        return F.relu(self.norm(v + a))


class TinySpeech(nn.Module):
    """Stem, two residual blocks of two condensers each, convolution, mean, linear."""

    def __init__(self, classes=5):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 6, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU())
        self.blocks = nn.ModuleList(nn.Sequential(Condenser(6, 12, 3, pool), Condenser(3, 6, 6, pool)) for pool in (2, 3))
        self.last = nn.Sequential(nn.Conv2d(6, 10, 3, padding="same", bias=False), nn.BatchNorm2d(10), nn.ReLU())
        self.classify = nn.Linear(10, classes)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return self.classify(self.last(x).mean((2, 3)))


def ds_cnn():
    """DS-CNN: strided convolution with an even kernel, depthwise-separable blocks, average pool, dropout, linear."""

    def block():
        depthwise = [nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8), nn.ReLU()]
        return depthwise + [nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), nn.ReLU()]

    first = [nn.ZeroPad2d((1, 2, 4, 5)), nn.Conv2d(1, 8, (10, 4), stride=2), nn.BatchNorm2d(8), nn.ReLU(inplace=True)]
    last = [nn.AvgPool2d((12, 6)), nn.Dropout(0.5), nn.Flatten(), nn.Linear(8, 5)]
    return nn.Sequential(*first, *block(), *block(), *last)


class Res8(nn.Module):
    """res8: ReLU before the residual sum, batch norm without affine after it, dilation."""

    def __init__(self, n=6, classes=5):
        super().__init__()
        self.first = nn.Conv2d(1, n, 3, padding=1, bias=False)
        self.convs = nn.ModuleList(nn.Conv2d(n, n, 3, padding=2**i, dilation=2**i, bias=False) for i in range(4))
        self.norms = nn.ModuleList(nn.BatchNorm2d(n, affine=False) for _ in range(4))
        self.classify = nn.Linear(n, classes)

    def forward(self, x):
        x = skip = F.avg_pool2d(F.relu(self.first(x)), (4, 3))
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            x = F.relu(conv(x))
            if i % 2:
                x = skip = x + skip
            x = norm(x)
        return self.classify(x.mean((2, 3)))


def fpool():
    """trad-fpool: kernels as tall as a fifth of the map, a pool along frequency, flattened into a low-rank layer."""
    maps = [nn.Conv2d(1, 6, (6, 4)), nn.ReLU(), nn.MaxPool2d((1, 3)), nn.Conv2d(6, 6, (5, 3)), nn.ReLU(), nn.Dropout(0.5)]
    return nn.Sequential(*maps, nn.Flatten(), nn.Linear(6 * 16 * 3, 8), nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 5))


class SubSpectralNorm(nn.Module):
    """A batch norm for each of `groups` bands of frequency, by views and transpositions."""

    def __init__(self, channels, groups):
        super().__init__()
        self.groups, self.norm = groups, nn.BatchNorm2d(channels * groups)

    def forward(self, x):
        b, c, t, f = x.shape
        x = x.view(b, c, t, self.groups, -1).transpose(2, 3).reshape(b, c * self.groups, t, -1)
        return self.norm(x).view(b, c, self.groups, t, -1).transpose(2, 3).reshape(b, c, t, f)


class Broadcast(nn.Module):
    """BC-ResNet: a 2-D branch, its mean over frequency through a 1-D branch, broadcast back, three-way sum."""

    def __init__(self, c=6, classes=5):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, c, 5, stride=(1, 2), padding=2), nn.BatchNorm2d(c), nn.ReLU())
        self.frequency = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, c, (1, 3), padding=(0, 1), groups=c, bias=False), SubSpectralNorm(c, 3)) for _ in range(2)
        )
        self.time = nn.ModuleList(
            nn.Sequential(
                *(nn.Conv2d(c, c, (3, 1), padding="same", dilation=(d, 1), groups=c, bias=False), nn.BatchNorm2d(c)),
                *(nn.SiLU(), nn.Conv2d(c, c, 1), nn.Dropout2d(0.1)),
            )
            for d in (1, 2)
        )
        self.last = nn.Sequential(nn.Conv2d(c, c, (5, 6), padding=(2, 0), groups=c), nn.Conv2d(c, classes, 1))

    def forward(self, x):
        x = self.first(x)
        for frequency, time in zip(self.frequency, self.time):
            y = frequency(x)
            x = F.relu(x + y + time(y.mean(3, keepdim=True)))
        return F.adaptive_avg_pool2d(self.last(x), 1).squeeze(-1).squeeze(-1)


class TemporalConvolution(nn.Module):
    """TC-ResNet and TDNN: the bands become channels of a sequence; strides, dilation and a shortcut along time."""

    def __init__(self, bands=12, c=8, classes=5):
        super().__init__()
        self.first = nn.Conv1d(bands, c, 3, padding=1, bias=False)
        self.branch = nn.Sequential(nn.Conv1d(c, 12, 5, stride=2, padding=2), nn.BatchNorm1d(12), nn.ReLU(), nn.Conv1d(12, 12, 3, 1, 1))
        self.norm, self.short = nn.BatchNorm1d(12), nn.Conv1d(c, 12, 1, stride=2)
        self.context = nn.Conv1d(12, 10, 3, dilation=2)
        self.classify = nn.Linear(10, classes)

    def forward(self, x):
        x = self.first(x.squeeze(1).transpose(1, 2))
        x = F.relu(self.norm(self.branch(x)) + self.short(x))
        return self.classify(F.max_pool1d(F.relu(self.context(x)), 2).mean(2))


class Shifts(nn.Module):
    """Condensers whose grouped convolution has one weight for each channel, each at a time of its own."""

    def __init__(self, c=6, classes=5):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, c, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(c), nn.ReLU())
        self.weight, self.mix = nn.Parameter(torch.randn(2 * c, 1, 1, 1)), nn.Conv2d(2 * c, c, 1, bias=False)
        taps = torch.zeros(2 * c, 1, 5, 1)
        taps[torch.arange(2 * c), 0, torch.arange(2 * c) % 3 + 1] = 1.0
        self.register_buffer("taps", taps, persistent=False)
        self.norm, self.gate = nn.BatchNorm2d(c), nn.Parameter(torch.randn(c, 1, 1))
        self.classify = nn.Linear(c, classes)

    def forward(self, x):
        x = self.stem(x)
        q = F.max_pool2d(F.pad(x, (0, 0, 1, 1)), (3, 4), stride=1, padding=(0, 2))[..., : x.shape[3]]
        k = F.conv2d(F.pad(q, (0, 0, 4, 4)), self.weight * self.taps, dilation=(2, 1), groups=q.shape[1])
        a = self.norm(self.mix(F.relu(k)))
        x = x * torch.sigmoid(a.mean(3, keepdim=True)) + a.amax(2, keepdim=True) * self.gate
        return self.classify(F.silu(x).mean((2, 3)))


def gated():
    """Squeeze and excitation: a map times a gate per channel."""
    parts = nn.Conv2d(2, 6, 3), nn.Linear(6, 3), nn.Linear(3, 6), nn.Linear(6 * 4 * 3, 5)

    def forward(self, x):
        conv, down, up, out = self.parts
        x = F.hardswish(conv(x))
        x = x * torch.sigmoid(up(F.relu(down(x.mean((2, 3))))))[:, :, None, None]
        return out(F.max_pool2d(x, 2).flatten(1))

    return Lambda(forward, *parts)


def mlp():
    return nn.Sequential(nn.Linear(12, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 5))


NETWORKS = {
    "tinyspeech": (TinySpeech, (1, 25, 18)),
    "ds-cnn": (ds_cnn, (1, 25, 13)),
    "res8": (Res8, (1, 25, 18)),
    "fpool": (fpool, (1, 25, 18)),
    "bc-resnet": (Broadcast, (1, 15, 12)),
    "tc-resnet": (TemporalConvolution, (1, 21, 12)),
    "shifts": (Shifts, (1, 21, 12)),
    "gated": (gated, (2, 10, 8)),
    "mlp": (mlp, (12,)),
}


def operation(function, *parts, p=None, shape=(4, 9, 7)):
    """A factory of one small network, and its input shape."""
    return (lambda: Lambda(function, *[part() for part in parts], p=p and p())), shape


def module(make, shape=(4, 9, 7)):
    return make, shape


SINGLES = {
    "conv": module(lambda: nn.Conv2d(4, 6, 3)),
    "conv stride, padding": module(lambda: nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 1))),
    "conv same, even kernel": module(lambda: nn.Conv2d(4, 6, (4, 2), padding="same")),
    "conv valid": module(lambda: nn.Conv2d(4, 6, 3, padding="valid")),
    "conv dilation": module(lambda: nn.Conv2d(4, 6, 3, padding=2, dilation=(2, 1), bias=False)),
    "conv groups": module(lambda: nn.Conv2d(4, 6, 3, groups=2)),
    "depthwise multiplier": module(lambda: nn.Conv2d(4, 12, 1, groups=4)),
    "conv, batch norm": module(lambda: nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6))),
    "batch norm alone": module(lambda: nn.BatchNorm2d(4)),
    "batch norm without affine": module(lambda: nn.BatchNorm2d(4, affine=False)),
    "batch norm on vectors": module(lambda: nn.BatchNorm1d(7), (7,)),
    "linear": module(lambda: nn.Linear(7, 5), (7,)),
    "linear, batch norm, relu": module(lambda: nn.Sequential(nn.Linear(7, 5), nn.BatchNorm1d(5), nn.ReLU()), (7,)),
    "flatten, linear": module(lambda: nn.Sequential(nn.Flatten(), nn.Linear(4 * 9 * 7, 5))),
    "flatten, batch norm, gelu, linear": module(lambda: nn.Sequential(nn.Flatten(), nn.BatchNorm1d(252), nn.GELU(), nn.Linear(252, 5))),
    "view, linear": operation(lambda m, x: m.parts[0](x.view(x.shape[0], -1)), lambda: nn.Linear(252, 5)),
    "two flattened maps, linear": operation(lambda m, x: m.parts[0]((x + 1).flatten(1) + x.abs().flatten(1)), lambda: nn.Linear(252, 5)),
    **{a.__name__: module(a) for a in (nn.ReLU, nn.ReLU6, nn.Hardtanh, nn.Sigmoid, nn.Tanh, nn.Hardsigmoid, nn.Hardswish)},
    **{a.__name__: module(a) for a in (nn.SiLU, nn.GELU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.Softplus, nn.Mish)},
    "functionals": operation(lambda m, x: F.leaky_relu(F.elu(x, 0.5), 0.3) + F.gelu(x, approximate="tanh") - F.hardtanh(x, -0.5, 2)),
    "methods": operation(lambda m, x: x.relu() - x.sigmoid() + x.tanh().abs() + x.clamp(-1, 0.5) + x.clamp_min(0.1)),
    "in place": operation(lambda m, x: (x * 1).relu_().add_(0.5).mul_(2)),
    "sigmoid, clamp": operation(lambda m, x: x.sigmoid().clamp(0.25, 0.75)),
    "conv, relu6": module(lambda: nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU6())),
    "conv, relu, hardtanh": module(lambda: nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Hardtanh())),
    "conv, clamp away from zero": operation(lambda m, x: m.parts[0](x).clamp(0.5, 0.9), lambda: nn.Conv2d(4, 4, 1)),
    "relu of a scale, add": operation(lambda m, x: x + F.relu(x * m.p), p=lambda: torch.randn(4, 1, 1)),
    "relu twice read": operation(lambda m, x: (lambda y: F.relu(y) + y)(m.parts[0](x)), lambda: nn.Conv2d(4, 4, 1)),
    "batch norm twice read": operation(
        lambda m, x: (lambda y: m.parts[1](y) - y)(m.parts[0](x)), lambda: nn.Conv2d(4, 4, 1), lambda: nn.BatchNorm2d(4)
    ),
    "relu, batch norm": module(lambda: nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU(), nn.BatchNorm2d(4))),
    "max pool": module(lambda: nn.MaxPool2d(2)),
    "max pool, padding, stride": module(lambda: nn.MaxPool2d(3, stride=2, padding=1)),
    "max pool, ceil": module(lambda: nn.MaxPool2d((2, 3), ceil_mode=True)),
    "max pool, ceil, padding": module(lambda: nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True)),
    "average pool": module(lambda: nn.AvgPool2d((3, 2), stride=(2, 1))),
    "average pool, floor": module(lambda: nn.AvgPool2d((4, 3))),
    "average pool, padding": module(lambda: nn.AvgPool2d(3, stride=2, padding=1)),
    "pools along time": operation(lambda m, x: F.max_pool1d(F.avg_pool1d(x.flatten(2), 3), 2, 3).mean(2)),
    "adaptive average along time": operation(lambda m, x: F.adaptive_avg_pool1d(x.mean(3), 3)[..., None]),
    "adaptive average": module(lambda: nn.AdaptiveAvgPool2d(1)),
    "adaptive average 3 x 1": module(lambda: nn.AdaptiveAvgPool2d((3, 1))),
    "mean": operation(lambda m, x: x.mean((2, 3))),
    "mean, keepdim": operation(lambda m, x: x.mean([-1, -2], keepdim=True)),
    "mean over time": operation(lambda m, x: x.mean(2, keepdim=True)),
    "mean over time, then frequency": operation(lambda m, x: x.mean(2).mean(2)),
    "amax over frequency": operation(lambda m, x: x.amax(3).unsqueeze(3) - x),
    "amax": operation(lambda m, x: x.amax((2, 3))),
    "amax, keepdim": operation(lambda m, x: x.amax((2, 3), keepdim=True)),
    "add, broadcast": operation(lambda m, x: x + x.mean(3, keepdim=True) + x.mean((2, 3), keepdim=True)),
    "outer add": operation(lambda m, x: x.mean(3, keepdim=True) + x.mean(2, keepdim=True)),
    "add, one channel": operation(lambda m, x: torch.add(x, m.parts[0](x), alpha=0.7), lambda: nn.Conv2d(4, 1, 1)),
    "sub, constants": operation(lambda m, x: (1 - x) * 3 - (x - 2) / 4 + torch.rsub(x, 2, alpha=3) + -x),
    "add to itself": operation(lambda m, x: m.parts[0](x) + m.parts[0](x) * 2, lambda: nn.BatchNorm2d(4)),
    "multiply": operation(lambda m, x: x * m.parts[0](x), lambda: nn.Conv2d(4, 4, 1)),
    "multiply, broadcast": operation(lambda m, x: x * x.mean(2, keepdim=True) * x.amax((2, 3), keepdim=True)),
    "hard gate": operation(lambda m, x: x * F.hardsigmoid(x.mean(3, keepdim=True))),
    "multiply, relu": operation(lambda m, x: F.relu(x * m.parts[0](x)), lambda: nn.Conv2d(4, 1, 1)),
    "scalar parameter": operation(lambda m, x: x * m.p + x, p=lambda: torch.tensor(0.3)),
    "parameter [1]": operation(lambda m, x: m.p * x, p=lambda: torch.tensor([-0.3])),
    "parameter [C]": operation(lambda m, x: x * m.p + m.p, p=lambda: torch.randn(7), shape=(7,)),
    "parameter [C, 1, 1]": operation(lambda m, x: x * m.p + m.p, p=lambda: torch.randn(4, 1, 1)),
    "parameter [1, C, 1, 1]": operation(lambda m, x: x * m.p - m.p, p=lambda: torch.randn(1, 4, 1, 1)),
    "parameter minus activation": operation(lambda m, x: torch.sub(m.p, x, alpha=2), p=lambda: torch.randn(4, 1, 1)),
    "parameter [W]": operation(lambda m, x: x * m.p + 1, p=lambda: torch.randn(7)),
    "parameter [H, 1]": operation(lambda m, x: m.p - x, p=lambda: torch.randn(9, 1)),
    "parameter [C, H, W]": operation(lambda m, x: x * m.p + m.p, p=lambda: torch.randn(4, 9, 7)),
    "conv, parameter [C, 1, W], relu": operation(
        lambda m, x: F.relu(m.parts[0](x) * m.p), lambda: nn.Conv2d(4, 4, 1), p=lambda: torch.rand(4, 1, 7)
    ),
    "scale in bands, batch norm": operation(lambda m, x: m.parts[0](x * m.p), lambda: nn.BatchNorm2d(4), p=lambda: torch.rand(7)),
    "add, scale in bands": operation(lambda m, x: x + x.abs() * m.p, p=lambda: torch.rand(9, 1)),
    "sub-spectral norm": module(lambda: nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), SubSpectralNorm(4, 3)), (4, 5, 12)),
    "sub-spectral norm alone": module(lambda: SubSpectralNorm(4, 3), (4, 5, 12)),
    "silu of a norm": module(lambda: nn.Sequential(SubSpectralNorm(4, 3), nn.SiLU()), (4, 5, 12)),
    "computed parameter": operation(lambda m, x: x * torch.sigmoid(m.p).view(1, -1, 1, 1), p=lambda: torch.randn(4)),
    "masked weight": operation(lambda m, x: F.conv2d(x, m.p * (m.p.abs() > 0.5)), p=lambda: torch.randn(3, 4, 2, 2)),
    "kernel within zeros": operation(lambda m, x: F.conv2d(x, F.pad(m.p, (0, 2, 3, 1)), padding=(1, 0)), p=lambda: torch.randn(3, 4, 2, 2)),
    "depthwise, one weight each": operation(
        lambda m, x: F.conv2d(F.pad(x, (0, 0, 2, 2)), m.p * torch.eye(5)[[1, 2, 2, 3]].view(4, 1, 5, 1), groups=4),
        p=lambda: torch.randn(4, 1, 1, 1),
    ),
    "selective attention, batch norm": operation(
        lambda m, x: F.relu(m.parts[1](m.p * x + m.parts[0](x))),
        *(lambda: nn.Conv2d(4, 4, 1), lambda: nn.BatchNorm2d(4)),
        p=lambda: torch.randn(4, 1, 1),
    ),
    "interpolate": operation(lambda m, x: F.interpolate(x, scale_factor=2)),
    "interpolate to a size": operation(lambda m, x: F.interpolate(F.max_pool2d(x, 2, ceil_mode=True), size=x.shape[2:])),
    "upsample": module(lambda: nn.Upsample(scale_factor=(3, 2))),
    "upsample, crop": operation(lambda m, x: F.interpolate(x, scale_factor=3)[..., :20, :19]),
    "upsample, crop inside": operation(lambda m, x: F.interpolate(x, scale_factor=2)[..., 3:10, 1:]),
    "cat": operation(lambda m, x: torch.cat([x, m.parts[0](x), x.abs()], 1), lambda: nn.Conv2d(4, 3, 1)),
    "cat of slices": operation(
        lambda m, x: torch.cat([F.pad(x, (2, 1, 3, 0))[:, a:b, h : h + 9, w : w + 7] for a, b, h, w in ((0, 2, 0, 3), (1, 4, 3, 0))], 1)
    ),
    "cat of itself, shorter": operation(
        lambda m, x: torch.cat([x, x.relu()], 1)[:, 2:6] + torch.cat([x[..., 1:], x[..., :-1]], 1)[:, :4, :, :1]
    ),
    "cat along time": operation(lambda m, x: torch.cat([x[:, :, 1:], x.mean(2, keepdim=True)], 2)),
    "channel shuffle": module(lambda: nn.ChannelShuffle(2)),
    "shuffled channels, conv, skip": operation(
        lambda m, x: m.parts[0](shuffled := x.view(len(x), 2, 2, 9, 7).transpose(1, 2).reshape(len(x), 4, 9, 7)) + shuffled,
        lambda: nn.Conv2d(4, 4, 3, padding=1),
    ),
    "repeat": operation(lambda m, x: x.repeat_interleave(3, 1)),
    "repeat, depthwise": operation(lambda m, x: m.parts[0](x.repeat_interleave(2, 1)), lambda: nn.Conv2d(8, 16, 3, padding=1, groups=8)),
    "repeat along both axes": operation(lambda m, x: x.repeat_interleave(3, 2).repeat_interleave(2, dim=3)),
    "expand": operation(lambda m, x: x.amax(3, keepdim=True).expand(-1, -1, -1, 5).relu()),
    "expand one channel": operation(lambda m, x: m.parts[0](x).expand(-1, 6, -1, -1) * 2, lambda: nn.Conv2d(4, 1, 1)),
    "slices": operation(lambda m, x: x[:, 1:3, -5:, 2:4]),
    "slice by shape": operation(lambda m, x: x[:, : x.shape[2] - 6] + x[:, 1:]),
    "pad": operation(lambda m, x: F.pad(x, (1, 2, 3, 0, 2, 1))),
    "pad, conv": module(lambda: nn.Sequential(nn.ZeroPad2d((1, 0, 2, 3)), nn.Conv2d(4, 4, 3, padding=1))),
    "pad channels, conv": operation(lambda m, x: m.parts[0](F.pad(x, (0, 0, 1, 0, 0, 2))), lambda: nn.Conv2d(6, 4, 3)),
    "pad, max pool": operation(lambda m, x: F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2)),
    "squeeze, unsqueeze": operation(lambda m, x: m.parts[0](x.mean((2, 3)))[:, :, None, None] * x, lambda: nn.Linear(4, 4)),
    "squeeze twice": operation(lambda m, x: x.amax((2, 3), keepdim=True).squeeze(-1).squeeze(-1)),
    "reshape one channel": operation(lambda m, x: x.reshape(-1, 1, 7, 9), shape=(1, 9, 7)),
    "nothing": operation(lambda m, x: x.float().contiguous().detach().clone().to(torch.float32) + 1),
    "narrow, unflatten": operation(lambda m, x: x.narrow(3, 2, 1).flatten(2).unflatten(2, (3, 3)).flatten(2).unflatten(2, (9, 1))),
    "conv along time": operation(
        lambda m, x: m.parts[0](x.permute(0, 3, 2, 1).squeeze(3)).unsqueeze(-1), lambda: nn.Conv1d(7, 3, 3, 2, 1), shape=(1, 9, 7)
    ),
    "conv along time, same": operation(
        lambda m, x: m.parts[0](x.mean(3))[..., 1:].relu().unsqueeze(3), lambda: nn.Conv1d(4, 6, 4, padding="same", groups=2)
    ),
    "batch norm of a transposed map": operation(lambda m, x: m.parts[0](x.transpose(1, 3)).transpose(1, 3), lambda: nn.BatchNorm2d(7)),
    "transposed maps, added": operation(lambda m, x: (x.mT.abs() + x.mT).mT),
    "dropout, identity": module(lambda: nn.Sequential(nn.Dropout(), nn.Dropout2d(), nn.Identity(), nn.ReLU())),
}


@torch.no_grad()
def filled(layer, weight, bias):
    """A layer whose first two channels get weights and bias of their own."""
    layer.weight[:2], layer.bias[:2] = weight, bias
    return layer


SINGLES |= {
    "channels of zeros": module(lambda: filled(nn.Conv2d(4, 6, 3), 0.0, torch.tensor([0.0, 0.7]))),
    "bias far above the weights": module(lambda: filled(nn.Conv2d(4, 6, 3), 1e-12, torch.tensor([-2.0, 3.0]))),
    "bias far above the factors": operation(
        lambda m, x: x * (1e-12 * m.p) + m.p, p=lambda: torch.tensor([0.1, -1.0, 50.0, 0.0]).view(-1, 1, 1)
    ),
    "all zeros": module(lambda: nn.Sequential(filled(nn.Conv2d(4, 2, 1), 0.0, 0.0), nn.ReLU(), nn.Conv2d(2, 3, 1))),
    "scale of zero": operation(lambda m, x: x * m.p + 1, p=lambda: torch.tensor([0.0, 1e-9, -1.0, 300.0]).view(-1, 1, 1)),
}
ALL = {**NETWORKS, **SINGLES}


@functools.cache
def build(name):
    """The network with seeded weights and spread batch-norm statistics, in evaluation mode."""
    torch.manual_seed(0)
    network = ALL[name][0]()
    for m in network.modules():
        if isinstance(m, nn.modules.batchnorm._BatchNorm):
            m.running_mean.normal_(0, 0.3)
            m.running_var.uniform_(0.3, 2)
            if m.affine:
                nn.init.uniform_(m.weight, 0.5, 1.5)
                nn.init.normal_(m.bias, 0, 0.3)
    return network.eval()


@functools.cache
def inputs(name, count=48):
    """[count, C, H, W] or [count, C], standard normal, seeded."""
    return torch.randn(count, *ALL[name][1], generator=torch.Generator().manual_seed(1))


@functools.cache
def graph(name):
    """The traced network."""
    return trace(build(name), ALL[name][1])


@functools.cache
def program(name):
    """The integer program, calibrated on `inputs` so that none of them saturates."""
    return quantize_graph(graph(name), calibrate(graph(name), inputs(name), "min-max"))
