"""Write a `Program` as C: constant weights, one function for each layer, a static arena.

The generated `model.c` calls the kernels in `mcu/kernels`; it holds what is particular to the network. Everything is decided
here, before the chip runs: which kernel, where each tensor lies, and the bias with the input's zero point folded in.
"""

import math
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tinycourse.errors import TinycourseError
from tinycourse.mcu.frontend import POWER_BITS, spectrum_bits
from tinycourse.mcu.planner import Plan, plan
from tinycourse.mcu.program import Operation, Program, Tensor
from tinycourse.sparse import panels

KERNELS = Path(__file__).parent / "kernels"
C_TYPES = {"int8": "int8_t", "int16": "int16_t", "uint16": "uint16_t", "int32": "int32_t"}
PAIR = 2  # blocks of a sparse matrix that a kernel multiplies at a time
SHARED = {"tc_max_pool": "tc_pool", "tc_average_pool": "tc_pool", "tc_crop": "tc_box", "tc_pad": "tc_box"}  # one struct for two
SHARED |= {"tc_pointwise": "tc_linear"} | dict.fromkeys(("tc_lstm_cell", "tc_cifg_cell", "tc_sru_cell"), "tc_cell")
SHARED |= dict.fromkeys(("tc_gated_output", "tc_highway_output"), "tc_cell_output")
CLAMPS = {"conv", "linear", "scale", "add", "multiply", "max_pool", "average_pool", "lookup"}  # kinds that may fuse a ReLU

FEATURE_TABLES = "window", "twiddle", "mel", "counts", "dct", "bias", "multiplier", "shift"  # the DCT of MFCC only
CELLS = "lstm_cell", "cifg_cell", "sru_cell", "gated_output", "highway_output"
BITS = {
    "embedding": ((16,), 8),
    "linear16": ((8, 8), 16),
    "layer_norm": ((16,), 16),
    "tanh8": ((16,), 8),
    "features": ((16,), 8),
}  # kind: (of its inputs, of its output)
BITS |= {kind: ((16, 16), 16 if kind.endswith("cell") else 8) for kind in CELLS}


@dataclass(frozen=True)
class Kernel:
    """How one operation is written in C.

    `function` is the kernel, `fields` its parameters in the order of its struct (nested dicts are nested structs), `arrays`
    the constants that `fields` names, `scratch` the bytes it needs while it runs, `name` what reports call it.
    """

    function: str
    fields: dict = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    scratch: int = 0
    name: str = ""

    @property
    def struct(self) -> str:
        """The C type of its parameters."""
        return SHARED.get(self.function, self.function) + "_params"

    @property
    def path(self) -> str:
        """Which of an operation's kernels it is, in words."""
        return self.name or self.function.removeprefix("tc_") or "alias"

    @property
    def constant_bytes(self) -> int:
        return sum(a.nbytes for a in self.arrays.values())


# -------------------------------------------------------------------------------------------- from operation to kernel
# Each function takes the operation, its input Tensors and its output Tensor, and returns a Kernel.


