"""The traced and folded graph is the module; what has no integer form is refused by name and path."""

import copy
import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

from tests import networks
from tests.networks import Lambda
from tinycourse.quantization.tracing import UnsupportedOperation, trace

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")  # torch on even kernels: slow, not wrong


@pytest.mark.parametrize("name", networks.ALL)
def test_graph_computes_what_the_module_computes(name):
    x, network = networks.inputs(name).double(), copy.deepcopy(networks.build(name)).double()
    with torch.no_grad():
        expected, got = network(x), networks.graph(name).run(x)
    assert got.shape == expected.shape
    assert (got - expected).abs().max() <= 2.0**-20 * expected.abs().max()  # constants were computed in float32: a few roundings


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_folding_is_exact(name):
    """In double precision nothing but rounding of doubles is left between the folded graph and the module."""
    x, network = networks.inputs(name).double(), copy.deepcopy(networks.build(name)).double()
    with torch.no_grad():
        torch.testing.assert_close(networks.graph(name).run(x), network(x), rtol=0, atol=1e-12)


def kinds(name):
    return [node.kind for node in networks.graph(name).nodes[1:]]


@pytest.mark.parametrize(
    "name, expected",
    {
        "conv, batch norm": "conv",
        "linear, batch norm, relu": "linear",
        "batch norm alone": "scale",
        "conv, relu, hardtanh": "conv",
        "sigmoid, clamp": "lookup",
        "relu, batch norm": "conv scale",
        "relu twice read": "conv clamp add",
        "batch norm twice read": "conv add",
        "selective attention, batch norm": "conv add",
        "conv, parameter [C, 1, W], relu": "conv scale",
        "scale in bands, batch norm": "scale",
        "sub-spectral norm": "conv scale",
        "sub-spectral norm alone": "scale",
        "transposed maps, added": "lookup add",
        "repeat, depthwise": "conv",
        "cat of slices": "shift",
        "repeat": "shift",
        "cat": "conv lookup pad pad add pad add",
        "conv along time": "reshape conv",
        "fpool": "conv max_pool conv reshape linear linear linear",
        "upsample, crop": "upsample",
        "interpolate to a size": "max_pool upsample",
        "slices": "crop",
        "pad, conv": "conv",
        "pad channels, conv": "pad conv",
        "squeeze twice": "max_pool reshape",
        "dropout, identity": "clamp",
        "ds-cnn": "conv conv conv conv conv average_pool reshape linear",
    }.items(),
)
def test_neighbours_merge(name, expected):
    assert kinds(name) == expected.split()


def test_condenser_is_seven_operations():
    """V' = S * V + A, its batch norm and its ReLU are one addition."""
    assert kinds("tinyspeech")[:7] == ["conv", "max_pool", "conv", "conv", "upsample", "crop", "add"]


def test_paths_name_the_modules():
    paths = {node.path for node in networks.graph("tinyspeech").nodes[1:]}
    assert {"stem.0", "blocks.0.0.depthwise", "blocks.1.1.pointwise", "last.0", "classify"} <= paths


def test_module_stays_as_it_is():
    network = networks.TinySpeech().train()
    network.blocks[0].eval()
    before, flags = copy.deepcopy(network.state_dict()), [m.training for m in network.modules()]
    trace(network, (1, 25, 18))
    assert [m.training for m in network.modules()] == flags
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert all(p.requires_grad for p in network.parameters())


def test_batch_size_does_not_matter():
    x, graph = networks.inputs("tinyspeech").double(), networks.graph("tinyspeech")
    torch.testing.assert_close(graph.run(x)[:1], graph.run(x[:1]), rtol=0, atol=1e-12)


