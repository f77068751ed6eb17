"""Random programs, to show that the interpreter and the C kernels agree on every bit.

`random_program` draws small networks over all kinds of operation (`Operation.random`), with odd shapes and extreme parameters; `build`
compiles many of them into one binary.
"""

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tinycourse.codegen import emitter
from tinycourse.codegen.emitter import functions
from tinycourse.program.fixed_point import fixed_point
from tinycourse.program.ops.base import OPS, Tensor
from tinycourse.program.ops.products import Linear
from tinycourse.program.program import Program
from tinycourse.targets import toolchain


class Sketch:
    """A program while it is being drawn: tensors and operations are added one by one."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, ...]):
        self.rng, self.tensors, self.operations = rng, {}, []
        self.input = self.tensor("x", shape)

    def tensor(self, name: str, shape: Iterable[int], zero_point: int | None = None, bits: int = 8) -> str:
        zero_point = int(self.rng.choice([-128, 127, *self.rng.integers(-128, 128, 6)])) if zero_point is None else zero_point
        self.tensors[name] = Tensor(name, tuple(int(n) for n in shape), 0.05, zero_point if bits == 8 else 0, bits)
        return name

    def shape(self, name: str) -> tuple[int, ...]:
        return self.tensors[name].shape

    def add(self, kind: str, inputs: tuple[str, ...], shape: Iterable[int], parameters=None, arrays=None, zero_point=None) -> str:
        parameters = dict(parameters or {})
        if OPS[kind].can_clamp and self.rng.random() < 0.5:
            parameters["clamp"] = tuple(sorted(int(v) for v in self.rng.integers(-128, 128, 2)))
        output = self.tensor(f"t{len(self.operations)}", shape, zero_point, OPS[kind].bits[1])
        self.operations.append(OPS[kind](inputs, output, parameters, arrays or {}, f"layers.{len(self.operations)}"))
        return output

    def pick(self, rank: int | None = None) -> str:
        """An int8 tensor, rather a late one; with `rank`, a map (3) or a vector (1), made if there is none."""
        int8 = [n for n, t in self.tensors.items() if t.bits == 8]
        names = [n for n in int8 if rank is None or len(self.shape(n)) == rank]
        if names:
            return names[-1 - min(int(self.rng.geometric(0.6)) - 1, len(names) - 1)]
        source = int8[-1]
        size = self.tensors[source].size
        c = int(self.rng.choice([n for n in range(1, 10) if size % n == 0]))
        shape = (size,) if rank == 1 else next((h, size // c // h, c) for h in (4, 3, 2, 1) if size // c % h == 0)
        return self.add("reshape", (source,), shape, zero_point=self.tensors[source].zero_point)

    def factor(self, spread: float, count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Multiplier and shift that bring numbers of this spread to int8; now and then far too large, or 0."""
        wild = self.rng.choice([1.0] * 9 + [0.0, 1e-4, 1e4], count)
        return fixed_point(wild * self.rng.uniform(10, 100, count) / spread)

    def matrix(self, outputs: int, inputs: int) -> np.ndarray:
        """Weights of a product with a vector, now and then with next to no 8x1 blocks."""
        weight = self.rng.integers(-128, 128, (outputs, inputs), np.int8)
        kept = self.rng.random((-(-outputs // 8), inputs)) < self.rng.choice([0.1, 0.5, 1.0])
        return weight * kept.repeat(8, 0)[:outputs]


DRAW = {name: draw for op in OPS.values() for name, draw in op.draws().items()}


def random_program(seed: int, operations: int = 6, largest: int = 4000) -> Program:
    """A random program of at least `operations` operations, no tensor above `largest` bytes (at least 729).

    The last sort is `seed` modulo their number, so that consecutive seeds show the results of all sorts.
    """
    rng = np.random.default_rng(seed)
    s = Sketch(rng, (*rng.integers(1, 10, 2), rng.choice([1, 2, 3, 4, 6, 8, 9])))
    draws = list(DRAW.values())
    while True:
        last = len(s.operations) >= operations - 1
        draw = draws[seed % len(draws) if last else rng.integers(len(draws))]
        tensors, steps = dict(s.tensors), len(s.operations)
        draw(s)
        if max(t.bytes for t in s.tensors.values()) > largest:  # take it back
            s.tensors, s.operations = tensors, s.operations[:steps]
        elif last:
            return Program(s.input, s.operations[-1].output, s.tensors, s.operations)


def random_recurrent_program(seed: int) -> Program:
    """Some layers with a state: cells and outputs kept from call to call, in a program for one frame.

    Now and then a layer's output is the state of a layer before it; the last may end in a projection.
    """
    rng = np.random.default_rng(seed)
    s = Sketch(rng, (int(rng.integers(1, 20)),))
    state, x = {}, s.input
    for layer in range(int(rng.integers(1, 4))):
        kind, units = str(rng.choice(["lstm", "cifg", "sru"])), int(rng.integers(1, 20))
        gates, bits = 3 if kind == "cifg" else 4, int(rng.integers(9, 13))
        h, c = s.tensor(f"h{layer}", (units,)), s.tensor(f"c{layer}", (units,), bits=16)
        arrays = {"bias": rng.integers(-20000, 20000, gates * units).astype(np.int32)}
        inputs = (x,) if kind == "sru" else (x, h)
        for one, which in zip(inputs, ("", "_recurrent")):
            arrays["weight" + which] = s.matrix(gates * units, *s.shape(one))
            arrays["multiplier" + which], arrays["shift" + which] = s.factor(25 * math.sqrt(*s.shape(one)), gates * units)
        z = s.add("linear16", inputs, (gates * units,), {}, arrays)
        if rng.random() < 0.5:
            multiplier, shift = s.factor(2.0**5, gates * units)
            arrays = dict(multiplier=multiplier, shift=shift, bias=rng.integers(-8000, 8000, gates * units).astype(np.int32))
            z = s.add("layer_norm", (z,), s.shape(z), {"gates": gates, "epsilon": int(2.0 ** rng.uniform(0, 52))}, arrays)
        limit = {} if kind == "sru" else {"limit": int(rng.integers(1000, 2**15))}
        new = s.add(f"{kind}_cell", (z, c), (units,), {"bits": bits} | limit)
        multiplier, shift = s.factor(2.0**24)
        factor = {"bits": bits, "multiplier": int(multiplier), "shift": int(shift)}
        kind = "highway_output" if kind == "sru" else "gated_output"
        x = s.add(kind, (z, new), (units,), factor, zero_point=s.tensors[h].zero_point)
        state |= {c: new} | ({h: x} if h in inputs else {})
        if h not in inputs:
            del s.tensors[h]
    return Program(s.input, Linear.random(s) if rng.random() < 0.5 else x, s.tensors, s.operations, state=state)


def random_input(program: Program, seed: int) -> np.ndarray:
    """Integers [4, *input shape]: two of noise, one all the smallest, one all the largest."""
    t = program.tensors[program.input]
    low, high = t.limits
    noise = np.random.default_rng(seed).integers(low, high + 1, (2, *t.shape), t.dtype)
    return np.concatenate([noise, np.full((1, *t.shape), low, t.dtype), np.full((1, *t.shape), high, t.dtype)])


def build(programs: list[Program], target: str, folder: Path, flags: list[str] = (), dsp: bool = False) -> Path:
    """Compile many programs, named case0, case1, ..., and the kernels once, into one binary for `target`.

    `dsp`: with the DSP kernels, which run on any target.
    """
    sources, exports = write(programs, folder, dsp)
    return toolchain.build(sources, target, folder / toolchain.BINARIES[target], exports, flags)


def write(programs: list[Program], folder: Path, dsp: bool = False) -> tuple[list[Path], list[str]]:
    """The C files of what `build` compiles, and the functions that the binary offers."""
    names, sources = [f"case{i}" for i in range(len(programs))], {}
    for name, program in zip(names, programs):
        sources |= emitter.generate(program, name, dsp)
    for file, text in sources.items():
        (folder / file).write_text(text)
    (folder / "cases.c").write_text("".join(f'#include "{name}.c"\n' for name in names))
    kernels = [folder / file for file in sources if file.endswith(".c") and file.removesuffix(".c") not in names]
    exports = [f"{name}_{function}" for name, program in zip(names, programs) for function in functions(program)]
    return [folder / "cases.c", *kernels], exports
