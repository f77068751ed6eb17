"""Recurrent layers in integers: close to float, the same bits in C, and a state that goes from call to call."""

import ctypes
import itertools
import math

import numpy as np
import pytest
import torch

from tests import fuzz
from tinycourse.codegen import emitter
from tinycourse.codegen.kernel_files import KERNELS
from tinycourse.errors import TinycourseError
from tinycourse.export import package
from tinycourse.host.products import HybridProduct
from tinycourse.models.cells import GATES, CellConfig, Recurrent
from tinycourse.models.rnnt import RNNTConfig, Transducer
from tinycourse.program import fixed_point
from tinycourse.program.ops.base import OPS, Tensor
from tinycourse.program.program import Program
from tinycourse.program.transducer import PARTS
from tinycourse.quantization.dynamic import HybridRecurrent, hybrid_transducer
from tinycourse.quantization.integer_transducer import quantize_transducer
from tinycourse.quantization.ops.base import Input
from tinycourse.quantization.post_training import signal_to_noise
from tinycourse.quantization.recurrent_layers import bits_for, quantize_layers, run_steps, stack
from tinycourse.targets import binaries, toolchain
from tinycourse.transducer.decoding import Beam, Greedy

EVERY = np.arange(-(2**15), 2**15)
LAYERS = list(itertools.product(GATES, (False, True), (None, 24)))
COUNTS = {"host": 40, "wasm": 20, "cortex-m4": 6}


def layer_of(kind="lstm", norm=False, projection=None, inputs=20, units=48, clip=10.0, seed=0) -> Recurrent:
    torch.manual_seed(seed)
    layer = Recurrent(inputs, CellConfig(kind, units, projection, norm, clip))
    with torch.no_grad():
        for p in layer.parameters():
            p += 0.2 * torch.randn_like(p)
    return layer.requires_grad_(False)


# ------------------------------------------------------------------------------------------ fixed point


def test_curves_are_within_their_bounds_on_every_int16():
    real = EVERY / 2**12
    tanh, sigmoid = fixed_point.tanh(EVERY), fixed_point.sigmoid(EVERY)
    assert np.abs(tanh - 2**15 * np.tanh(real)).max() <= 1.6
    assert np.abs(sigmoid - 2**15 / (1 + np.exp(-real))).max() <= 1.2
    assert (np.diff(tanh) >= 0).all() and (np.diff(sigmoid) >= 0).all()
    assert (tanh.min(), tanh.max(), sigmoid.min(), sigmoid.max()) == (-32767, 32767, 11, 32757)
    assert (tanh[1:] == -tanh[:0:-1]).all() and np.abs(sigmoid[1:] + sigmoid[:0:-1] - 2**15).max() <= 1


def test_curves_in_c_are_the_same(tmp_path):
    folder = KERNELS
    library = ctypes.CDLL(str(toolchain.build([folder / "curves.c"], "host", tmp_path / toolchain.LIBRARY)))
    assert [library.tc_tanh(x) for x in EVERY.tolist()] == fixed_point.tanh(EVERY).tolist()
    assert [library.tc_sigmoid(x) for x in EVERY.tolist()] == fixed_point.sigmoid(EVERY).tolist()


def test_integer_root_is_exact():
    roots = np.random.default_rng(0).integers(0, 2**31, 500)
    squares = np.concatenate([roots * roots, (roots * roots - 1).clip(0), np.arange(20), [2**62 - 1]])
    assert fixed_point.integer_root(squares).tolist() == [math.isqrt(int(x)) for x in squares]


def test_bits_of_a_cell():
    assert [bits_for(x) for x in (0, 1, 7.99, 8, 10, 16, 32, 63.9, 64, 123)] == [12, 12, 12, 11, 11, 10, 9, 9, 9, 9]


# ------------------------------------------------------------------------------------------ layers


@pytest.mark.parametrize("kind, norm, projection", LAYERS)
def test_integers_stay_close_to_float(kind, norm, projection):
    """8 bits of a number that fills its range are worth 40 dB or so; input, output and hidden numbers are rounded to them here."""
    layer = layer_of(kind, norm, projection)
    x = torch.randn(8, 50, 20)
    program, floats = quantize_layers([layer], list(x))
    expected, _ = layer(x)
    assert (torch.stack(floats) - expected).abs().max() < 1e-4  # the float graph is the layer
    y, _ = run_steps(program, program.quantize_input(x))
    assert signal_to_noise(expected.numpy(), program.dequantize_output(y)) > 28
    assert all(a.dtype == np.int8 for op in program.operations for k, a in op.arrays.items() if k.startswith("weight"))