class Counting(nn.Module):
    """Keeps a count of its calls in a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(1))

    def forward(self, x):
        self.count += 1
        return x * 2


def nested(module):
    """The module at the path features.1.norm, behind a convolution."""
    inner = nn.Sequential()
    inner.add_module("norm", module)
    outer = nn.Sequential()
    outer.add_module("features", nn.Sequential(nn.Conv2d(4, 4, 1), inner))
    return outer


def broken_convolution():
    """One of its weights is not a number, as after a training that went wrong."""
    layer = nn.Conv2d(4, 4, 1)
    layer.weight.data[1, 2] = torch.nan
    return layer


REFUSED = {
    "layer norm": (nested(nn.LayerNorm(7)), "features.1.norm (aten.layer_norm)"),
    "group norm": (nested(nn.GroupNorm(2, 4)), "features.1.norm (aten.group_norm)"),
    "instance norm": (nested(nn.InstanceNorm2d(4)), "features.1.norm (aten.instance_norm)"),
    "transposed convolution": (nested(nn.ConvTranspose2d(4, 4, 2)), "features.1.norm (aten.conv_transpose2d)"),
    "softmax": (nested(nn.Softmax(1)), "features.1.norm (aten.softmax)"),
    "prelu": (nested(nn.PReLU(4)), "features.1.norm (aten.prelu)"),
    "circular padding": (nested(nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular")), "features.1.norm (aten.pad)"),
    "dropout in evaluation": (Lambda(lambda m, x: F.dropout(x, 0.5)), "Lambda (aten.dropout): it draws random numbers; a chip has none"),
    "dropout in place": (Lambda(lambda m, x: F.dropout(F.relu(x, inplace=True), 0.5)), "Lambda (aten."),
    "batch statistics": (nested(nn.BatchNorm2d(4, track_running_stats=False)), "features.1.norm (aten.batch_norm)"),
    "max pool, dilation": (nested(nn.MaxPool2d(2, dilation=2)), "features.1.norm (aten.max_pool2d): a pool with dilation"),
    "average pool, padding": (
        nested(nn.AvgPool2d(3, padding=1, count_include_pad=False)),
        "features.1.norm (aten.avg_pool2d): an average pool with",
    ),
    "average pool, ceil": (nested(nn.AvgPool2d(2, ceil_mode=True)), "features.1.norm (aten.avg_pool2d)"),
    "adaptive average": (nested(nn.AdaptiveAvgPool2d(2)), "features.1.norm (aten.adaptive_avg_pool2d)"),
    "bilinear": (nested(nn.Upsample(scale_factor=2, mode="bilinear")), "features.1.norm (aten.upsample_bilinear2d)"),
    "upsample by 1.5": (nested(nn.Upsample(scale_factor=1.5)), "features.1.norm (aten.upsample_nearest2d)"),
    "linear on maps": (nested(nn.Linear(7, 3)), "features.1.norm (aten.linear): a linear layer needs a vector"),
    "pad with ones": (nested(nn.ConstantPad2d(1, 1.0)), "features.1.norm (aten.pad)"),
    "pad by less than nothing": (nested(nn.ZeroPad2d(-1)), "features.1.norm (aten.pad)"),
    "conv1d": (Lambda(lambda m, x: m.parts[0](x.mean(2).mT), nn.Conv1d(7, 3, 3)), "parts.0 (aten.conv1d): its input [7, 4] is a view"),
    "conv3d": (Lambda(lambda m, x: m.parts[0](x.unsqueeze(2)), nn.Conv3d(4, 3, 1)), "parts.0 (aten.conv3d)"),
    "joined clips": (Lambda(lambda m, x: torch.cat([x, x])), "Lambda (aten.cat): its result [4, 4, 9, 7]"),
    "joined with a constant": (Lambda(lambda m, x: torch.cat([x, m.p], 1), p=torch.ones(2, 1, 9, 7)), "Lambda (aten.cat): only maps"),
    "permute": (Lambda(lambda m, x: m.parts[0](x.permute(0, 1, 3, 2)), nn.Conv2d(4, 4, 1)), "parts.0 (aten.conv2d): its input [4, 7, 9]"),
    "transpose": (Lambda(lambda m, x: F.max_pool2d(x.transpose(2, 3), 2)), "Lambda (aten.max_pool2d): its input [4, 7, 9] is a view"),
    "a transposed map and a map": (Lambda(lambda m, x: x[..., :7, :] + x[..., :7, :].mT), "Lambda (aten.add): its input [4, 7, 7]"),
    "a transposed map as output": (Lambda(lambda m, x: x.mT), "Lambda ([4, 9, 7] as [4, 7, 9]): what it returns is a view"),
    "turned channels": (Lambda(lambda m, x: x.view(len(x), 4, 63).flip(2).view_as(x)), "Lambda (aten.flip)"),
    "clips into channels": (Lambda(lambda m, x: x.reshape(2, 2, 2, 9, 7).transpose(0, 1).mean(1)), "mixes the clips of a batch"),
    "mean over channels": (Lambda(lambda m, x: x.mean(1, keepdim=True)), "Lambda (aten.mean)"),
    "mean over everything": (Lambda(lambda m, x: x * x.mean()), "Lambda (aten.mean)"),
    "mean over the batch": (Lambda(lambda m, x: x.mean(0, keepdim=True)), "Lambda (aten.mean)"),
    "half of the batch": (Lambda(lambda m, x: x[:1]), "Lambda (aten.slice)"),
    "every second column": (Lambda(lambda m, x: x[..., ::2]), "Lambda (aten.slice)"),
    "argmax": (Lambda(lambda m, x: x.argmax(1)), "Lambda (aten.argmax)"),
    "division": (Lambda(lambda m, x: x / (x.abs() + 1)), "Lambda (aten.div)"),
    "reciprocal": (Lambda(lambda m, x: 1 / x), "Lambda (aten.reciprocal)"),
    "constant over activation": (Lambda(lambda m, x: torch.div(m.p, x), p=torch.ones(4, 1, 1)), "Lambda (aten.div)"),
    "floor division": (Lambda(lambda m, x: torch.div(x, 2, rounding_mode="floor")), "Lambda (aten.div)"),
    "a number per clip": (Lambda(lambda m, x: x * m.p, p=torch.ones(2, 1, 1, 1)), "Lambda (aten.mul): a constant of shape [2, 1, 1, 1]"),
    "a constant that widens": (Lambda(lambda m, x: x[:, :1] * m.p, p=torch.ones(4, 1, 1)), "Lambda (aten.mul)"),
    "bounds that are tensors": (Lambda(lambda m, x: torch.clamp(x, max=m.p), p=torch.ones(1)), "Lambda (aten.clamp)"),
    "weights from the input": (Lambda(lambda m, x: F.conv2d(x, x[:, :, :1, :1])), "Lambda (aten.conv2d): its weights may not"),
    "reshape of positions": (Lambda(lambda m, x: x.reshape(-1, 7, 9, 4).amax(3, keepdim=True)), "Lambda (aten.amax): its input [7, 9, 4]"),
    "repetition in a row": (Lambda(lambda m, x: x.repeat_interleave(2)[:2]), "Lambda (aten.repeat_interleave)"),
    "matrix product": (Lambda(lambda m, x: x @ x.mT), "(aten."),
    "two outputs": (Lambda(lambda m, x: (x, x * 2)), "Lambda must return one tensor"),
    "a tuple of one": (Lambda(lambda m, x: (x * 2,)), "computed from the input, not a collection"),
    "a dictionary": (Lambda(lambda m, x: {"scores": x * 2}), "computed from the input, not a collection"),
    "nothing": (Lambda(lambda m, x: None), "Lambda must return one tensor"),
    "an output of three axes": (Lambda(lambda m, x: x.flatten(2)), "not one of 3 axes"),
    "a flattened map as output": (nn.Flatten(), "Flatten ([4, 9, 7] as [252]): what it returns is a view"),
    "an output without input": (Lambda(lambda m, x: m.p * 2, p=torch.ones(2, 3)), "Lambda must return one tensor"),
    "state": (Counting(), "Counting may not change its own buffers in its forward, as it does with count"),
    "state of a part": (nested(Counting()), "as it does with features.1.norm.count"),
    "control flow on data": (
        nested(Lambda(lambda m, x: x if x.max() > 0 else -x)),
        "features.1.norm cannot be traced: what it does depends",
    ),
    "a number read from data": (Lambda(lambda m, x: x * x.max().item()), "Lambda (aten.max)"),
    "random mask": (nested(Lambda(lambda m, x: x * torch.rand(4, 1, 1))), "features.1.norm (aten.rand): it draws random numbers; a chip"),
    "random noise": (Lambda(lambda m, x: x + torch.randn_like(x)), "Lambda (aten.randn_like): it draws random numbers"),
    "random signs": (Lambda(lambda m, x: x * torch.randint(0, 2, (4, 1, 1))), "Lambda (aten.randint): it draws random numbers"),
    "random order": (Lambda(lambda m, x: x[:, torch.randperm(4)]), "Lambda (aten.randperm): it draws random numbers"),
    "random in place": (Lambda(lambda m, x: x + torch.empty(4, 1, 1).normal_()), "it draws random numbers"),
    "random choice": (Lambda(lambda m, x: x * torch.bernoulli(m.p), p=torch.full((4, 1, 1), 0.5)), "(aten.bernoulli): it draws random"),
    "dropout of weights": (Lambda(lambda m, x: F.conv2d(x, F.dropout(m.p)), p=torch.ones(4, 4, 1, 1)), "(aten.dropout): it draws random"),
    "Python's random": (Lambda(lambda m, x: x * random.random()), "Lambda draws random numbers in its forward, of Python or numpy"),
    "numpy's random": (Lambda(lambda m, x: x * float(np.random.rand())), "Lambda draws random numbers in its forward, of Python or numpy"),
    "memory as it was": (Lambda(lambda m, x: x + torch.empty(4, 1, 1)), "Lambda (aten.add): its weights or constants are not all finite"),
    "a weight that is not a number": (nested(broken_convolution()), "features.1.norm (aten.conv2d): its weights or constants are not all"),
    "no channels": (Lambda(lambda m, x: x[:, :0]), "Lambda (aten.slice): its result [2, 0, 9, 7] is empty"),
    "complex numbers": (nested(Lambda(lambda m, x: torch.fft.fft(x).abs())), "features.1.norm (aten.fft_fft)"),
    "integers": (Lambda(lambda m, x: x.int()), "Lambda (aten.to): its result [2, 4, 9, 7] is no float map"),
    "an input of integers": (
        nested(nn.Embedding(4, 3)),
        "Sequential cannot be traced with an input of shape [2, 4, 9, 7] (in features.1.norm)",
    ),
    "two inputs": (nn.Bilinear(7, 7, 3), "Bilinear cannot be traced"),
    "weights without numbers": (nn.Conv2d(4, 4, 1, device="meta"), "Conv2d cannot be copied"),
    "weights that are not there yet": (nn.LazyConv2d(4, 1), "LazyConv2d cannot be traced"),
    "wrong shape": (nn.Conv2d(3, 4, 1), "Conv2d cannot be traced with an input of shape [2, 4, 9, 7]"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_unsupported_is_refused_by_name_and_path(name):
    network, words = REFUSED[name]
    with pytest.raises(UnsupportedOperation) as error:
        trace(network, (4, 9, 7))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_refusal_prints_nothing(capfd):
    with pytest.raises(UnsupportedOperation):
        trace(REFUSED["control flow on data"][0], (4, 9, 7))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("shape", [(), (0, 9, 7), (4, 9, 7, 2), (4, 9.0, 7), (-1, 9, 7), (True, 9, 7)])
def test_a_shape_that_no_map_has_is_refused(shape):
    with pytest.raises(UnsupportedOperation, match="ReLU needs the shape of its input without the batch"):
        trace(nn.ReLU(), shape)


def small():
    return nn.Sequential(nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 4, 1))


def hooked(change):
    """A network whose first weight something makes of others at every call, after a step of training."""
    network = small()
    change(network[0])
    network(torch.randn(2, 4, 9, 7)).square().sum().backward()
    torch.optim.SGD(network.parameters(), 0.1).step()
    return network


def shared():
    layer = nn.Conv2d(4, 4, 3, padding=1)
    return nn.Sequential(layer, nn.ReLU(), layer)


RIGHT = {
    "pruned, not yet removed": lambda: hooked(lambda layer: prune.l1_unstructured(layer, "weight", 0.5)),
    "pruned twice": lambda: hooked(lambda layer: prune.ln_structured(prune.l1_unstructured(layer, "weight", 0.5), "weight", 0.5, 2, dim=0)),
    "a pruned bias": lambda: hooked(lambda layer: prune.random_unstructured(layer, "bias", 0.5)),
    "old weight norm": lambda: hooked(weight_norm),
    "old spectral norm": lambda: hooked(spectral_norm),
    "weight norm": lambda: hooked(parametrizations.weight_norm),
    "spectral norm": lambda: hooked(parametrizations.spectral_norm),
    "a layer called twice": shared,
    "in place on its input": lambda: Lambda(lambda m, x: x.mul_(2).relu_()),
    "a first activation in place": lambda: nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(4, 3, 1)),
    "memory that is filled": lambda: Lambda(lambda m, x: x + torch.empty(4, 1, 1).fill_(3)),
    "batch norm in training mode": lambda: nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)).train(),
    "double precision": lambda: small().double(),
    "half precision": lambda: small().half(),
    "no gradients": lambda: small().requires_grad_(False),
}


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
@pytest.mark.parametrize("name", RIGHT)
def test_whatever_the_network_is_made_with_the_graph_computes_the_same(name):
    torch.manual_seed(0)
    network, x = RIGHT[name](), torch.randn(2, 4, 9, 7)
    graph = trace(network, (4, 9, 7))
    with torch.no_grad():
        expected = network.float().eval()(x.clone())
    torch.testing.assert_close(graph.run(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU])
def test_recurrent_layers_are_refused_by_name(cell):
    with pytest.raises(UnsupportedOperation, match=rf"^{cell.__name__} \(aten.{cell.__name__.lower()}\)"):
        trace(cell(7, 3, batch_first=True), (9, 7))


def test_a_refusal_says_what_is_supported():
    with pytest.raises(UnsupportedOperation, match="supported are .*conv2d, .*linear, .*sigmoid"):
        trace(nn.Softmax(1), (3,))
