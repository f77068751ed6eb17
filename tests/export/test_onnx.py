"""Programs as ONNX, run by onnxruntime as it is set by default: every number is the interpreter's, but for one step where float32 cannot
tell a sum from a half."""

import json

import numpy as np
import pytest
import torch

from tests import fuzz, networks
from tinycourse import data
from tinycourse.errors import TinycourseError
from tinycourse.export import deploy, onnx_form
from tinycourse.program.ops.base import OPS, Tensor
from tinycourse.program.program import Program
from tinycourse.training import checkpoint

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'tinycourse[onnx]'")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'tinycourse[onnx]'")


def scores(model: bytes, program: Program, x: np.ndarray, optimised: bool) -> np.ndarray:
    """What onnxruntime gives for integers [N, *input shape]: integers again, [N, *output shape]."""
    options, level = onnxruntime.SessionOptions(), onnxruntime.GraphOptimizationLevel
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimised else level.ORT_DISABLE_ALL
    t, out = (program.tensors[name] for name in (program.input, program.output))
    real = ((x.astype(np.float64) - t.zero_point) * t.scale).astype(np.float32)
    (y,) = onnxruntime.InferenceSession(model, options).run(None, {"features": np.moveaxis(real, -1, 1)})
    return np.rint(np.moveaxis(y, 1, -1) / out.scale).astype(int) + out.zero_point


@pytest.mark.parametrize("name", networks.ALL)
def test_onnxruntime_computes_what_the_interpreter_does(name):
    program = networks.program(name)
    x, model = fuzz.random_input(program, 0), onnx_form.to_onnx(program).SerializeToString()
    for optimised in (False, True):
        assert np.abs(scores(model, program, x, optimised) - program.run(x)).max() <= 1


@pytest.mark.parametrize("name", ["tinyspeech-m", "bc-resnet-0.625", "found-337"])
def test_checkpoints_decide_the_same(name, tmp_path):
    recogniser = checkpoint.load(name)
    audio = torch.from_numpy(np.stack(spoken(recogniser.classes)))
    program = deploy.program_of(recogniser, audio)
    report = onnx_form.export(program, tmp_path / "onnx")
    x = deploy.inputs(program, audio)
    expected, found = program.run(x), scores((tmp_path / "onnx" / "model.onnx").read_bytes(), program, x, True)
    assert (np.abs(found - expected) <= 1).mean() > 0.99 and (found.argmax(1) == expected.argmax(1)).mean() > 0.95
    assert report == json.loads((tmp_path / "onnx" / "report.json").read_text())
    assert {p.name for p in (tmp_path / "onnx").iterdir()} == {"model.onnx", "README.md", "LICENSE", "report.json", "files.sha256"}


@pytest.mark.parametrize("optimised", [False, True])
def test_large_weights_and_inputs_do_not_saturate(optimised):
    """Sums of two products far beyond 16 bits, where int8 kernels for x86 without VNNI clip them."""
    weight = np.full((4, 32), 127, np.int8)
    weight[1], weight[2, ::2], weight[3, 16:] = -128, -127, 1
    multiplier, shift = (np.full(4, number, kind) for number, kind in ((2**30 + 1234567, np.int32), (43, np.int8)))
    arrays = {"weight": weight, "bias": np.zeros(4, np.int32), "multiplier": multiplier, "shift": shift}
    t = {"x": Tensor("x", (32,), 0.1, -128), "y": Tensor("y", (4,), 0.5, 0)}
    program = Program("x", "y", t, [OPS["linear"](("x",), "y", arrays=arrays)])
    x = np.stack([np.full(32, 127), np.full(32, 100), np.tile([127, -128], 16)]).astype(np.int8)
    expected = program.run(x)
    assert np.abs(255 * weight.astype(int)[:, :2].sum(1)).max() > 2**15 and len(np.unique(expected)) > 6
    assert (scores(onnx_form.to_onnx(program).SerializeToString(), program, x, optimised) == expected).all()


@pytest.mark.parametrize("kind", ["add", "scale"])
def test_halves_are_rounded_as_in_the_program(kind):
    """Of all int8 numbers, times 1/2, -1/2 and 3/4: every other sum is a half, or was one before the bias."""
    t = {"x": Tensor("x", (4,), 0.03, 7), "y": Tensor("y", (4,), 0.07, -3)}
    arrays = {"multiplier": np.array([2**13, 2**13, -(2**13), 3 * 2**12], np.int16), "bias": np.array([0, 2**13, 5, 2**12], np.int32)}
    arrays["shift"] = np.full(4, 14, np.int8)
    if kind == "add":
        half = arrays.pop("multiplier") // 2
        arrays |= {"multiplier_a": half, "multiplier_b": half}
    program = Program("x", "y", t, [OPS[kind](("x",) * (1 + (kind == "add")), "y", arrays=arrays)])
    x = np.repeat(np.arange(-128, 128, dtype=np.int8)[:, None], 4, 1)
    for optimised in (False, True):
        assert (scores(onnx_form.to_onnx(program).SerializeToString(), program, x, optimised) == program.run(x)).all()


def spoken(classes) -> list[np.ndarray]:
    """Four clips of tinywords for each word that a recogniser knows, float32 [16000]."""
    words = data.open_dataset("tinywords", classes="all")
    cuts = [cut for word, its in words.select("testing").items() if word in set(classes) - {data.UNKNOWN} for cut in its[:4]]
    return [words.load(cut) for cut in cuts]


def test_it_is_the_qdq_form():
    """Whatever has weights reads them through DequantizeLinear, 128 above int8, one scale for each output; every result is quantized."""
    model = onnx_form.to_onnx(networks.program("tinyspeech"))
    made = {node.output[0]: node for node in model.graph.node}
    constants = {c.name: onnx.numpy_helper.to_array(c) for c in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type in ("Conv", "Gemm")]
    assert len(convolutions) >= 6
    for node in convolutions:
        x, weight, bias = (made[name] for name in node.input)
        assert {x.op_type, weight.op_type, bias.op_type} == {"DequantizeLinear"}
        values, scale, zero = (constants[name] for name in weight.input)
        assert values.dtype == np.uint8 and scale.shape == values.shape[:1] and (zero == 128).all() and zero.shape == scale.shape
        assert constants[bias.input[0]].dtype == np.int32 and constants[x.input[2]].dtype == np.uint8
        readers = [reader for reader in model.graph.node if node.output[0] in reader.input]
        assert [reader.op_type for reader in readers] in (["QuantizeLinear"], ["Clip"])
    assert {node.op_type for node in model.graph.node} <= set(STANDARD)


STANDARD = "Add AveragePool Cast Clip Conv DequantizeLinear Flatten Gather Gemm MaxPool".split()
STANDARD += "Mul Pad QuantizeLinear Reshape Resize Slice Transpose".split()


def test_programs_without_an_onnx_form():
    t = {"x": Tensor("x", (100,), 1.0, 0, 16), "y": Tensor("y", (2, 3), 0.1, 0)}
    with pytest.raises(TinycourseError, match="features 'y' has no ONNX form here; it is the front end; export without --samples"):
        onnx_form.to_onnx(Program("x", "y", t | {"x": Tensor("x", (100,), 1.0, 0)}, [OPS["features"](("x",), "y")]))
    with pytest.raises(TinycourseError, match="Tensor 'x' has 16 bits"):
        onnx_form.to_onnx(Program("x", "y", t, []))
    with pytest.raises(TinycourseError, match="A recurrent network has no ONNX form here"):
        onnx_form.to_onnx(fuzz.random_recurrent_program(0))
