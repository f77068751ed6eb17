"""A `Program` as ONNX, the form that other tools read: every operation in float, between DequantizeLinear and QuantizeLinear.

That is the QDQ form. A runtime computes what stands there, or finds its own integer kernels for it. Weights have a scale for every output
channel, biases are int32, activations have the scales of the program; input and output are real numbers. Maps are [N, C, H, W], as torch
and ONNX have them.

Weights and activations are stored as uint8, 128 above the program's int8: the same real numbers, and the same sums on every processor.
onnxruntime's kernel for int8 weights on x86 without VNNI (VPMADDUBSW) clips sums of two products to 16 bits; the one for uint8 does not.

ONNX rounds halves to even where the program rounds them up, and a runtime multiplies by scales in float32. The sums of `add` and
`scale` are multiples of 1 / 2**shift of a step, and halves are among them. They are given half of that multiple more: no sum is a half
then, and each is rounded as in the program. So a number differs from the interpreter's, by one step, only where a product or a mean lies
within float32's precision of a half.
"""

from pathlib import Path

import numpy as np

from tinycourse.errors import TinycourseError
from tinycourse.export import firmware
from tinycourse.export.base import FORMAT, as_json
from tinycourse.files import whole_folder
from tinycourse.program.ops.base import Operation, Tensor
from tinycourse.program.ops.qdq import channels_first, raised
from tinycourse.program.program import Program
from tinycourse.targets import binaries

OPSET, IR = 17, 8  # of 2022, so that runtimes which are some years old read it


def to_onnx(program: Program):
    """The program as an `onnx.ModelProto`: input "features" float32 [N, C, H, W] or [N, C], output "scores" float32 [N, outputs].

    Raises TinycourseError where onnx is missing, or the program has an operation that has no ONNX form here.
    """
    onnx = import_onnx()
    graph = Writer(program).graph()
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="tinycourse")
    onnx.helper.set_model_props(model, {k: str(v) for k, v in program.metadata.items() if k in ("model", "classes")})
    onnx.checker.check_model(model, full_check=True)
    return model


def import_onnx():
    """The module onnx; TinycourseError where it is missing."""
    try:
        import onnx
    except ImportError:
        raise TinycourseError("onnx is missing; install it with `python -m pip install onnx`.") from None
    return onnx


