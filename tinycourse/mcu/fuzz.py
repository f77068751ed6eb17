"""Random programs, to show that the interpreter and the C kernels agree on every bit.

`random_program` draws small networks over all kinds of operation, with odd shapes and extreme parameters; `build` compiles
many of them into one binary.
"""

import functools
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tinycourse.mcu import codegen, selection, toolchain
from tinycourse.mcu.codegen import functions
from tinycourse.mcu.fixed_point import fixed_point
from tinycourse.mcu.frontend import twiddles
from tinycourse.mcu.program import INTERPRETER, Operation, Program, Tensor


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
        if kind in selection.CLAMPS and self.rng.random() < 0.5:
            parameters["clamp"] = tuple(sorted(int(v) for v in self.rng.integers(-128, 128, 2)))
        output = self.tensor(f"t{len(self.operations)}", shape, zero_point, selection.BITS.get(kind, ((), 8))[1])
        self.operations.append(Operation(kind, inputs, output, parameters, arrays or {}, f"layers.{len(self.operations)}"))
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


def random_conv(s: Sketch, sort: str) -> str:
    """A convolution, general, grouped, depthwise or pointwise."""
    x = s.pick(3)
    h, w, c = s.shape(x)
    if sort in ("grouped", "depthwise") and all(c % g for g in range(2, c)):  # 1, or a prime number of channels: add some
        c = 6 if c < 6 else c + 1
        x = s.add("pad", (x,), (h, w, c), {"start": (0, 0, int(s.rng.integers(0, 2)))}, zero_point=s.tensors[x].zero_point)
    groups = {"grouped": int(s.rng.choice([g for g in range(2, c) if c % g == 0] or [1])), "depthwise": c}.get(sort, 1)
    outputs = groups * int(s.rng.integers(1, 4 if groups > 1 else 12))
    kernel, stride, padding, dilation, size = (1, 1), (1, 1), (0, 0), (1, 1), (h, w)
    if sort != "pointwise":
        kernel, stride, dilation = (tuple(int(v) for v in s.rng.integers(1, n, 2)) for n in (5, 4, 3))
        padding = tuple(int(s.rng.integers(-1 if n > 2 else 0, k * d + 1)) for n, k, d in zip((h, w), kernel, dilation))
        reach = [(k - 1) * d for k, d in zip(kernel, dilation)]
        spare = [max(n + p - r - 1 + int(s.rng.integers(0, 4)), 0) for n, p, r in zip((h, w), padding, reach)]
        size = tuple(v // t + 1 for v, t in zip(spare, stride))
    weight = s.rng.integers(-128, 128, (outputs, *kernel, c // groups), np.int8)
    multiplier, shift = s.factor(5000 * math.sqrt(weight[0].size), outputs)
    bias = s.rng.integers(-20000, 20000, outputs).astype(np.int32)
    parameters = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return s.add("conv", (x,), (*size, outputs), parameters, dict(weight=weight, bias=bias, multiplier=multiplier, shift=shift))


def random_linear(s: Sketch) -> str:
    x = s.pick(int(s.rng.choice([1, 1, 3])))
    *positions, inputs = s.shape(x)
    outputs = int(s.rng.integers(1, 28))
    weight = s.matrix(outputs, inputs)
    multiplier, shift = s.factor(5000 * math.sqrt(inputs), outputs)
    bias = s.rng.integers(-20000, 20000, outputs).astype(np.int32)
    return s.add("linear", (x,), (*positions, outputs), {}, dict(weight=weight, bias=bias, multiplier=multiplier, shift=shift))


def random_sum(s: Sketch, factors: int, shape: Iterable[int]) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Multipliers, bias and shift of `scale` and `add`: factors of up to 1, now and then far larger or smaller."""
    shape = tuple(shape)
    wild = s.rng.random(shape[-1]) < 0.1
    shift = np.where(wild, s.rng.integers(1, 31, shape[-1]), s.rng.integers(6, 16, shape[-1]))
    step = np.where(wild, 2.0**15, 2.0**shift)
    multipliers = [(s.rng.uniform(-1, 1, shape) * step).astype(np.int16) for _ in range(factors)]
    bias = (s.rng.uniform(-1, 1, shape) * np.minimum(50 * 2.0**shift, 2.0**30 - 2.0**25)).astype(np.int32)
    return multipliers, bias, shift.astype(np.int8)


def random_scale(s: Sketch) -> str:
    x = s.pick()
    *size, channels = s.shape(x)
    bands = [int(s.rng.choice([1, n, *(b for b in range(2, n) if n % b == 0)])) for n in size]
    (multiplier,), bias, shift = random_sum(s, 1, (*bands, channels))
    return s.add("scale", (x,), s.shape(x), {}, dict(multiplier=multiplier, bias=bias, shift=shift))


def random_pair(s: Sketch) -> tuple[str, str, tuple[int, ...]]:
    """Two tensors that can be broadcast together, in either order, and the shape that they give."""
    a = s.pick()
    shape = s.shape(a)

    def fits(name: str) -> bool:
        return (
            s.tensors[name].bits == 8
            and len(s.shape(name)) == len(shape)
            and all(1 in (i, j) or i == j for i, j in zip(shape, s.shape(name)))
        )

    b = str(s.rng.choice([n for n in s.tensors if fits(n)]))
    if len(shape) == 3 and s.rng.random() < 0.5:  # cut a thin slice of a, so that there is something to broadcast
        small = tuple(1 if s.rng.random() < 0.5 else n for n in shape)
        b = s.add("crop", (a,), small, {"start": (0, 0, 0)}, zero_point=s.tensors[a].zero_point)
    a, b = (a, b) if s.rng.random() < 0.5 else (b, a)
    return a, b, np.broadcast_shapes(s.shape(a), s.shape(b))


def random_add(s: Sketch) -> str:
    a, b, shape = random_pair(s)
    (multiplier_a, multiplier_b), bias, shift = random_sum(s, 2, shape[-1:])
    return s.add("add", (a, b), shape, {}, dict(multiplier_a=multiplier_a, multiplier_b=multiplier_b, bias=bias, shift=shift))


def random_multiply(s: Sketch) -> str:
    a, b, shape = random_pair(s)
    multiplier, shift = s.factor(5000)
    return s.add("multiply", (a, b), shape, {"multiplier": int(multiplier), "shift": int(shift)})


def random_max_pool(s: Sketch) -> str:
    x = s.pick(3)
    h, w, c = s.shape(x)
    kernel, stride = (tuple(int(v) for v in s.rng.integers(1, 4, 2)) for _ in range(2))
    padding = tuple(int(s.rng.integers(0, k)) for k in kernel)
    size = [max(n + p - k + int(s.rng.integers(0, 3)), 0) // t + 1 for n, p, k, t in zip((h, w), padding, kernel, stride)]
    parameters = dict(kernel=kernel, stride=stride, padding=padding)
    return s.add("max_pool", (x,), (*size, c), parameters, zero_point=s.tensors[x].zero_point)


def random_average_pool(s: Sketch) -> str:
    x = s.pick(3)
    h, w, c = s.shape(x)
    everything = s.rng.random() < 0.3
    kernel = (h, w) if everything else tuple(int(s.rng.integers(1, min(n, 4) + 1)) for n in (h, w))
    stride = tuple(int(v) for v in s.rng.integers(1, 4, 2))
    size = () if everything else tuple((n - k) // t + 1 for n, k, t in zip((h, w), kernel, stride))
    multiplier, shift = s.factor(70 * kernel[0] * kernel[1])
    parameters = dict(kernel=kernel, stride=stride, multiplier=int(multiplier), shift=int(shift))
    return s.add("average_pool", (x,), (*size, c), parameters)


def random_upsample(s: Sketch) -> str:
    x = s.pick(3)
    h, w, c = s.shape(x)
    fh, fw = (int(f) for f in s.rng.integers(1, 4, 2))
    size = h * fh - int(s.rng.integers(0, fh)), w * fw - int(s.rng.integers(0, fw))
    return s.add("upsample", (x,), (*size, c), {"factor": (fh, fw)}, zero_point=s.tensors[x].zero_point)


def random_crop(s: Sketch) -> str:
    x = s.pick(3)
    start = tuple(int(s.rng.integers(0, n)) for n in s.shape(x))
    shape = tuple(int(s.rng.integers(1, n - i + 1)) for n, i in zip(s.shape(x), start))
    return s.add("crop", (x,), shape, {"start": start}, zero_point=s.tensors[x].zero_point)


def random_pad(s: Sketch) -> str:
    x = s.pick(3)
    start = tuple(int(v) for v in s.rng.integers(0, 3, 3))
    shape = tuple(n + i + int(s.rng.integers(0, 3)) for n, i in zip(s.shape(x), start))
    return s.add("pad", (x,), shape, {"start": start}, zero_point=s.tensors[x].zero_point)


def random_shift(s: Sketch) -> str:
    x = s.pick(3)
    h, w, c = s.shape(x)
    first = s.rng.integers(0, c, s.rng.integers(1, 5))
    runs = np.stack([first, s.rng.integers(1, c - first + 1), *s.rng.integers(-4, 5, (2, len(first)))], 1).astype(np.int16)
    size = (int(n + s.rng.integers(-min(n - 1, 2), 3)) for n in (h, w))
    return s.add("shift", (x,), (*size, runs[:, 1].sum()), {}, {"runs": runs}, zero_point=s.tensors[x].zero_point)


def random_lookup(s: Sketch) -> str:
    x = s.pick()
    return s.add("lookup", (x,), s.shape(x), {}, {"table": s.rng.integers(-128, 128, 256, np.int8)})


def random_reshape(s: Sketch) -> str:
    x = s.pick()
    size = s.tensors[x].size
    height = int(s.rng.choice([h for h in range(1, size + 1) if size % h == 0]))
    shape = (height, size // height, 1) if s.rng.random() < 0.5 else (size,)
    return s.add("reshape", (x,), shape, zero_point=s.tensors[x].zero_point)


def random_embedding(s: Sketch) -> str:
    rows, width = (int(n) for n in s.rng.integers(1, 12, 2))
    row = random_linear16(s, 1, 2 * rows)
    return s.add("embedding", (row,), (width,), {}, {"table": s.rng.integers(-128, 128, (rows, width), np.int8)})


def random_linear16(s: Sketch, outputs: int = 0, largest: float = 2e4) -> str:
    """Of one input or two; most results are at most `largest`."""
    inputs = [s.pick(1) for _ in range(int(s.rng.integers(1, 3)))]
    outputs, arrays = outputs or int(s.rng.integers(1, 28)), {}
    for x, which in zip(inputs, ("", "_recurrent")):
        arrays["weight" + which] = s.matrix(outputs, *s.shape(x))
        spread = 5000 * math.sqrt(*s.shape(x)) * 100 / largest
        arrays["multiplier" + which], arrays["shift" + which] = s.factor(spread, outputs)
    arrays["bias"] = s.rng.integers(-20000, 20000, outputs).astype(np.int32)
    return s.add("linear16", tuple(inputs), (outputs,), {}, arrays)


def random_layer_norm(s: Sketch) -> str:
    gates, units = int(s.rng.integers(1, 5)), int(s.rng.integers(1, 10))
    multiplier, shift = s.factor(2.0 ** s.rng.integers(4, 10), gates * units)
    bias = s.rng.integers(-8000, 8000, gates * units).astype(np.int32)
    parameters = {"gates": gates, "epsilon": int(2.0 ** s.rng.uniform(0, 52))}
    x = random_linear16(s, gates * units)
    return s.add("layer_norm", (x,), s.shape(x), parameters, dict(multiplier=multiplier, shift=shift, bias=bias))


def random_cell(s: Sketch, kind: str, gates: int = 4) -> str:
    """One frame of a cell whose state is not kept, or what it gives to the outside."""
    units, parameters = int(s.rng.integers(1, 10)), {"bits": int(s.rng.integers(9, 13))}
    if kind.endswith("output"):
        multiplier, shift = s.factor(2.0**30)
        parameters |= {"multiplier": int(multiplier), "shift": int(shift)}
    elif kind != "sru_cell":
        parameters["limit"] = int(s.rng.integers(1, 2**15))
    inputs = random_linear16(s, gates * units), random_linear16(s, units)
    return s.add(kind, inputs, (units,), parameters)


def random_tanh8(s: Sketch) -> str:
    x = random_linear16(s)
    return s.add("tanh8", (x,), s.shape(x), zero_point=0)


def random_features(s: Sketch) -> str:
    """A front end with a small FFT and tables of noise, but for the twiddles: the kernel counts on their never letting sums grow."""
    fft, frames, mels = 2 ** int(s.rng.integers(4, 8)), int(s.rng.integers(1, 5)), int(s.rng.integers(1, 7))
    size = int(s.rng.integers(fft // 2, fft + 1))
    hop, lead = (int(n) for n in s.rng.integers(1, size // 2, 2))
    counts = s.rng.multinomial(int(s.rng.integers(1, fft // 2)), np.full(mels + 1, 1 / (mels + 1)))
    multiplier, shift = s.factor(2.0 ** s.rng.integers(8, 14), bands := int(s.rng.integers(1, mels + 1)))
    arrays = {
        "window": s.rng.integers(0, 2**15 * fft // (2 * size), size).astype(np.int16),
        "twiddle": twiddles(fft),
        "mel": s.rng.integers(0, 2**12 + 1, counts.sum()).astype(np.int16),
        "counts": counts.astype(np.int16),
        "dct": s.rng.integers(-1000, 1000, (bands, mels)).astype(np.int16),
    }
    if bands == mels and s.rng.random() < 0.5:
        del arrays["dct"]
    arrays |= dict(bias=s.rng.integers(-(2**16), 0, bands).astype(np.int32), multiplier=multiplier, shift=shift)
    first = int(s.rng.integers(1, fft // 2 - counts.sum() + 1))
    parameters = dict(hop=hop, lead=lead, fft=fft, first=first, floor=int(2.0 ** s.rng.uniform(0, 28)))
    x = random_linear16(s, size + (frames - 1) * hop - int(s.rng.integers(0, lead + 1)))
    return s.add("features", (x,), (frames, bands, 1), parameters, arrays)


CELLS = {kind: functools.partial(random_cell, kind=kind, gates=3 if kind == "cifg_cell" else 4) for kind in selection.CELLS}
CONVS = {f"{sort} conv": functools.partial(random_conv, sort=sort) for sort in ("general", "grouped", "depthwise", "pointwise")}
DRAW = CONVS | {kind: globals()[f"random_{kind}"] for kind in INTERPRETER if kind != "conv" and kind not in CELLS} | CELLS


def random_program(seed: int, operations: int = 6, largest: int = 4000) -> Program:
    """A random program of at least `operations` operations, no tensor above `largest` bytes (at least 729).

    The last kind is `seed` modulo their number, so that consecutive seeds show the results of all kinds.
    """
    rng = np.random.default_rng(seed)
    s = Sketch(rng, (*rng.integers(1, 10, 2), rng.choice([1, 2, 3, 4, 6, 8, 9])))
    kinds = list(DRAW)
    while True:
        last = len(s.operations) >= operations - 1
        kind = kinds[seed % len(kinds)] if last else rng.choice(kinds)
        tensors, steps = dict(s.tensors), len(s.operations)
        DRAW[kind](s)
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
    return Program(s.input, random_linear(s) if rng.random() < 0.5 else x, s.tensors, s.operations, state=state)


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
    names = [f"case{i}" for i in range(len(programs))]
    for name, program in zip(names, programs):
        for file, text in (sources := codegen.generate(program, name, dsp)).items():
            (folder / file).write_text(text)
    (folder / "cases.c").write_text("".join(f'#include "{name}.c"\n' for name in names))
    kernels = [folder / file for file in sources if file.endswith(".c") and file != f"{names[-1]}.c"]
    exports = [f"{name}_{function}" for name, program in zip(names, programs) for function in functions(program)]
    return [folder / "cases.c", *kernels], exports
