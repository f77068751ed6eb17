"""The networks that came before have the sizes and the costs that their authors publish, and do what their papers say."""

import pytest
import torch
from torch import nn

from tinycourse import models
from tinycourse.features.frontend import Frontend
from tinycourse.models import baselines
from tinycourse.training import profiling

PARAMETERS = {  # for 12 classes, as each paper or its code counts
    "trad-fpool13": 1_376_044,
    "tpool2": 1_092_600,
    "one-stride1": 954_326,
    "tdnn": 250_844,  # published: 251K
    "res8": 110_307,
    "res15": 237_882,
    "res26": 438_357,
    "res8-narrow": 19_905,
    "res15-narrow": 42_648,
    "res26-narrow": 78_387,
    "ds-cnn-s": 23_756,
    "ds-cnn-m": 138_128,
    "ds-cnn-l": 416_772,
    "tc-resnet8": 65_824,  # published: 66K
    "tc-resnet14": 136_928,  # published: 137K
    "bc-resnet-0.625": 4_585,  # published: 4.6K
    "bc-resnet-1": 9_232,
    "bc-resnet-1.5": 17_154,
    "bc-resnet-2": 27_284,  # published: 27.3K
    "bc-resnet-3": 54_168,  # published: 54.2K
    "bc-resnet-6": 187_812,
    "bc-resnet-8": 321_068,  # published: 321K
}
MULTIPLY_ADDS = {  # published, where the counter is known; half the operations where a paper counts those
    "trad-fpool13": 125e6,
    "tpool2": 103e6,
    "one-stride1": 5.76e6,
    "tdnn": 25.1e6,
    "ds-cnn-s": 2.66e6,
    "ds-cnn-m": 19.8e6 / 2,
    "ds-cnn-l": 56.9e6 / 2,
    "tc-resnet14": 6.1e6 / 2,
    "bc-resnet-1": 2.48e6,  # convolutions alone; 3.1M and 3.6M are published by other counters
    "res15-narrow": 160e6 * (101 * 40) / (99 * 38),  # the paper counts as if the first convolution did not pad
    "res15": 894e6 * (101 * 40) / (99 * 38),
}


def cost(name: str) -> profiling.Profile:
    frontend = models.frontend(name)
    return profiling.profile(models.build(name, 12), torch.zeros(1, 1, frontend.frames(frontend.rate), frontend.bands))


def test_every_baseline_is_here():
    assert PARAMETERS.keys() == {name for name in models.MODELS if not name.startswith(("tinyspeech", "found"))}


@pytest.mark.parametrize("name", PARAMETERS)
def test_costs(name):
    p = cost(name)
    assert p.parameters == PARAMETERS[name]
    if name in MULTIPLY_ADDS:
        assert p.multiply_adds == pytest.approx(MULTIPLY_ADDS[name], rel=0.01)


def test_ds_cnn_s_folded():
    network = models.build("ds-cnn-s", 12)
    norms = sum(p.numel() for m in network.modules() if isinstance(m, nn.BatchNorm2d) for p in m.parameters())
    assert profiling.trainable(network) - norms == 22_604
    assert cost("ds-cnn-s").multiply_adds == 2_656_768


@pytest.mark.parametrize("name, counts", [("x", 10_923), ("y", 6_104), ("z", 2_712), ("m", 4_729)])
def test_tinyspeech_still_counts_weights(name, counts):
    p = cost(f"tinyspeech-{name}")
    assert p.parameters == counts and "folded" in p.counter


def test_any_width_of_bc_resnet():
    counts = [profiling.trainable(baselines.bc_resnet(12, scale)) for scale in (0.625, 0.75, 1, 1.25, 4)]
    assert counts == sorted(set(counts))