def as_map(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(C,) as the map (1, 1, C)."""
    return (1,) * (3 - len(shape)) + tuple(shape)


def activation(op: Operation, out: Tensor, zero_point: int | None = None) -> dict:
    minimum, maximum = op.parameters.get("clamp", (-128, 127))
    return {"zero_point": out.zero_point if zero_point is None else zero_point, "minimum": minimum, "maximum": maximum}


def window(op: Operation, x: Tensor, size: tuple[int, int, int]) -> dict:
    p = op.parameters
    (kh, kw), (dh, dw) = p.get("kernel") or op.arrays["weight"].shape[1:3], p.get("dilation", (1, 1))
    (sh, sw), (top, left) = p["stride"], p.get("padding", (0, 0))
    sizes = {"input": as_map(x.shape), "output": size, "kernel_height": kh, "kernel_width": kw}
    steps = {"stride_height": sh, "stride_width": sw, "padding_top": top, "padding_left": left}
    return sizes | steps | {"dilation_height": dh, "dilation_width": dw, "input_zero_point": x.zero_point}


def dense(op: Operation, x: Tensor, out: Tensor) -> tuple[dict, dict]:
    """Fields and arrays of a product with constant weights and an int8 output."""
    fields, arrays = product(op, x)
    return {"inputs": fields.pop("inputs"), "outputs": len(arrays["weight"])} | fields | {"activation": activation(op, out)}, arrays


def product(op: Operation, x: Tensor, which: str = "") -> tuple[dict, dict]:
    """Fields and arrays of a product with the constant `weight` + `which`; sum (x - zero) w + b = sum x w + (b - zero sum w)."""
    weight = op.arrays["weight" + which].reshape(len(op.arrays["weight" + which]), -1).astype(np.int64)
    bias = op.arrays.get("bias" + which, np.zeros(len(weight))).astype(np.int64)
    largest = np.abs(bias) + 256 * np.abs(weight).sum(1)  # of any partial sum, bias folded or not
    if largest.max() >= 2**31:
        raise TinycourseError(f"The sums of {describe(op)} may overflow 32 bits; make the layer narrower or its bias smaller.")
    arrays = {
        "weight": weight.astype(np.int8),
        "bias": (bias - x.zero_point * weight.sum(1)).astype(np.int32),
        "multiplier": op.arrays["multiplier" + which].astype(np.int32),
        "shift": op.arrays["shift" + which].astype(np.int8),
    }
    return {"inputs": weight.shape[1]} | {k: k + which for k in arrays}, {k + which: a for k, a in arrays.items()}


def stored(weight: np.ndarray) -> dict[str, np.ndarray]:
    """A matrix int8 [outputs, inputs] as the product with one vector reads it: where that takes fewer bytes, without its empty 8x1 blocks.

    A block is eight outputs that one input feeds. weight [pairs, 4, 2, 2] has the blocks that are left, two at a time: two outputs of
    the one, two of the other, four times; column uint16 [pairs, 2] has the input of each; start int32 [panels + 1] where the pairs of
    every eight outputs begin. Zeros add nothing to a sum, so the interpreter need not know.
    """
    if weight.shape[1] > 2**16 or not weight.any():  # more than an index can say; nothing, and C knows no empty array
        return {"weight": weight}
    values, start, column = panels(weight, PAIR, sparse=True)  # values [pairs, 8, 2]
    values = np.ascontiguousarray(values.reshape(-1, 4, 2, PAIR).swapaxes(2, 3))
    sparse = {"weight": values, "column": column, "start": start}
    return sparse if sum(a.nbytes for a in sparse.values()) < weight.nbytes else {"weight": weight}


def vector_product(op: Operation, x: Tensor, which: str = "") -> tuple[dict, dict]:
    """As `product`, of a single vector: sparse where that is smaller."""
    fields, arrays = product(op, x, which)
    found = stored(arrays["weight" + which])
    return fields | {k: k + which for k in found}, arrays | {k + which: a for k, a in found.items()}


def conv(op, ins, out):
    """One of three kernels: a 1x1 convolution is a product at every position, one input channel per output is depthwise."""
    x, groups = ins[0], op.parameters["groups"]
    fields, arrays = dense(op, x, out)
    outputs, kh, kw, inputs = op.arrays["weight"].shape
    sliding = {"window": window(op, x, out.shape)}
    if groups == x.shape[2] and groups > 1:
        arrays["weight"] = np.ascontiguousarray(arrays["weight"].T)  # [KH * KW, outputs], channels last
        arrays["bias"] = op.arrays["bias"].astype(np.int32)  # the kernel subtracts the zero point
        return Kernel("tc_depthwise", sliding | {"channel_multiplier": outputs // groups, "dense": fields}, arrays)
    still = (kh, kw) == tuple(op.parameters["stride"]) == (1, 1) and tuple(op.parameters["padding"]) == (0, 0)
    if still and groups == 1 and x.shape[:2] == out.shape[:2]:
        return Kernel("tc_linear", {"rows": math.prod(out.shape[:2]), "dense": fields}, arrays, name="pointwise")
    sizes = {"groups": groups, "group_inputs": inputs, "group_outputs": outputs // groups}
    return Kernel("tc_conv", sliding | sizes | {"dense": fields}, arrays, scratch=kh * kw * inputs)


def linear(op, ins, out):
    single, sparse = vector_product(op, ins[0])
    if "start" in sparse and len(out.shape) == 1:
        fields = {"outputs": out.size, "product": single, "activation": activation(op, out)}
        return Kernel("tc_sparse_linear", fields, sparse)
    fields, arrays = dense(op, ins[0], out)
    return Kernel("tc_linear", {"rows": math.prod(ins[0].shape[:-1]), "dense": fields}, arrays)


def scale(op, ins, out):
    arrays = shifted_sum(op, ins, "multiplier")
    (height, width, _), (rows, columns, _) = as_map(out.shape), as_map(op.arrays["multiplier"].shape)
    bands = {"shape": as_map(out.shape), "bands": columns, "band_height": height // rows, "band_width": width // columns}
    return Kernel("tc_scale", bands | {k: k for k in arrays} | {"activation": activation(op, out)}, arrays)


def add(op, ins, out):
    arrays = shifted_sum(op, ins, "multiplier_a", "multiplier_b")
    return Kernel("tc_add", broadcast(ins, out) | {k: k for k in arrays} | {"activation": activation(op, out)}, arrays)


def shifted_sum(op: Operation, ins: list[Tensor], *multipliers: str) -> dict[str, np.ndarray]:
    """Arrays of `scale` and `add`, with all that does not depend on x in the bias.

    round((sum (x - zero) m + b) / 2**s) = (sum x m + (b - sum zero m + 2**(s-1))) >> s: the bracket is the new bias.
    """
    shift, bias = op.arrays["shift"].astype(np.int64), op.arrays["bias"].astype(np.int64)
    factors = [op.arrays[k].astype(np.int64) for k in multipliers]
    half = np.int64(1) << (shift - 1)
    if (256 * sum(np.abs(m) for m in factors) + np.abs(bias) + half).max() >= 2**31:  # of any partial sum
        raise TinycourseError(f"The sums of {describe(op)} may overflow 32 bits; give it another shift.")
    bias = bias - sum(t.zero_point * m for t, m in zip(ins, factors)) + half
    arrays = {k: op.arrays[k].astype(np.int16) for k in multipliers}
    return arrays | {"bias": bias.astype(np.int32), "shift": op.arrays["shift"].astype(np.int8)}


def multiply(op, ins, out):
    factor = {k: op.parameters[k] for k in ("multiplier", "shift")}
    zeros = {f"zero_point_{letter}": t.zero_point for letter, t in zip("ab", ins)}
    return Kernel("tc_multiply", broadcast(ins, out) | zeros | factor | {"activation": activation(op, out)})


def broadcast(ins: list[Tensor], out: Tensor) -> dict:
    """Sizes and steps of two maps read together; a step of 0 reads the same number again."""
    fields = {"output": as_map(out.shape)}
    for letter, t in zip("ab", ins):
        h, w, c = as_map(t.shape)
        fields[f"stride_{letter}"] = (w * c * (h > 1), c * (w > 1), int(c > 1))
    return fields


def max_pool(op, ins, out):
    return Kernel("tc_max_pool", {"window": window(op, ins[0], out.shape), "activation": activation(op, out, 0)})


def average_pool(op, ins, out):
    (kh, kw), (sh, sw), (h, w, c) = op.parameters["kernel"], op.parameters["stride"], ins[0].shape
    size = ((h - kh) // sh + 1, (w - kw) // sw + 1, c)
    factor = {k: op.parameters[k] for k in ("multiplier", "shift")}
    return Kernel("tc_average_pool", {"window": window(op, ins[0], size)} | factor | {"activation": activation(op, out)})


def upsample(op, ins, out):
    fh, fw = op.parameters["factor"]
    return Kernel("tc_upsample", {"input": ins[0].shape, "output": out.shape, "factor_height": fh, "factor_width": fw})


def crop(op, ins, out):
    box = {"input": ins[0].shape, "output": out.shape, "start": op.parameters["start"]}
    return Kernel("tc_crop", box | {"zero_point": ins[0].zero_point})


def pad(op, ins, out):
    return Kernel("tc_pad", crop(op, ins, out).fields)


def shift(op, ins, out):
    runs = op.arrays["runs"].astype(np.int16)
    sizes = {"input": ins[0].shape, "output": out.shape, "zero_point": ins[0].zero_point, "runs": len(runs)}
    return Kernel("tc_shift", sizes | {"run": "run"}, {"run": runs})


def lookup(op, ins, out):
    table = np.clip(op.arrays["table"], *op.parameters.get("clamp", (-128, 127))).astype(np.int8)
    return Kernel("tc_lookup", {"count": out.size, "table": "table"}, {"table": table})


def reshape(op, ins, out):
    return Kernel("")  # the same bytes under another name: no code


def embedding(op, ins, out):
    table = op.arrays["table"].astype(np.int8)
    return Kernel("tc_embedding", {"rows": table.shape[0], "width": table.shape[1], "table": "table"}, {"table": table})


def linear16(op, ins, out):
    fields, arrays = vector_product(op, ins[0])
    if len(ins) == 1:
        return Kernel("tc_linear16", {"outputs": out.size, "input": fields}, arrays, name=sparse_name(op, arrays))
    second, more = vector_product(op, ins[1], "_recurrent")
    both = {"outputs": out.size, "input": fields, "recurrent": second}
    return Kernel("tc_linear16_pair", both, arrays | more, name=sparse_name(op, arrays | more))


def sparse_name(op: Operation, arrays: dict) -> str:
    """What reports call it if one of its matrices is sparse."""
    return f"sparse {op.kind}" if any(k.startswith("start") for k in arrays) else ""


def layer_norm(op, ins, out):
    gates, epsilon = op.parameters["gates"], op.parameters["epsilon"]
    if out.size // gates > 2048 or not 1 <= epsilon <= 2**52:
        raise TinycourseError(f"{describe(op)} takes gates of at most 2048 units and an epsilon from 1 to 2**52.")
    types = {"multiplier": np.int32, "shift": np.int8, "bias": np.int32}
    fields = {"gates": gates, "units": out.size // gates, "epsilon": epsilon} | {k: k for k in types}
    return Kernel("tc_layer_norm", fields, {k: op.arrays[k].astype(v) for k, v in types.items()})


def cell(op, ins, out):
    bits, limit = op.parameters["bits"], op.parameters.get("limit", 2**15 - 1)
    if not 9 <= bits <= 12 or not 1 <= limit < 2**15:
        raise TinycourseError(f"The cell of {describe(op)} must have 9 to 12 bits after the point and a limit from 1 to 32767.")
    return Kernel(f"tc_{op.kind}", {"units": out.size, "bits": bits, "limit": limit})


def cell_output(op, ins, out):
    sizes = {"gates": ins[0].size // out.size, "units": out.size}
    factor = {k: op.parameters[k] for k in ("bits", "multiplier", "shift")}
    return Kernel(f"tc_{op.kind}", sizes | factor | {"zero_point": out.zero_point})


def tanh8(op, ins, out):
    return Kernel("tc_tanh8", {"count": out.size})


def features(op, ins, out):
    """The steps of mcu/frontend.py; scratch holds one spectrum, its logarithms and a frame that reaches over an edge."""
    p, size = op.parameters, len(op.arrays["window"])
    sizes = {"samples": ins[0].size, "frames": out.shape[0], "window_size": size, "hop": p["hop"], "lead": p["lead"], "fft": p["fft"]}
    sizes |= {"first": p["first"], "mels": len(op.arrays["counts"]) - 1, "bands": out.shape[1], "floor": p["floor"]}
    sizes |= {"down": spectrum_bits(p["fft"]) - POWER_BITS, "zero_point": out.zero_point}
    scratch = 4 * p["fft"] + 2 * size + 2 * sizes["mels"]
    tables = {k: op.arrays[k] for k in FEATURE_TABLES if k in op.arrays}
    return Kernel("tc_features", sizes | {k: k for k in tables}, tables, scratch)


KINDS = conv, linear, scale, add, multiply, max_pool, average_pool, upsample, crop, pad, shift, lookup, reshape
TRANSLATE = {f.__name__: f for f in (*KINDS, embedding, linear16, layer_norm, tanh8, features)}
TRANSLATE |= {kind: cell if kind.endswith("cell") else cell_output for kind in CELLS}


def describe(op: Operation) -> str:
    return f"{op.kind} '{op.output}'" + (f" (from {op.path})" if op.path else "")


def multiply_adds(program: Program) -> list[int]:
    """Multiply-adds of each operation: products with weights of conv, linear and linear16; the other kinds count 0.

    Of a sparse matrix count those of the blocks that are left.
    """
    return [work(op, program.tensors[op.output]) for op in program.operations]


def work(op: Operation, out: Tensor) -> int:
    weights = [op.arrays[k] for k in ("weight", "weight_recurrent") if k in op.arrays]
    if op.kind != "conv" and len(out.shape) == 1:
        return sum(stored(w)["weight"].size for w in weights)
    return sum(w[0].size for w in weights) * out.size


def check(program: Program) -> None:
    """Raise TinycourseError where the program breaks an assumption of the kernels (shapes, clamps, shifts, names)."""
    names, tensors = [program.input, *program.state, *(op.output for op in program.operations)], program.tensors
    if len(set(names)) < len(names) or program.output not in names:
        raise TinycourseError("Every operation of a program must write a tensor of its own, and one of them its output.")
    for name, after in program.state.items():
        if after not in names or replace(tensors[after], name=name) != tensors[name] or after in program.state and after != name:
            raise TinycourseError(
                f"State '{name}' must take its own value, or that of an operation with its shape and scale; '{after}' is not."
            )
    for op in program.operations:
        if op.kind not in TRANSLATE:
            raise TinycourseError(f"There is no C kernel for {describe(op)}; use one of {', '.join(TRANSLATE)}.")
        if "clamp" in op.parameters and op.kind not in CLAMPS:
            raise TinycourseError(f"The C kernel of {describe(op)} cannot clamp; move the clamp to the operation before it.")
        ins, out = BITS.get(op.kind, ((8,) * len(op.inputs), 8))
        if op.kind != "reshape" and (*(tensors[n].bits for n in op.inputs), tensors[op.output].bits) != (*ins[: len(op.inputs)], out):
            raise TinycourseError(f"{describe(op)} reads or writes tensors of other types than its C kernel; quantize the network again.")
        if op.kind == "reshape" and op.inputs[0] in program.state:
            raise TinycourseError(f"{describe(op)} gives a state another shape; give it the right one from the beginning.")
        low, high = op.parameters.get("clamp", (-128, 127))
        if not -128 <= low <= high <= 127:
            raise TinycourseError(f"The clamp of {describe(op)} must be a range within -128 to 127, not {low} to {high}.")
        shifts = [np.asarray(values[k]) for values in (op.arrays, op.parameters) for k in ("shift", "shift_recurrent") if k in values]
        if any(shift.min() < 1 or shift.max() > 62 for shift in shifts):
            raise TinycourseError(f"The shifts of {describe(op)} must lie between 1 and 62.")
    x = tensors[program.input]
    zeros = np.full((1, *x.shape), x.zero_point, x.dtype)
    try:
        shapes = {name: value.shape[1:] for name, value in program.trace(zeros).items()}
    except (KeyError, ValueError, IndexError) as error:
        raise TinycourseError(f"This program does not fit together ({error}); trace the network again.") from None
    for name, shape in shapes.items():
        if shape != (said := program.tensors[name].shape):
            raise TinycourseError(f"Tensor '{name}' comes out as {list(shape)}, not {list(said)}; trace the network again.")


def with_dsp(kernel: Kernel) -> Kernel:
    """The same with the DSP kernels, which need scratch for two windows of 16-bit numbers; tc_conv for two of bytes too."""
    inputs = kernel.fields.get("dense", {}).get("inputs", 0)
    words = 4 * (inputs + inputs % 4)  # what is left over when inputs are taken by fours has a word each
    if kernel.function == "tc_conv":
        return replace(kernel, scratch=words + 2 * inputs)
    if kernel.function == "tc_linear" and kernel.fields["rows"] > 1 and kernel.fields["dense"]["outputs"] > 1:
        return replace(kernel, function="tc_pointwise", scratch=words, name=kernel.path)
    return kernel


def translate(program: Program, dsp: bool = False) -> tuple[list[Kernel], Plan]:
    """The kernel of every operation, with `dsp` those for the DSP instructions of a Cortex-M4, and where the tensors lie."""
    check(program)
    tensors = program.tensors
    kernels = [TRANSLATE[op.kind](op, [tensors[n] for n in op.inputs], tensors[op.output]) for op in program.operations]
    kernels = [with_dsp(k) for k in kernels] if dsp else kernels
    return kernels, plan(program, {i: k.scratch for i, k in enumerate(kernels) if k.scratch})


# ---------------------------------------------------------------------------------------------------- from kernel to C


def kernel_sources(dsp: bool) -> dict[str, str]:
    """{file name: text} of the kernels, plain, or with those for DSP instructions in place of some."""
    files = [p for p in sorted(KERNELS.iterdir()) if p.suffix in (".c", ".h") and (dsp or not p.name.startswith("dsp"))]
    sources = {p.name: p.read_text(encoding="utf-8") for p in files}
    return sources | {"kernels.h": sources["kernels.h"].replace("#define TC_DSP 0", f"#define TC_DSP {int(dsp)}")}


def generate(program: Program, name: str = "model", dsp: bool = False) -> dict[str, str]:
    """C sources of a program: {file name: text}, the kernels among them; with `dsp` those for the DSP instructions of a Cortex-M4.

    Every symbol begins with `name`, so that several models can be linked together; in the kernels it is `tc_`.
    The same program always gives the same text. Raises TinycourseError where the kernels cannot compute the program.
    """
    sources = kernel_sources(dsp)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or f"{name}.c" in sources or f"{name}.h" in sources:
        raise TinycourseError(f"'{name}' is no name for C symbols; use letters, digits and _, a letter first, no kernel's name.")
    kernels, memory = translate(program, dsp)
    layers = [layer(program, i, k, memory, name) for i, k in enumerate(kernels) if k.function]
    return {f"{name}.h": header(program, memory, name), f"{name}.c": body(program, layers, kernels, memory, name)} | sources


def functions(program: Program) -> list[str]:
    """What a generated model offers to a caller, each behind the model's name and an underscore."""
    state = [f"state_{i}" for i in range(len(program.state))]
    return ["run", "input", "output", *(["reset", *state] if state else [])]


def header(program: Program, memory: Plan, name: str) -> str:
    x, y, upper = program.tensors[program.input], program.tensors[program.output], name.upper()
    return f"""/* Generated by tinycourse; do not edit. The kernels are Apache-2.0; the weights belong to whoever trained them. */
#ifndef {upper}_H
#define {upper}_H

#include <stdint.h>

/* real value = SCALE * (number - ZERO_POINT); the input is {x.dtype} {list(x.shape)}, the output {y.dtype} {list(y.shape)}. */
#define {upper}_INPUT_BYTES {x.bytes}
#define {upper}_INPUT_SCALE {float(x.scale)!r}
#define {upper}_INPUT_ZERO_POINT ({x.zero_point})
#define {upper}_OUTPUT_BYTES {y.bytes}
#define {upper}_OUTPUT_SCALE {float(y.scale)!r}
#define {upper}_OUTPUT_ZERO_POINT ({y.zero_point})
#define {upper}_ARENA_BYTES {memory.arena} /* all the memory that the model writes, input and output included */

/* Fill {name}_input(), call {name}_run(), read {name}_output(). A run overwrites the input. */
{C_TYPES[x.dtype.name]} *{name}_input(void);
const {C_TYPES[y.dtype.name]} *{name}_output(void);
void {name}_run(void);
{remembers(program, name)}
#endif
"""


def remembers(program: Program, name: str) -> str:
    """Declarations of what only a program with a state has."""
    if not program.state:
        return ""
    states = [program.tensors[n] for n in program.state]
    functions = [f"{C_TYPES[t.dtype.name]} *{name}_state_{i}(void); /* {comment(t.name)} {list(t.shape)} */" for i, t in enumerate(states)]
    words = "Call {0}_reset() before the first run of a recording. A run leaves in the state what the next one begins with."
    return "\n".join(["", f"/* {words.format(name)} */", f"void {name}_reset(void);", *functions, ""])


def body(program: Program, layers: list[str], kernels: list[Kernel], memory: Plan, name: str) -> str:
    x, y = program.tensors[program.input], program.tensors[program.output]
    layers_called = [f"    {name}_layer_{i}();" for i, k in enumerate(kernels) if k.function]
    calls = "\n".join(layers_called + state_copies(program, memory, name))
    return f"""/* Generated by tinycourse; do not edit. The kernels are Apache-2.0; the weights belong to whoever trained them. */
#include "{name}.h"

#include "kernels.h"

/* Every tensor has its place here; tensors that never live at the same time share theirs. */
static union {{
    int8_t bytes[{name.upper()}_ARENA_BYTES];
    int16_t words[{name.upper()}_ARENA_BYTES / 2];
    int32_t longs[{name.upper()}_ARENA_BYTES / 4];
}} {name}_arena;

{"".join(layers)}{C_TYPES[x.dtype.name]} *{name}_input(void) {{ return {pointer(x, memory, name)}; }}

const {C_TYPES[y.dtype.name]} *{name}_output(void) {{ return {pointer(y, memory, name)}; }}

void {name}_run(void)
{{
{calls}
}}
{state_functions(program, memory, name)}"""


def pointer(tensor: Tensor, memory: Plan, name: str) -> str:
    """Where a tensor begins, in C, with its type."""
    offset = memory.offsets[tensor.name]
    return f"{name}_arena.words + {offset // 2}" if tensor.bits == 16 else f"{name}_arena.bytes + {offset}"


def state_copies(program: Program, memory: Plan, name: str) -> list[str]:
    """What a run does at its end, where the new state does not lie in the place of the old one already."""
    pairs = [(memory.offsets[old], memory.offsets[new], program.tensors[old].bytes) for old, new in program.state.items()]
    return [f"    tc_copy({name}_arena.bytes + {new}, {size}, {name}_arena.bytes + {old});" for old, new, size in pairs if old != new]


def state_functions(program: Program, memory: Plan, name: str) -> str:
    """`reset`, which makes the state stand for 0 (an int16 has no zero point), and where each part of the state lies."""
    if not program.state:
        return ""
    states = [program.tensors[n] for n in program.state]
    fills = [f"    tc_fill({t.zero_point}, {t.bytes}, {name}_arena.bytes + {memory.offsets[t.name]});" for t in states]
    reset = "\n".join([f"\nvoid {name}_reset(void)", "{", *fills, "}", ""])
    places = [f"\n{C_TYPES[t.dtype.name]} *{name}_state_{i}(void) {{ return {pointer(t, memory, name)}; }}\n" for i, t in enumerate(states)]
    return "".join([reset, *places])


def layer(program: Program, index: int, kernel: Kernel, memory: Plan, name: str) -> str:
    """One layer: a comment, its constants, its parameters and its function."""
    op, out = program.operations[index], program.tensors[program.operations[index].output]
    symbol = f"{name}_{index}"
    arrays = "".join(constant(f"{symbol}_{k}", a) for k, a in kernel.arrays.items())
    parameters = "\n".join(wrap([f".{k} = {initialiser(v, symbol)}" for k, v in kernel.fields.items()]))
    pointers = [pointer(program.tensors[n], memory, name) for n in (*op.inputs, op.output)]
    pointers += [f"{name}_arena.bytes + {memory.offsets[index]}"] if kernel.scratch else []
    arguments = ", ".join([f"&{symbol}", *pointers])
    return f"""/* {index}: {comment(f"{kernel.path} {op.path}")}
 * {", ".join(f"{comment(n)} {list(program.tensors[n].shape)}" for n in op.inputs)} -> {comment(out.name)} {list(out.shape)}, \
scale {out.scale:.6g}, zero point {out.zero_point} */
{arrays}static const {kernel.struct} {symbol} = {{
{parameters}
}};
TC_LAYER {name}_layer_{index}(void) {{ {kernel.function}({arguments}); }}

"""


def comment(text: str) -> str:
    return re.sub(r"[^\w.\- ]", "_", text).strip()


def constant(name: str, values: np.ndarray) -> str:
    """A constant array, one line or more for each row."""
    rows = values.reshape(-1, values.shape[-1]).tolist()
    lines = [line for row in rows for line in wrap([str(v) for v in row])]
    return f"static const {C_TYPES[values.dtype.name]} {name}[{values.size}] = {{\n" + "\n".join(lines) + "\n};\n"


def wrap(words: list[str], indent: int = 4, width: int = 120) -> list[str]:
    """Comma-separated words in lines of at most `width` characters; a word of several lines has its own."""
    lines = [" " * indent + f"{words[0]},"]
    for word in words[1:]:
        if "\n" in word + lines[-1] or len(lines[-1]) + len(word) + 2 > width:
            lines.append(" " * indent + f"{word},")
        else:
            lines[-1] += f" {word},"
    return lines


def initialiser(value, symbol: str) -> str:
    """A value of a parameter struct: a number, a shape, the name of an array, or a nested struct."""
    if isinstance(value, dict):
        words = [f".{k} = {initialiser(v, symbol)}" for k, v in value.items()]
        return "{\n" + "\n".join(wrap(words, indent=8)) + "\n    }" if len(words) > 3 else "{" + ", ".join(words) + "}"
    if isinstance(value, str):
        return f"{symbol}_{value}"
    if isinstance(value, (tuple, list)):
        return "{" + ", ".join(str(int(v)) for v in value) + "}"
    return str(int(value))
