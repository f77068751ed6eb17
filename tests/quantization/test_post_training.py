"""Integers stay within the error that theory allows, element by element; every observer gives a program."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests import networks
from tinycourse.errors import TinycourseError
from tinycourse.program.affine import affine_parameters, dequantize, quantize
from tinycourse.quantization.observers import OBSERVERS, Percentile
from tinycourse.quantization.post_training import channels_last, error_report, signal_to_noise, to_program
from tinycourse.quantization.tracing import UnsupportedOperation

# ------------------------------------------------------------------------------------------ one tensor


@pytest.mark.parametrize("seed", range(20))
def test_rounding_error_is_at_most_half_a_step(seed):
    random = np.random.default_rng(seed)
    low, high = np.sort(random.normal(0, 10.0 ** random.integers(-6, 6), 2))
    scale, zero_point = affine_parameters(low, high)
    x = np.concatenate([random.uniform(min(low, 0), max(high, 0), 10_000), [low, high, 0.0]])
    q = quantize(x, scale, zero_point)
    assert q.dtype == np.int8
    assert np.abs(dequantize(q, scale, zero_point) - x).max() <= scale / 2 * (1 + 1e-9)
    assert -128 <= zero_point <= 127 and q[-1] == zero_point  # zero is exact
    assert scale == pytest.approx((max(high, 0) - min(low, 0)) / 255)  # and no step is wasted


def test_ranges_at_the_edge():
    assert affine_parameters(0, 255) == (1.0, -128)
    assert affine_parameters(-255, 0) == (1.0, 127)
    assert affine_parameters(2, 51) == (0.2, -128)  # widened to contain zero
    assert affine_parameters(0, 0)[0] > 0
    assert quantize([-1e9, 1e9, np.inf], 1.0, 3).tolist() == [-128, 127, 127]


# ------------------------------------------------------------------------------------------ a network


@pytest.mark.parametrize(
    "observer",
    [*OBSERVERS, lambda: Percentile(99.9)],
    ids=[*OBSERVERS, "99.9 %"],
)
def test_every_observer_gives_a_program(observer):
    network, x = networks.build("tinyspeech"), networks.inputs("tinyspeech")
    program = to_program(network, x, {"classes": ["a", "b"]}, observer)
    assert program.metadata == {"classes": ["a", "b"]}
    assert error_report(network, program, x)[-1]["snr"] > 20


# ------------------------------------------------------------------------------------------ error bounds
# For each kind of node: how far the integer result may be from the float one at most, element by element, when the
# inputs are at most `errors` away. The result's own rounding adds half a step. Saturation cannot add more, because
# the float values seen in calibration lie inside the range.


def half_steps_of_weights(node, op, ins, out):
    """Half a step of each output channel's weights, and of its bias."""
    step = op.arrays["multiplier"] / 2.0 ** op.arrays["shift"] * out.scale / ins[0].scale
    return torch.from_numpy(step / 2), torch.from_numpy(step * ins[0].scale / 2)


def conv_bound(node, op, xs, errors, ins, out):
    weight, bias = half_steps_of_weights(node, op, ins, out)
    p, w = node.parameters, node.arrays["weight"]
    top, bottom, left, right = p["padding"]

    def convolve(x, w):
        return F.conv2d(F.pad(x, (left, right, top, bottom)), w, None, p["stride"], 0, p["dilation"], p["groups"])

    return convolve(errors[0], w.abs()) + convolve(xs[0].abs(), weight.view(-1, 1, 1, 1).expand_as(w)) + bias.view(-1, 1, 1)


def linear_bound(node, op, xs, errors, ins, out):
    weight, bias = half_steps_of_weights(node, op, ins, out)
    w = node.arrays["weight"]
    return errors[0] @ w.abs().T + xs[0].abs() @ weight.view(-1, 1).expand_as(w).T + bias


def linear_in_inputs_bound(node, op, xs, errors, ins, out):
    """Errors go through as their inputs do. Factors and bias of `scale` and `add` are themselves a unit of their shift off at most."""
    arrays = {k: torch.zeros_like(v) if k == "bias" else v.abs() for k, v in node.arrays.items()}
    bound = type(node)([], node.shape, node.parameters, arrays).run(*errors)
    if "shift" not in op.arrays:
        return bound
    unit = torch.from_numpy(out.scale * 2.0 ** -op.arrays["shift"].astype(float)).reshape(-1, *[1] * (bound.dim() - 2))
    return bound + (255 * len(ins) + 1) * unit


