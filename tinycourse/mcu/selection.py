"""Which kernel computes an operation, and with which parameters: everything that is decided for one operation by itself.

`TRANSLATE` has a function for each kind of operation; what they give, a `Kernel`, codegen.py writes as C.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from tinycourse.errors import TinycourseError
from tinycourse.mcu.frontend import POWER_BITS, spectrum_bits
from tinycourse.mcu.program import Operation, Tensor
from tinycourse.sparse import panels

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
