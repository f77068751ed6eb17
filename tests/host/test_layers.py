"""Recurrent layers in C on this computer are those of Python: integers on every bit, floats as near as their exponential function."""

import numpy as np
import pytest
import torch

from tests import networks
from tinycourse.errors import TinycourseError
from tinycourse.host.layers import FloatLayer, HybridLayer, IntegerLayers, sparse_blocks
from tinycourse.models.cells import CellConfig, Recurrent
from tinycourse.pruning.masks import choose
from tinycourse.quantization import dynamic
from tinycourse.quantization.recurrent_layers import quantize_layers, run_steps

CONFIGS = [
    CellConfig(kind, units=20, projection=projection, layer_norm=norm, clip=clip)
    for kind in ("lstm", "cifg", "sru") for projection in (None, 12) for norm, clip in ((False, None), (True, 0.7))
]  # fmt: skip


def layer_of(config: CellConfig, inputs: int = 13, sparsity: float = 0.0, seed: int = 0) -> Recurrent:
    torch.manual_seed(seed)
    layer = Recurrent(inputs, config)
    for name, p in layer.named_parameters():
        p.data.normal_(1.0 if name == "scale" else 0.0, 0.5)
        if p.ndim == 2 and sparsity:
            p.data *= choose({"w": p.data}, (8, 1), sparsity)["w"]
    return layer.eval()


@pytest.mark.parametrize("sparsity", [0.0, 0.6])
@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_float(config, sparsity):
    layer, x = layer_of(config, sparsity=sparsity), torch.randn(1, 30, 13)
    assert sparse_blocks(layer.weight_input.detach().numpy()) == bool(sparsity)
    ours, expected = FloatLayer(layer), layer(x)[0][0].detach().numpy()
    for _ in range(2):  # the second time after it has forgotten the first
        ours.start()
        got = np.stack([ours(frame) for frame in x[0].numpy()])
        assert np.abs(got - expected).max() <= 2e-5 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("sparsity", [0.0, 0.6])
@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_hybrid(config, sparsity):
    """From one state to the next. Where floats differ in the last bit, what is projected may be rounded to the neighbouring integer."""
    layer, x = layer_of(config, sparsity=sparsity), torch.randn(30, 1, 13)
    ours, reference = HybridLayer(layer), dynamic.HybridRecurrent(layer)
    state = reference.start(1)
    for frame in x:
        ours.m, ours.c = (one[0].detach().numpy().copy() for one in state)
        got = ours(frame[0].numpy())
        with torch.no_grad():
            expected, state = reference.step(frame, state)
        step = np.abs(ours.hidden).max() / 127 * np.abs(layer.weight_projection.detach().numpy()).max() if config.projection else 0
        assert np.abs(got - expected[0].numpy()).max() <= 2e-5 * max(1, np.abs(got).max()) + 2 * step


def test_an_exponential_function_that_overflows_nowhere():
    layer = layer_of(CellConfig("lstm", units=8), inputs=8)
    layer.weight_input.data = torch.randn(32, 8) * 1e4
    got = FloatLayer(layer)(np.ones(8, np.float32))
    assert np.isfinite(got).all() and np.allclose(got, layer(torch.ones(1, 1, 8))[0][0, 0].detach(), atol=1e-6)


@pytest.mark.parametrize("sparsity", [0.0, 0.6])
@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_integers_to_the_bit(config, sparsity):
    second = Recurrent(config.outputs, config)
    heard = [torch.randn(25, 13) for _ in range(3)]
    program, _ = quantize_layers([layer_of(config, sparsity=sparsity), second], heard)
    x = program.quantize_input(3 * torch.randn(1, 60, 13).numpy())  # louder than what the scales were chosen on
    expected, _ = run_steps(program, x)
    for flags in ((), ("-DTN_PLAIN",)):
        ours = IntegerLayers(program, flags)
        for _ in range(2):
            ours.start()
            assert np.array_equal(np.stack([ours(frame) for frame in x[0]]), expected[0])


def test_gates_that_pull_in_two_directions():
    """Each product leaves 16 bits by itself, and their sum does not: it must be added before it is cut."""
    layer = layer_of(CellConfig("lstm", units=8), inputs=8)
    layer.weight_input.data.fill_(4.0)
    layer.weight_recurrent.data.fill_(-4.0)
    program, _ = quantize_layers([layer], [torch.rand(20, 8)])
    x = program.quantize_input(torch.rand(1, 40, 8).numpy())
    ours = IntegerLayers(program)
    assert np.array_equal(np.stack([ours(frame) for frame in x[0]]), run_steps(program, x)[0][0])


def test_what_it_does_not_take():
    layer = layer_of(CellConfig("sru", units=8))
    program, _ = quantize_layers([layer], [torch.randn(9, 13)])
    with pytest.raises(TinycourseError, match=r"take int8 \[13\], not float32 \[13\]"):
        IntegerLayers(program)(np.zeros(13, np.float32))
    with pytest.raises(TinycourseError, match="conv is no part of a recurrent layer"):
        IntegerLayers(networks.program("conv"))