def multiply_bound(node, op, xs, errors, ins, out):
    (a, b), (ea, eb) = xs, errors
    return a.abs() * eb + b.abs() * ea + ea * eb


def function_bound(node, op, xs, errors, ins, out):
    return 1.76 * errors[0]  # the steepest of the supported functions is SELU, slope 1.7581


BOUND = {"conv": conv_bound, "linear": linear_bound, "multiply": multiply_bound, "lookup": function_bound, "clamp": function_bound}
EXACT = ("max_pool", "upsample", "crop", "pad", "reshape")


@torch.no_grad()
@pytest.mark.parametrize("name", networks.ALL)
def test_every_element_of_every_tensor_keeps_its_error_bound(name):
    graph, program, x = networks.graph(name), networks.program(name), networks.inputs(name).double()
    floats, integers = graph.trace(x), program.trace(program.quantize_input(channels_last(x)))
    bounds, numbers = {}, {}
    for node, op in zip(graph.nodes, [None, *program.operations]):
        out = program.tensors[node.name]
        value = torch.from_numpy(dequantize(integers[node.name], out.scale, out.zero_point))
        numbers[node.name] = value.permute(0, 3, 1, 2) if value.dim() == 4 else value
        bounds[node.name] = torch.full_like(x, out.scale / 2)
        if op is not None:
            assert op.output == node.name and op.path == node.path
            xs, errors = ([values[i.name] for i in node.inputs] for values in (numbers, bounds))
            ins = [program.tensors[n] for n in op.inputs]
            bound = BOUND.get(node.kind, linear_in_inputs_bound)(node, op, xs, errors, ins, out)
            bounds[node.name] = bound if node.kind in EXACT else bound + out.scale / 2
        error, bound = (numbers[node.name] - floats[node.name]).abs(), bounds[node.name] + 1e-5 * out.scale
        assert (error <= bound).all(), f"{node.name}: {(error - bound).max() / out.scale} steps above the bound"


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_integers_follow_the_float_network(name):
    """Above 20 dB everywhere: a step of an int8 tensor that is filled to 3.5 standard deviations gives 42 dB, six bits of it
    may go into a layer's cancellation and the next layers' roundings before a network is of no use."""
    network, x, program = networks.build(name), networks.inputs(name), networks.program(name)
    report = error_report(network, program, x)
    assert [row["tensor"] for row in report] == list(program.tensors)
    assert min(row["snr"] for row in report) > 20
    with torch.no_grad():
        expected = network(x).numpy()
    logits = program.dequantize_output(program.run(program.quantize_input(channels_last(x))))
    assert report[-1]["snr"] == pytest.approx(signal_to_noise(expected, logits), abs=0.01)
    assert (logits.argmax(1) == expected.argmax(1)).mean() >= 0.9


# ------------------------------------------------------------------------------------------ integers


@pytest.mark.parametrize("name", networks.ALL)
def test_integers_have_the_promised_types_and_fit_their_accumulators(name):
    program = networks.program(name)
    types = {"weight": np.int8, "shift": np.int8, "table": np.int8, "bias": np.int32, "runs": np.int16}
    for op in program.operations:
        for key, array in op.arrays.items():
            factor = np.int16 if op.kind in ("scale", "add") else np.int32
            assert array.dtype == types.get(key, factor), (op.kind, key)
        if op.kind in ("conv", "linear"):
            weight = np.abs(op.arrays["weight"].astype(np.int64)).reshape(len(op.arrays["bias"]), -1)
            assert (255 * weight.sum(1) + np.abs(op.arrays["bias"].astype(np.int64))).max() < 2**31
        low, high = op.parameters.get("clamp", (-128, 127))
        assert -128 <= low <= high <= 127


def test_forty_thousand_inputs_fit_the_accumulator():
    network = nn.Linear(40_000, 2)
    nn.init.ones_(network.weight)
    (op,) = to_program(network, torch.ones(2, 40_000)).operations
    assert 255 * np.abs(op.arrays["weight"].astype(np.int64)).sum(1).max() + np.abs(op.arrays["bias"]).max() < 2**31