class Writer:
    """Collects nodes and constants of a graph. `values` has the quantized tensor, uint8, of every name of the program."""

    def __init__(self, program: Program):
        self.onnx, self.program, self.nodes, self.constants, self.values = import_onnx(), program, [], [], {}

    def graph(self):
        """The whole program as an `onnx.GraphProto`."""
        program, make, kind = self.program, self.onnx.helper.make_tensor_value_info, self.onnx.TensorProto.FLOAT
        x, y = program.tensors[program.input], program.tensors[program.output]
        if program.state:
            raise TinycourseError("A recurrent network has no ONNX form here: its cells are in 16 bits; export it as C.")
        self.values[x.name] = self.quantize("features", x)
        for op in program.operations:
            ins, out = [program.tensors[n] for n in op.inputs], program.tensors[op.output]
            self.values[out.name] = op.onnx(self, ins, out)
        self.node("DequantizeLinear", self.values[y.name], *self.steps(y), output="scores")
        ends = [make(name, kind, ["N", *channels_first(t.shape)]) for name, t in (("features", x), ("scores", y))]
        return self.onnx.helper.make_graph(self.nodes, "tinycourse", ends[:1], ends[1:], self.constants)

    def node(self, kind: str, *inputs: str, output: str = "", **attributes) -> str:
        """One node; returns the name of its output."""
        output = output or f"{kind}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, array: np.ndarray) -> str:
        """Add a constant; returns its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def floats(self, values) -> str:
        """A float32 constant; returns its name."""
        return self.constant(np.asarray(values, np.float32))

    def ints(self, *values: int) -> str:
        """An int64 constant [N]; returns its name."""
        return self.constant(np.array(values, np.int64))

    def steps(self, t: Tensor) -> tuple[str, str]:
        """Scale and zero point of a tensor. Raises TinycourseError where it has more than 8 bits."""
        if t.bits != 8:
            raise TinycourseError(f"Tensor '{t.name}' has {t.bits} bits, and the ONNX form has 8; export the program as C.")
        return self.floats(t.scale), self.constant(raised(t.zero_point))

    def quantize(self, x: str, t: Tensor) -> str:
        """Real numbers on the steps of t; returns the name of the integers."""
        return self.node("QuantizeLinear", x, *self.steps(t))

    def real(self, op: Operation, t: Tensor, place: int = 0) -> str:
        """Input number `place` of an operation as real numbers, read with the steps of t."""
        return self.node("DequantizeLinear", self.values[op.inputs[place]], *self.steps(t))

    def weights(self, array: np.ndarray, scale: np.ndarray) -> str:
        """A constant, int8 or int32, its first axis the output channel, with a scale for each."""
        array, zero = (raised(array), raised(0)) if array.dtype == np.int8 else (array, np.int32(0))
        return self.node("DequantizeLinear", self.constant(array), self.floats(scale), self.constant(np.full(len(scale), zero)), axis=0)

    def closed(self, op: Operation, y: str, out: Tensor) -> str:
        """Real numbers, within an operation's clamp, as those of its output."""
        clamp = op.parameters.get("clamp", out.limits)
        if tuple(clamp) != out.limits:
            y = self.node("Clip", y, *(self.floats(out.scale * (bound - out.zero_point)) for bound in clamp))
        return self.quantize(y, out)

    def times(self, x: str, factor: np.ndarray) -> str:
        """x * factor; x itself where the factor is 1 in float32. The program's own factors are that near to 1 seldom, and it shows."""
        return x if np.all(np.float32(factor) == 1) else self.node("Mul", x, self.floats(factor))


# ------------------------------------------------------------------------------------------------ a folder


def export(program: Program, out: str | Path) -> dict:
    """Write `model.onnx` with README and licence into the folder `out`; returns a report. See `files.whole_folder` for the folder.

    Raises TinycourseError as `to_onnx` and `files.whole_folder` do.
    """
    model = to_onnx(program)
    ends = zip(("input", "output"), ("features", "scores"), (program.tensors[program.input], program.tensors[program.output]))
    report = {
        "format": FORMAT,
        "form": "onnx",
        **{
            end: {"name": name, "shape": list(channels_first(t.shape)), "scale": float(t.scale), "zero_point": t.zero_point}
            for end, name, t in ends
        },
        "opset": OPSET,
        "nodes": len(model.graph.node),
        "model_bytes": model.ByteSize(),
        "metadata": program.metadata,
    }

    with whole_folder(out) as folder:
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        texts = {"README.md": readme(report), "LICENSE": firmware.licence(), "report.json": as_json(report)}
        binaries.save_texts(folder, texts)
    return report


def readme(report: dict) -> str:
    """What the folder holds, for somebody who finds it."""
    x, y = (f"float32 [N, {', '.join(map(str, report[end]['shape']))}]" for end in ("input", "output"))
    return f"""# A speech recogniser in ONNX, quantized to int8 (QDQ)

Made by tinycourse. `model.onnx` takes `features`, {x}, and gives `scores`, {y}: one for each of `classes` in `report.json`.
Opset {report["opset"]}, {report["nodes"]} nodes, {report["model_bytes"]:,} bytes. Weights have 8 bits and a scale for every output channel.

```python
import onnxruntime
scores, = onnxruntime.InferenceSession("model.onnx").run(None, {{"features": features}})
```

Integers are stored as uint8, 128 above the int8 of the C and its interpreter: so onnxruntime, as it is set by default, computes the same
sums on x86 processors with and without VNNI instructions. Every operation gives the interpreter's number, but for one step where a float32
product lies too near to a half to be told from it. That is rare; scores behind many layers may seldom differ by two.

The code is Apache-2.0 (`LICENSE`); the weights belong to whoever trained them.
"""
