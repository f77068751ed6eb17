"""Write a `Program` as C: constant weights, one function for each layer, a static arena.

The generated `model.c` calls the kernels in `mcu/kernels`; it holds what is particular to the network. Everything is decided
here, before the chip runs: which kernel (selection.py), where each tensor lies, and the bias with the input's zero point folded in.
"""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from tinycourse.errors import TinycourseError
from tinycourse.mcu.planner import Plan, plan
from tinycourse.mcu.program import Operation, Program, Tensor
from tinycourse.mcu.selection import BITS, CLAMPS, TRANSLATE, Kernel, describe, stored

KERNELS = Path(__file__).parent / "kernels"
C_TYPES = {"int8": "int8_t", "int16": "int16_t", "uint16": "uint16_t", "int32": "int32_t"}


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


def static(buffers: dict[str, tuple[np.dtype, int]]) -> str:
    """Memory for so many numbers of a type under each name."""
    return "\n".join(f"static {C_TYPES[kind.name]} {name}[{count}];" for name, (kind, count) in buffers.items())


def bytes_of(buffers: dict[str, tuple[np.dtype, int]]) -> int:
    """What `static` takes."""
    return sum(kind.itemsize * count for kind, count in buffers.values())


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
