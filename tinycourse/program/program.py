"""Program: an integer network as data, and the interpreter that defines what it computes.

A `Program` is a list of operations on int8 tensors, int16 inside recurrent cells. There is no float in it except the scale of each tensor,
which only says how to read its numbers: real value = scale * (number - zero_point). The interpreter, `trace` and the
`reference` of each operation in ops/, is the definition; the C kernels, the emulated chip and WebAssembly agree with it on every bit.

Maps are stored channels last, [H, W, C] = (time, frequency, channels), as CMSIS-NN and TensorFlow Lite do.
The interpreter takes a batch of them, [N, H, W, C].

**Rounding, once.** A real factor M is stored as an integer multiplier and a right shift, M = multiplier / 2**shift.
To apply it to an integer: exact product, add half, arithmetic shift right (see `shift_right`). The sum of a convolution takes a
32-bit multiplier, so that product has 64 bits; an int8 number takes a 16-bit multiplier, and 32 bits are enough.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import save as to_bytes

from tinycourse.errors import TinycourseError
from tinycourse.files import read_tensors, write_bytes
from tinycourse.program.affine import dequantize, quantize
from tinycourse.program.ops.base import Operation, Tensor, find

FORMAT = "tinycourse-program-2"
EXPORT_IT = "make one with `tinycourse export`"


@dataclass
class Program:
    """An integer network: `input` and `output` name tensors, `operations` run in order, `metadata` is free JSON.

    `state` is what a recurrent network remembers from one call to the next: {tensor: the tensor whose value it takes at the end of a
    call}. Before the first call it stands for 0. A tensor that takes its own value changes only where the caller writes it.
    """

    input: str
    output: str
    tensors: dict[str, Tensor]
    operations: list[Operation]
    metadata: dict = field(default_factory=dict)
    state: dict[str, str] = field(default_factory=dict)

    def quantize_input(self, x: np.ndarray) -> np.ndarray:
        """Real features [N, H, W, C] to the input's integers: round(x / scale) + zero_point, saturated."""
        t = self.tensors[self.input]
        return quantize(x, t.scale, t.zero_point, t.bits)

    def dequantize_output(self, y: np.ndarray) -> np.ndarray:
        """Integer outputs to real logits."""
        t = self.tensors[self.output]
        return dequantize(y, t.scale, t.zero_point)

    def run(self, x: np.ndarray) -> np.ndarray:
        """Integer input [N, *input shape] to integer output [N, *output shape], from the state in which everything begins."""
        return self.trace(x)[self.output]

    def start(self, batch: int) -> dict[str, np.ndarray]:
        """The state before the first call, by name: [N, *shape] of integers that stand for 0."""
        states = [self.tensors[name] for name in self.state]
        return {t.name: np.full((batch, *t.shape), t.zero_point, t.dtype) for t in states}

    def step(self, x: np.ndarray, state: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """One call: input [N, *input shape] and the state before it -> output, and the state after it. Nothing is changed in place."""
        values = self.trace(x, state)
        return values[self.output], {name: values[after] for name, after in self.state.items()}

    def trace(self, x: np.ndarray, state: dict[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
        """As `run`, or with a state as `step`, but every tensor on the way, by name."""
        t = self.tensors[self.input]
        if x.dtype != t.dtype or x.shape[1:] != t.shape:
            raise TinycourseError(f"This program takes {t.dtype} [N, {', '.join(map(str, t.shape))}], not {x.dtype} {list(x.shape)}.")
        state = self.start(len(x)) if state is None else state
        if state.keys() != self.state.keys():
            raise TinycourseError(f"This program's state is {list(self.state)}, not {list(state)}; begin with the one that start() makes.")
        values = {self.input: x} | state
        for op in self.operations:
            ins, out = [self.tensors[n] for n in op.inputs], self.tensors[op.output]
            y = op.reference([values[n] for n in op.inputs], ins, out)
            values[op.output] = np.clip(y, *op.clamp(out)).astype(out.dtype)
        return values

    def pack(self) -> tuple[dict[str, np.ndarray], str]:
        """The weights by name, and everything else as JSON."""
        arrays = {f"{i}.{k}": np.ascontiguousarray(v) for i, op in enumerate(self.operations) for k, v in op.arrays.items()}
        description = {
            "input": self.input,
            "output": self.output,
            "tensors": [asdict(t) for t in self.tensors.values()],
            "operations": [
                {"kind": o.kind, "inputs": o.inputs, "output": o.output, "parameters": o.parameters, "path": o.path}
                for o in self.operations
            ],
            "metadata": self.metadata,
            "state": self.state,
        }
        return arrays, json.dumps(description)

    def save(self, path: str | Path) -> None:
        """Write one safetensors file, see `files.whole`: the weights, and everything else as JSON in its header."""
        arrays, description = self.pack()
        write_bytes(path, to_bytes(arrays, metadata={"format": FORMAT, "program": description}))

    @classmethod
    def load(cls, path: str | Path) -> "Program":
        """Read what `save` wrote. Raises TinycourseError on a missing file or one of another kind."""
        arrays, header = read_tensors(path, FORMAT, "program", EXPORT_IT)
        return cls.unpack(arrays, header["program"])

    @classmethod
    def unpack(cls, arrays: dict[str, np.ndarray], description: str) -> "Program":
        """The inverse of `pack`."""
        d = json.loads(description)
        tensors = {t["name"]: Tensor(**t | {"shape": tuple(t["shape"])}) for t in d["tensors"]}
        operations = [
            find(o["kind"])(
                inputs=tuple(o["inputs"]),
                output=o["output"],
                parameters={k: tuple(v) if isinstance(v, list) else v for k, v in o["parameters"].items()},
                arrays={k.split(".", 1)[1]: v for k, v in arrays.items() if k.split(".", 1)[0] == str(i)},
                path=o["path"],
            )
            for i, o in enumerate(d["operations"])
        ]
        return cls(d["input"], d["output"], tensors, operations, d["metadata"], d.get("state", {}))