def test_every_gate_of_a_paper_sized_layer_norm_is_normalised():
    rng, gates, units = np.random.default_rng(0), 4, 2048
    z = np.concatenate([rng.integers(-300, 301, units), np.full(units, 77), rng.integers(-(2**15), 2**15, 2 * units)])
    multiplier, shift = fixed_point.fixed_point(np.full(gates * units, 2.0**12 / 2**15))
    arrays = dict(multiplier=multiplier, shift=shift, bias=np.zeros(gates * units, np.int32))
    op = OPS["layer_norm"](("x",), "y", {"gates": gates, "epsilon": 1}, arrays)
    tensors = {n: Tensor(n, (gates * units,), 2.0**-12, 0, 16) for n in "xy"}
    y = Program("x", "y", tensors, [op]).run(z.astype(np.int16)[None]) / 2**12
    blocks = z.reshape(gates, units).astype(float)
    real = (blocks - blocks.mean(1, keepdims=True)) / np.maximum(blocks.std(1, keepdims=True), 1e-9)
    assert np.abs(y.reshape(gates, units) - real).max() <= 0.51 * 2**-12 + 2**-16


def test_a_cell_without_a_clip_saturates_and_does_not_turn_over():
    """A cell that only adds grows beyond 64, where the integers stay."""
    layer = layer_of(clip=None)
    with torch.no_grad():
        layer.weight_input.zero_()
        layer.weight_recurrent.zero_()
        layer.bias[:] = 8.0
    x = torch.zeros(1, 200, 20)
    program, _ = quantize_layers([layer], list(x))
    _, state = run_steps(program, program.quantize_input(x))
    _, (_, c) = layer(x)
    assert c.min() > 190 and program.tensors["layer0.c"].scale == 2**-9
    assert (state["layer0.c"] == 2**15 - 1).all()


def test_a_clip_is_the_cells_limit():
    program, _ = quantize_layers([layer_of(clip=10.0)], [torch.randn(5, 20)])
    assert next(op for op in program.operations if op.kind == "lstm_cell").parameters == {"bits": 11, "limit": 10 * 2**11}


@pytest.mark.parametrize("kind", GATES)
def test_the_state_goes_from_chunk_to_chunk(kind):
    layers = [layer_of(kind, inputs=20), layer_of(kind, inputs=48, norm=True)]
    x = torch.randn(3, 30, 20)
    program, _ = quantize_layers(layers, list(x))
    q = program.quantize_input(x)
    whole, end = run_steps(program, q)
    first, state = run_steps(program, q[:, :11])
    kept = {name: value.copy() for name, value in state.items()}
    second, after = run_steps(program, q[:, 11:], state)
    assert (np.concatenate([first, second], 1) == whole).all() and all((after[k] == end[k]).all() for k in end)
    assert all((state[k] == kept[k]).all() for k in kept)  # not changed in place
    assert (run_steps(program, q[:, 11:])[0] != second).any()  # and it matters


def test_a_program_with_a_state_is_saved(tmp_path):
    program, _ = quantize_layers([layer_of()], [torch.randn(5, 20)])
    program.save(tmp_path / "p.safetensors")
    loaded, x = Program.load(tmp_path / "p.safetensors"), fuzz.random_input(program, 0)[None]
    assert loaded.state == program.state and loaded.tensors == program.tensors
    assert (run_steps(loaded, x)[0] == run_steps(program, x)[0]).all()


# ------------------------------------------------------------------------------------------ in C


@pytest.mark.parametrize("target", COUNTS)
def test_c_equals_the_interpreter_from_call_to_call(target, tmp_path):
    programs = [fuzz.random_recurrent_program(seed) for seed in range(COUNTS[target])]
    binary, busy = fuzz.build(programs, target, tmp_path), 0
    for seed, program in enumerate(programs):
        model, outputs = binaries.open_binary(target, binary, f"case{seed}"), []
        for _ in range(2):  # reset takes it back to the beginning
            model.call("reset")
            state = program.start(1)
            for x in fuzz.random_input(program, seed)[[0, 1, 0, 2, 3, 1, 0], None]:
                y, state = program.step(x, state)
                assert model.run(x.tobytes(), y.nbytes) == y.tobytes(), f"seed {seed}"
                outputs.append(y)
        busy += len(np.unique(outputs)) > 3
    assert busy >= len(programs) / 2