@pytest.mark.parametrize(
    "kernel, stride, size", [((10, 4), (2, 2), (49, 10)), ((10, 4), (2, 1), (49, 10)), (3, 2, (25, 10)), (1, 2, (7, 8))]
)
def test_same_padding_shrinks_by_the_stride_and_pads_behind(kernel, stride, size):
    conv = baselines.SameConv2d(1, 1, kernel, stride, bias=False)
    (kh, kw), (sh, sw), (h, w) = conv.kernel_size, conv.stride, size
    x = torch.randn(1, 1, h, w)
    y = conv(x)[0, 0]
    assert y.shape == (-(-h // sh), -(-w // sw))
    top, left = (max(0, (n - 1) * s + k - m) // 2 for n, s, k, m in zip(y.shape, conv.stride, conv.kernel_size, size))
    for i, j in ((0, 0), (y.shape[0] - 1, y.shape[1] - 1)):  # the corners, by hand
        total = sum(
            conv.weight[0, 0, a, b] * x[0, 0, r, c]
            for a, r in enumerate(range(i * sh - top, i * sh - top + kh))
            for b, c in enumerate(range(j * sw - left, j * sw - left + kw))
            if 0 <= r < h and 0 <= c < w
        )
        torch.testing.assert_close(y[i, j], torch.as_tensor(total))


def test_sub_spectral_norm_is_a_batch_norm_for_each_group_of_bands():
    norm = baselines.SubSpectralNorm(3, 5)
    x = torch.randn(4, 3, 7, 20) * torch.arange(1.0, 21) + torch.arange(20)
    y = norm(x)
    assert y.shape == x.shape
    for group in range(5):
        part = slice(4 * group, 4 * group + 4)
        alone = nn.BatchNorm2d(3)(x[..., part])
        torch.testing.assert_close(y[..., part], alone)
    norm.norm.weight.data.zero_()
    norm.norm.bias.data.copy_(torch.arange(15.0))  # channel 0's five groups, then channel 1's
    assert norm(x)[0, :, 0, ::4].tolist() == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 12, 13, 14]]


@pytest.mark.parametrize("c_in", [8, 5])
def test_what_a_broadcast_block_adds_over_frequency_is_the_same_everywhere(c_in):
    torch.manual_seed(0)
    block = baselines.BroadcastBlock(c_in, 8, 1, 2).eval()
    x = torch.randn(2, c_in, 9, 10)
    across = block.f2(x)
    along = block.f1(across.mean(3, keepdim=True))
    assert along.shape == (2, 8, 9, 1)
    torch.testing.assert_close(block(x), torch.relu(across + along + (x if c_in == 8 else 0)))


def test_residual_networks_add_every_second_layer():
    """By hand, from the layers of res8-narrow, as the reference code walks through them."""
    torch.manual_seed(0)
    network = models.build("res8-narrow", 12).eval()
    x = torch.randn(2, 1, 101, 40)
    old = y = nn.functional.avg_pool2d(torch.relu(network.stem(x)), (4, 3))
    for i in range(0, 6, 2):
        y = network.norms[i](torch.relu(network.convs[i](y)))
        old = torch.relu(network.convs[i + 1](y)) + old
        y = network.norms[i + 1](old)
    torch.testing.assert_close(network(x), network.classifier(y.flatten(2).mean(2)))


def test_dilation_of_res15():
    reach = [conv.dilation[0] for conv in models.build("res15-narrow", 12).convs]
    assert reach == [1, 1, 1, 2, 2, 2, 4, 4, 4, 8, 8, 8, 16]


@pytest.mark.parametrize(
    "name, size", [("ds-cnn-s", (49, 10)), ("tc-resnet8", (98, 40)), ("bc-resnet-1", (101, 40)), ("tpool2", (101, 40))]
)
def test_front_ends_give_the_papers_maps(name, size):
    config = models.frontend(name)
    audio = torch.randn(2, 16_000)
    x = Frontend(config)(audio)
    assert x.shape == (2, 1, *size) and size == (config.frames(16_000), config.bands)


def test_windows_that_lie_within_the_clip():
    frontend = Frontend(models.frontend("ds-cnn-s")).double()
    audio = torch.randn(1, 16_000, dtype=torch.float64)
    x = frontend.features(audio)
    window = frontend.config.window
    torch.testing.assert_close(x[:, :1], frontend.features(audio[:, :window]))
    torch.testing.assert_close(x[:, -1:], frontend.features(audio[:, 48 * 320 : 48 * 320 + window]))


def test_tdnn_hears_most_of_a_word_at_once():
    network = models.build("tdnn", 12).eval()
    x = torch.randn(1, 1, 101, 40, requires_grad=True)
    frames = nn.Sequential(*list(network)[:-1])(x)  # [1, classes, 101, 1]
    frames[0, :, 50].sum().backward()
    heard = x.grad[0, 0].abs().sum(1).nonzero().flatten()
    assert 60 <= int(heard.max() - heard.min()) + 1 <= 71  # 11 + 4 + 14 * 4, less where the maximum looks away