def test_weights_are_symmetric_and_use_all_steps():
    (op,) = networks.program("conv").operations
    assert (np.abs(op.arrays["weight"].astype(int)).max((1, 2, 3)) == 127).all()


@pytest.mark.parametrize("name", ["conv", "linear", "batch norm alone", "selective attention, batch norm", "add, broadcast"])
def test_factors_use_all_bits(name):
    """But for the sign; of those that share a shift, the largest."""
    for op in networks.program(name).operations:
        factors = [np.abs(v.astype(np.int64)) for k, v in op.arrays.items() if k.startswith("multiplier")]
        assert not factors or (np.max(factors, axis=0) >= (2**14 if op.kind in ("scale", "add") else 2**30)).all()


def test_relu_clamps_at_zero_and_relu6_at_six():
    network, x = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU6()), torch.linspace(-10, 10, 100).view(-1, 1, 1, 1)
    nn.init.ones_(network[0].weight)
    program = to_program(network, x, observer="min-max")
    y = program.dequantize_output(program.run(program.quantize_input(channels_last(x))))
    assert y.min() == 0 and y.max() == pytest.approx(6)
    hidden = to_program(nn.Sequential(*network, nn.Conv2d(1, 1, 1)), x, observer="min-max")
    assert hidden.operations[0].parameters.get("clamp", (-128, 127))[0] == hidden.tensors["conv_1"].zero_point


@pytest.mark.parametrize("name", ["tinyspeech", "gated", "upsample, crop", "pad, max pool", "squeeze twice", "slices"])
def test_moving_numbers_about_keeps_their_scale(name):
    program = networks.program(name)
    moved = [op for op in program.operations if op.kind in EXACT]
    assert moved
    for op in moved:
        source, target = program.tensors[op.inputs[0]], program.tensors[op.output]
        assert (source.scale, source.zero_point) == (target.scale, target.zero_point)


def test_one_clip_gives_the_same_integers_as_a_batch():
    program = networks.program("tinyspeech")
    x = program.quantize_input(channels_last(networks.inputs("tinyspeech")))
    assert np.array_equal(program.run(x)[:1], program.run(x[:1]))


def test_the_same_input_gives_the_same_program():
    network, x = networks.build("gated").train(), networks.inputs("gated")
    first, second = (to_program(network, x, observer="percentile") for _ in range(2))
    assert network.training and not network.eval().training
    assert first.tensors == second.tensors
    for a, b in zip(first.operations, second.operations):
        assert (a.kind, a.inputs, a.output, a.parameters) == (b.kind, b.inputs, b.output, b.parameters)
        assert all(np.array_equal(a.arrays[k], b.arrays[k]) for k in a.arrays | b.arrays)


def test_programs_survive_saving(tmp_path):
    for name in networks.NETWORKS:
        program = networks.program(name)
        program.save(tmp_path / "p.safetensors")
        again = type(program).load(tmp_path / "p.safetensors")
        x = program.quantize_input(channels_last(networks.inputs(name)))
        assert np.array_equal(program.run(x), again.run(x)) and program.tensors == again.tensors


# ------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize("x", [torch.zeros(0, 12), torch.full((4, 12), torch.nan), torch.zeros(4, 3, 12), torch.full((4, 12), torch.inf)])
def test_useless_calibration_is_refused(x):
    with pytest.raises(TinycourseError, match="Calibration data must be"):
        to_program(networks.build("mlp"), x)


def test_diverged_training_is_named():
    network = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))
    nn.init.constant_(network[2].weight, torch.nan)
    with pytest.raises(TinycourseError, match=r"^2 \(aten.linear\): its weights or constants are not all finite"):
        to_program(network, torch.randn(4, 3))


def test_unsupported_operations_are_named():
    with pytest.raises(UnsupportedOperation, match=r"1 \(aten.softmax\)"):
        to_program(nn.Sequential(nn.Linear(3, 3), nn.Softmax(1)), torch.randn(4, 3))


def test_signal_to_noise():
    assert signal_to_noise(np.array([1.0, -1.0]), np.array([0.9, -1.1])) == pytest.approx(20)
    assert signal_to_noise(np.ones(3), np.ones(3)) == np.inf
    assert signal_to_noise(np.zeros(3), np.ones(3)) == -np.inf
