"""Training with rounded numbers: the gradient that passes straight through, the network that is left, and bits where they do no harm."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from tests import networks
from tinycourse import models
from tinycourse.errors import TinycourseError
from tinycourse.models.cells import CellConfig, Recurrent
from tinycourse.models.rnnt import RNNTConfig, Transducer
from tinycourse.program.affine import dequantize, quantize
from tinycourse.quantization import qat
from tinycourse.quantization.post_training import to_program

RECURRENT = [CellConfig(kind, 6, 4, norm, clip=10.0) for kind in ("lstm", "cifg", "sru") for norm in (False, True)]


def words() -> nn.Module:
    """A network of words in small: convolution, batch norm with something to fold, and a linear layer."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 5))
    network(torch.randn(64, 1, 6, 6))
    nn.init.normal_(network[1].weight, 1, 0.5)
    return network.eval()


# ------------------------------------------------------------------------------------------ one tensor


@pytest.mark.parametrize("zero_point, low, high", [(0, -7, 7), (-30, -128, 127)])
def test_rounding_is_torchs_own_and_so_is_its_gradient(zero_point, low, high):
    """torch.fake_quantize_per_tensor_affine is an independent implementation of both."""
    random = torch.Generator().manual_seed(0)
    x, slope = torch.randn(500, generator=random) * 4, torch.randn(500, generator=random)
    scale, results = 0.0371 if low < -100 else 0.9, []
    for f in (lambda x: qat.StraightThrough.apply(x, scale, zero_point, low, high),
              lambda x: torch.fake_quantize_per_tensor_affine(x, scale, zero_point, low, high)):  # fmt: skip
        leaf = x.clone().requires_grad_()
        y = f(leaf)
        y.backward(slope)
        results.append((y.detach(), leaf.grad))
    torch.testing.assert_close(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    assert 0 < (results[0][1] == 0).sum() < 250  # some were cut off


@pytest.mark.parametrize("bits", [8, 4])
def test_weights_lie_on_the_steps_of_their_rows_and_move_half_a_step_at_most(bits):
    weight = torch.randn(6, 3, 3, 3) * torch.tensor([1e-4, 1, 1, 30, 1, 0]).view(-1, 1, 1, 1)
    scale, back = qat.row_scales(weight, bits), qat.round_rows(weight, bits)
    q = (back / scale).round()
    assert torch.equal(q * scale, back) and float(q.abs().max()) == 2 ** (bits - 1) - 1
    assert ((back - weight).abs() <= scale / 2 * (1 + 2.0**-20)).all()
    assert not back[5].any()
    if bits == 8:
        np.testing.assert_array_equal(q.numpy(), quantize(weight.numpy(), scale.double().numpy()))
    leaf = weight.clone().requires_grad_()
    qat.round_rows(leaf, bits).backward(slope := torch.randn_like(weight))
    assert torch.equal(leaf.grad, slope)  # nothing is cut off


def test_a_rounded_weight_learns_what_its_rounding_hides():
    """Steps far below half a step of the grid add up behind the rounding: without the straight gradient nothing would ever move."""
    layer = qat.prepare(nn.Sequential(nn.Linear(2, 1, bias=False)), 4, inputs=False)
    layer[0].parametrizations.weight.original.data = torch.tensor([[7.0, 1.0]])
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.02)
    seen = []
    for _ in range(80):
        loss = (layer(torch.tensor([[0.0, 1.0]])) - 3).square().sum() / 2
        seen.append(layer[0].weight[0, 1].item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert seen[0] == seen[5] == 1 and 2 in seen and seen[-1] == 3


# ------------------------------------------------------------------------------------------ a network


@pytest.mark.parametrize("bits", [8, 4])
def test_a_stripped_network_is_plain_and_computes_what_the_rounded_one_did(bits):
    network, x = words(), torch.randn(10, 1, 6, 6)
    plain = copy.deepcopy(network)
    expected = qat.prepare(network, bits, inputs=False)(x)
    assert not torch.allclose(expected, plain(x))
    stripped = qat.strip(network)
    assert stripped.state_dict().keys() == plain.state_dict().keys() and type(stripped[0]) is nn.Conv2d
    assert torch.equal(stripped(x), expected)  # the very same numbers
    again = qat.rounded(stripped, bits)
    for a, b in zip(again.parameters(), stripped.parameters()):
        torch.testing.assert_close(a, b, rtol=2.0**-22, atol=0)  # who is on a step stays there


def test_batch_norm_behind_it_leaves_the_weights_on_their_steps():
    network, x = words(), torch.randn(200, 1, 6, 6)
    q = {name: (w := qat.round_rows(getattr(layer, own).detach(), 8)) / qat.row_scales(w, 8) for name, (layer, own) in
         qat.matrices(network).items()}  # fmt: skip
    program = to_program(qat.strip(qat.prepare(network, 8)), x)
    conv, linear = (op.arrays["weight"] for op in program.operations if "weight" in op.arrays)
    sign = network[1].weight.detach().sign().view(-1, 1, 1, 1)  # a batch norm may turn a filter over
    assert np.array_equal(conv.transpose(0, 3, 1, 2), (q["0.weight"].round() * sign).numpy())
    in_order = q["4.weight"].round().view(5, 8, 4, 4).permute(0, 2, 3, 1).flatten(1)  # a program has channels last
    assert np.array_equal(linear, in_order.numpy())


def test_four_bits_survive_the_eight_of_a_program():
    """On at most 15 values a row, and each within half an 8-bit step of where it was."""
    network, x = qat.rounded(words(), 4), torch.randn(200, 1, 6, 6)
    for op in to_program(network, x).operations:
        if "weight" in op.arrays:
            assert all(len(np.unique(np.abs(row))) <= 8 for row in op.arrays["weight"].reshape(len(op.arrays["weight"]), -1))


def test_inputs_are_rounded_to_the_moving_average_of_their_range_and_only_training_moves_it():
    network = qat.prepare(nn.Sequential(nn.Linear(3, 2)), 8)
    (hook,) = network[0]._forward_pre_hooks.values()
    x = torch.tensor([[-1.0, 0.3, 2.0]])
    network.eval()(x)
    assert hook.observer.low > hook.observer.high  # nothing seen yet
    network.train()(x)
    network(3 * x)
    assert hook.observer.range() == pytest.approx((-1.2, 2.4))
    network.eval()(100 * x)
    assert hook.observer.range() == pytest.approx((-1.2, 2.4))
    scale, zero_point = 3.6 / 255, round(-128 + 1.2 / (3.6 / 255))
    seen = []
    network[0].register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    network(x)
    np.testing.assert_allclose(seen[0].numpy(), dequantize(quantize(x.numpy(), scale, zero_point), scale, zero_point), rtol=1e-5)


@pytest.mark.parametrize("config", RECURRENT, ids=lambda c: c.kind + (", normalised" if c.layer_norm else ""))
def test_recurrent_layers_are_rounded_in_training_too(config):
    torch.manual_seed(0)
    layer, x = Recurrent(5, config), torch.randn(2, 7, 5)
    by_hand = copy.deepcopy(layer)
    for name in ("weight_input", "weight_recurrent", "weight_projection"):
        if getattr(by_hand, name) is not None:
            getattr(by_hand, name).data = qat.round_rows(getattr(by_hand, name).detach(), 4)
    qat.prepare(layer, 4, inputs=False)
    assert torch.equal(layer(x)[0], by_hand(x)[0])
    layer(x)[0].square().sum().backward()
    by_hand(x)[0].square().sum().backward()
    for name in layer.parametrizations:
        assert torch.equal(layer.parametrizations[name].original.grad, getattr(by_hand, name).grad)
    assert torch.equal(qat.strip(layer)(x)[0], by_hand(x)[0])
    assert type(layer) is Recurrent


def test_a_transducer_is_prepared_and_stripped_whole():
    torch.manual_seed(0)
    network = Transducer(RNNTConfig(features=4, cell=CellConfig(units=6), prediction=CellConfig(units=5), embedding=3, joint=6), 4).eval()
    names = list(qat.matrices(network))
    assert "encoder.layers.1.weight_recurrent" in names and "joint.output.weight" in names
    assert not any("embedding" in name for name in names)
    x = torch.randn(2, 1, 24, 4)
    keys, labels = network.state_dict().keys(), torch.tensor([[1, 2], [3, 1]])
    prepared = qat.prepare(network.train(), 8)
    prepared(x, labels).square().sum().backward()
    assert all(p.grad is not None for p in prepared.parameters())
    assert qat.strip(prepared).state_dict().keys() == keys


def test_a_real_network_learns_with_four_bits():
    torch.manual_seed(0)
    network, x = models.build("ds-cnn-s", 3), torch.randn(24, 1, 49, 10)
    y = torch.arange(24) % 3
    x = x + y.view(-1, 1, 1, 1)
    optimizer = torch.optim.Adam(qat.prepare(network, 4).train().parameters(), 0.003)
    losses = []
    for _ in range(12):
        loss = nn.functional.cross_entropy(network(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    program = to_program(qat.strip(network.eval()), x)
    assert program.operations


# ------------------------------------------------------------------------------------------ bits where they do no harm


def test_bytes_are_counted_with_factors_and_whole_bytes():
    network = nn.Sequential(nn.Linear(5, 3), nn.Linear(3, 2))
    assert qat.weight_bytes(network, 8) == 3 * (5 + 5) + 2 * (3 + 5)
    assert qat.weight_bytes(network, {"0.weight": 4}) == 3 * (3 + 5) + 2 * (3 + 5)


def test_bytes_of_eight_bits_are_those_of_the_program():
    network = networks.build("mlp")
    program, biases = networks.program("mlp"), 0
    for op in program.operations:
        biases += op.arrays["bias"].nbytes if "bias" in op.arrays else 0
    assert qat.weight_bytes(network, 8) == sum(op.weight_bytes for op in program.operations if "weight" in op.arrays) - biases


def test_sensitivity_names_the_layer_that_matters_and_leaves_the_network_alone():
    network, x = words(), torch.randn(50, 1, 6, 6)
    before = copy.deepcopy(network.state_dict())
    rows = {(row.name, row.bits): row for row in qat.sensitivity(network, x)}
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())
    for name in qat.matrices(network):
        assert 18 < rows[name, 8].snr - rows[name, 4].snr < 32  # 127 against 7 steps: 25 dB
        by_hand = qat.signal_to_noise(qat.answer(network, x), qat.answer(qat.rounded(network, {name: 4} | dict.fromkeys(
            set(qat.matrices(network)) - {name}, 8)), x))  # fmt: skip
        assert rows[name, 4].snr == pytest.approx(by_hand, abs=0.5)  # the other layer's 8 bits hardly count
        assert rows[name, 8].bytes - rows[name, 4].bytes == qat.weight_bytes(network, 8) - qat.weight_bytes(network, {name: 4})


def test_mixed_keeps_the_budget_and_spends_it_where_it_counts():
    def rows(**layers):
        return [qat.Sensitivity(name, bits, snr, size) for name, pair in layers.items() for bits, (snr, size) in zip((8, 4), pair)]

    made = rows(tough=[(60, 1000), (40, 500)], frail=[(60, 1000), (10, 500)], tiny=[(60, 100), (11, 90)])
    assert qat.mixed(made, 2100) == {"tough": 8, "frail": 8, "tiny": 8}
    assert qat.mixed(made, 1600) == {"tough": 4, "frail": 8, "tiny": 8}
    assert qat.mixed(made, 1090) == {"tough": 4, "frail": 4, "tiny": 4}
    with pytest.raises(TinycourseError, match="1,090 bytes, more than 1,000"):
        qat.mixed(made, 1000)
    assert qat.expected_snr(made, {"tough": 4, "frail": 8, "tiny": 8}) == pytest.approx(-10 * np.log10(1e-4 + 2e-6))


def test_noise_powers_of_layers_add():
    """They are nearly independent, so within 1 dB here."""
    network, x = words(), torch.randn(400, 1, 6, 6)
    rows, chosen = qat.sensitivity(network, x), {"0.weight": 4, "4.weight": 4}
    measured = qat.signal_to_noise(qat.answer(network, x), qat.answer(qat.rounded(network, chosen), x))
    assert measured == pytest.approx(qat.expected_snr(rows, chosen), abs=1)


# ------------------------------------------------------------------------------------------ bad input


def test_what_cannot_be_is_refused():
    with pytest.raises(TinycourseError, match="No weight is called 'last'"):
        qat.rounded(words(), {"last": 4})
    with pytest.raises(TinycourseError, match="2 to 8 bits, not 16"):
        qat.rounded(words(), 16)
    with pytest.raises(TinycourseError, match="no weight to round"):
        qat.prepare(nn.ReLU())
    with pytest.raises(TinycourseError, match="already: strip it first"):
        qat.prepare(qat.prepare(words()))