def test_a_cell_lies_in_the_place_of_the_old_one():
    program, _ = quantize_layers([layer_of("lstm")], [torch.randn(5, 20)])
    _, plan = emitter.translate(program)
    assert plan.offsets["layer0.c"] == plan.offsets["layer0.lstm_cell"]
    assert plan.offsets["layer0.h"] != plan.offsets["layer0.gated_output"]  # h is no input of what makes it
    assert "model_state_0" in emitter.generate(program)["model.h"]


@pytest.mark.parametrize("target", ["host", "cortex-m4"])
def test_an_exported_layer_begins_anew_with_every_input(target, tmp_path):
    program, _ = quantize_layers([layer_of("cifg", True, 24)], [torch.randn(20, 20)])
    package.export(program, target, tmp_path / "out")
    x = fuzz.random_input(program, 1)
    assert (package.load(tmp_path / "out").run(x) == program.run(x)).all()


# ------------------------------------------------------------------------------------------ transducer


def transducer(encoder="lstm", prediction="lstm", layers=1) -> Transducer:
    torch.manual_seed(0)
    cells = [CellConfig(kind.removeprefix("ln-"), 16, layer_norm=kind.startswith("ln-"), clip=10.0) for kind in (encoder, prediction)]
    config = RNNTConfig(features=6, cell=cells[0], prediction=cells[1], prediction_layers=layers, embedding=8, joint=12)
    network = Transducer(config, 7)
    with torch.no_grad():
        for p in network.parameters():
            p += 0.3 * torch.randn_like(p)
        network.joint.output.bias[0] -= 5  # so that labels are said
    return network.eval()


KINDS = [("lstm", "lstm", 1), ("cifg", "sru", 2), ("sru", "ln-cifg", 1), ("ln-lstm", "lstm", 0)]


@pytest.mark.parametrize("encoder, prediction, layers", KINDS)
def test_a_transducer_in_integers(encoder, prediction, layers):
    network, features = transducer(encoder, prediction, layers), torch.randn(6, 60, 6)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    integers = quantize_transducer(network, list(features), "min-max")
    assert all((v == before[k]).all() for k, v in network.state_dict().items())
    with torch.no_grad():
        expected = network.encoder(features)[0]
        labels = torch.tensor([one[:5] for one in Greedy(network, 6).push(expected).labels])
        expected = network.lattice(expected, labels).numpy()
        heard, state = integers.encoder(features)
        said, _ = integers.prediction(torch.nn.functional.pad(labels, (1, 0)))
        logits = integers.joint(integers.joint.heard(heard)[:, :, None], integers.joint.expected(said)[:, None]).numpy()
    assert heard.shape[1] == integers.encoder.lengths(torch.tensor(60)) and logits.shape == expected.shape
    assert signal_to_noise(expected, logits) > 20
    parts, state = [], None
    for chunk in features.split(7, 1):
        part, state = integers.encoder(chunk, state)
        parts.append(part)
    assert torch.equal(torch.cat(parts, 1), heard)
    whole, pieces = Greedy(integers, 6).push(heard), Greedy(integers, 6)
    for part in parts:
        pieces.push(part)
    assert whole.labels == pieces.labels and any(whole.labels)
    assert Beam(integers).push(heard[0]).best()[0].score > -math.inf
    assert integers.weight_bytes < 1.6 * sum(p.numel() for p in network.parameters())  # bytes for weights, a few for every row


def test_the_programs_of_a_transducer_in_c(tmp_path):
    """The joint network takes what may follow as its state, written from outside; a label beyond the last is the last."""
    programs = quantize_transducer(transducer("cifg", "sru"), list(torch.randn(3, 40, 6))).programs
    binary, rng = fuzz.build(list(programs.values()), "host", tmp_path), np.random.default_rng(0)
    for i, name in enumerate(PARTS):
        program, model = programs[name], binaries.open_binary("host", binary, f"case{i}")
        model.call("reset")
        state = program.start(1)
        for x in fuzz.random_input(program, 0)[[0, 1, 2, 3, 0], None]:
            if name == "joint":
                state["expected"] = rng.integers(-128, 128, (1, 16), np.int8)
                model.write("state_0", state["expected"].tobytes())
            y, state = program.step(x, state)
            assert model.run(x.tobytes(), y.nbytes) == y.tobytes(), name
    assert programs["joint"].tensors[programs["joint"].output].bits == 16


# ------------------------------------------------------------------------------------------ bad cases


def test_calibration_data_of_no_use_are_refused():
    layer = layer_of()
    with pytest.raises(TinycourseError, match="at least one recording"):
        quantize_layers([layer], [torch.zeros(0, 20)])
    with pytest.raises(TinycourseError, match="layer0 gives nan"):
        layer.weight_input[0, 0] = torch.nan
        quantize_layers([layer], [torch.randn(3, 20)])
    with pytest.raises(TinycourseError, match="no observer called 'best'"):
        quantize_layers([layer], [torch.randn(3, 20)], "best")
    with pytest.raises(TinycourseError, match="at least one recording"):
        quantize_transducer(transducer(), [torch.randn(2, 6)])


def test_a_state_of_another_program_is_refused():
    program, _ = quantize_layers([layer_of()], [torch.randn(5, 20)])
    x = fuzz.random_input(program, 0)
    with pytest.raises(TinycourseError, match=r"state is \['layer0.h', 'layer0.c'\], not \['h'\]"):
        program.step(x, {"h": x})
    with pytest.raises(TinycourseError, match="takes int8"):
        program.step(x.astype(np.int16), program.start(4))


def test_programs_that_c_cannot_compute_are_refused():
    def broken(change):
        program, _ = quantize_layers([layer_of("lstm", True)], [torch.randn(5, 20)])
        change(program)
        with pytest.raises(TinycourseError) as error:
            emitter.generate(program)
        return str(error.value)

    assert "9 to 12 bits" in broken(lambda p: p.operations[2].parameters.update(bits=13))
    assert "at most 2048 units" in broken(lambda p: p.operations[1].parameters.update(epsilon=2**53))
    assert "State 'layer0.c' must take its own value" in broken(lambda p: p.state.update({"layer0.c": "layer0.gated_output"}))
    assert "tensors of other types" in broken(lambda p: p.tensors.update(input=Tensor("input", (20,), 1.0, 0, 16)))
    assert "shifts" in broken(lambda p: p.operations[0].arrays["shift_recurrent"].fill(0))


def test_a_graph_keeps_its_state_to_itself():
    graph = stack([layer_of()], [Input([], (20,))])
    x = torch.randn(2, 20)
    assert torch.equal(graph.run(x), graph.run(x))


# ------------------------------------------------------------------------------------------ hybrid


@pytest.mark.parametrize("kind, norm, projection", LAYERS)
@pytest.mark.parametrize("per_row", [False, True])
def test_hybrid_layers_stay_close_to_float(kind, norm, projection, per_row):
    layer, x = layer_of(kind, norm, projection), torch.randn(8, 30, 20)
    expected, (_, last) = layer(x)
    y, (_, c) = HybridRecurrent(layer, per_row)(x)
    assert signal_to_noise(expected.numpy(), y.numpy()) > 28 and signal_to_noise(last.numpy(), c.numpy()) > 28


@pytest.mark.parametrize("per_row", [False, True])
def test_the_hybrid_product_is_that_of_the_runtime(per_row):
    layer, rng = layer_of(), np.random.default_rng(0)
    product, hybrid = HybridProduct(layer.weight_input.numpy(), per_row=per_row), HybridRecurrent(layer, per_row)
    for x in rng.normal(size=(20, 20)).astype(np.float32):
        y = hybrid.product(torch.from_numpy(x)[None], "weight_input")[0]
        np.testing.assert_allclose(y.numpy(), product.reference(x), rtol=1e-6)


def test_a_hybrid_transducer_searches_as_a_float_one():
    network, features = transducer("lstm", "sru"), torch.randn(3, 40, 6)
    hybrid = hybrid_transducer(network)
    heard, (expected, _) = network.encoder(features)[0].detach(), hybrid.encoder(features)
    assert signal_to_noise(heard.numpy(), expected.numpy()) > 25
    assert any(Greedy(hybrid, 3).push(expected).labels) and type(network.encoder.layers[0]) is Recurrent
