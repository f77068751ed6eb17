"""What every operation of a program is: its data, what others may ask of it, and the C function that computes it."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from tinycourse.errors import TinycourseError

OPS: dict[str, type["Operation"]] = {}  # every kind of operation by its name; a class registers itself


@dataclass(frozen=True)
class Tensor:
    """An activation, int8 or, with 16 `bits`, int16. `shape` is (H, W, C) or (C,), without the batch."""

    name: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int
    bits: int = 8

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        return self.size * self.bits // 8

    @property
    def dtype(self) -> np.dtype:
        """numpy's type of its integers."""
        return np.dtype(f"int{self.bits}")

    @property
    def limits(self) -> tuple[int, int]:
        """The smallest and the largest integer."""
        return -(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1


@dataclass(frozen=True)
class Kernel:
    """How one operation is written in C.

    `function` is the kernel ("" where there is nothing to compute), `fields` its parameters in the order of its struct (an int is an
    int32_t, an np.int64 an int64_t, a tuple three int32_t, a dict a struct, a string the name of one of its `arrays` of constants),
    `scratch` the bytes it needs while it runs, `name` what reports call it, `shared` the kernel whose struct it takes, `costs` what its
    instructions are counted by (see search/instruction_model.py).
    """

    function: str
    fields: dict = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    scratch: int = 0
    name: str = ""
    shared: str = ""
    costs: tuple[str, ...] = ("elements", "positions", "once")

    @property
    def struct(self) -> str:
        """The C type of its parameters."""
        return (self.shared or self.function) + "_params"

    @property
    def path(self) -> str:
        """Which of an operation's kernels it is, in words."""
        return self.name or self.function.removeprefix("tc_") or "alias"

    @property
    def constant_bytes(self) -> int:
        """What its constants take in flash."""
        return sum(a.nbytes for a in self.arrays.values())


@dataclass
class Operation:
    """One step of a program. `parameters` are integers or tuples of integers, `arrays` integer weights; each class documents its own.

    A class says what it computes (`reference`), which C kernel does the same (`kernel`), and how a fuzzer draws one (`random`); what the
    planner, the code generator, the cost model and the ONNX form have to know is asked of it.
    """

    inputs: tuple[str, ...]
    output: str
    parameters: dict = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    path: str = ""  # the torch module it came from, for reports

    kind: ClassVar[str] = ""  # the class's name in lower case
    bits: ClassVar[tuple[tuple[int, ...], int]] = ((8, 8), 8)  # of its inputs, of its output
    in_place: ClassVar[bool] = False  # reads element i before it writes element i, so that it may overwrite an input
    alias: ClassVar[bool] = False  # the same bytes under another name: nothing is computed
    can_clamp: ClassVar[bool] = False  # may end with a fused ReLU
    keeps_scale: ClassVar[bool] = False  # moves numbers about: the output keeps scale and zero point
    without_onnx: ClassVar[str] = "export the program as C"  # what to do where it has no ONNX form

    def __init_subclass__(cls, abstract: bool = False) -> None:
        cls.kind = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        if not abstract:
            OPS[cls.kind] = cls

    def reference(self, xs: list[np.ndarray], ins: list[Tensor], out: Tensor) -> np.ndarray:
        """The definition: input arrays [N, *shape], their Tensors, the output's Tensor -> integers that are then clamped."""
        raise NotImplementedError

    def kernel(self, ins: list[Tensor], out: Tensor) -> Kernel:
        """The plain C kernel and its parameters."""
        raise NotImplementedError

    def dsp_kernel(self, ins: list[Tensor], out: Tensor) -> Kernel:
        """The same for the DSP instructions of a Cortex-M4, where there is one of its own."""
        return self.kernel(ins, out)

    def onnx(self, w, ins: list[Tensor], out: Tensor) -> str:
        """Its form in ONNX, written by an `onnx_form.Writer`: the name of its output's integers. Raises TinycourseError if it has none."""
        raise TinycourseError(f"{self.describe()} has no ONNX form here; {self.without_onnx}.")

    @classmethod
    def random(cls, sketch) -> str:
        """Add a random one to a program while it is being drawn; returns the name of its output."""
        raise NotImplementedError

    @classmethod
    def draws(cls) -> dict[str, Callable]:
        """Every sort of random one that a fuzzer has to try, by name."""
        return {cls.kind: cls.random}

    def multiply_adds(self, out: Tensor) -> int:
        """Products with weights; those of a sparse matrix are of the blocks that are left."""
        return 0

    @property
    def weight_bytes(self) -> int:
        """What its integer weights take."""
        return sum(a.nbytes for a in self.arrays.values())

    def clamp(self, out: Tensor) -> tuple[int, int]:
        """The range of the output: that of its type, or a fused ReLU's."""
        return self.parameters.get("clamp", out.limits)

    def describe(self) -> str:
        """Which one it is, for messages."""
        return f"{self.kind} '{self.output}'" + (f" (from {self.path})" if self.path else "")


def find(kind: str) -> type[Operation]:
    """The class of a kind of operation. Raises TinycourseError where there is none of that name."""
    if kind not in OPS:
        raise TinycourseError(f"There is no operation {kind!r}; use one of {', '.join(OPS)}, or a newer version of the course.")
    return OPS[kind]


# ------------------------------------------------------------------------------------- what several operations share


def as_map(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(C,) as the map (1, 1, C)."""
    return (1,) * (3 - len(shape)) + tuple(shape)


def activation(op: Operation, out: Tensor, zero_point: int | None = None) -> dict:
    """The struct `tc_activation`: what is added to a result, and its range."""
    minimum, maximum = op.clamp(out)
    return {"zero_point": out.zero_point if zero_point is None else zero_point, "minimum": minimum, "maximum": maximum}


def patches(x: np.ndarray, kernel, stride, padding, dilation, size, fill) -> np.ndarray:
    """Windows of [N, H, W, C] as [N, OH, OW, KH, KW, C]; `padding` is (top, left), the rest follows from `size`."""
    (kh, kw), (sh, sw), (top, left), (dh, dw), (oh, ow) = kernel, stride, padding, dilation, size
    height, width = (oh - 1) * sh + (kh - 1) * dh + 1, (ow - 1) * sw + (kw - 1) * dw + 1
    x = x[:, max(-top, 0) :, max(-left, 0) :]  # negative padding: the windows begin inside
    (n, h, w, c), top, left = x.shape, max(top, 0), max(left, 0)
    padded = np.full((n, max(height, top + h), max(width, left + w), c), fill, x.dtype)
    padded[:, top : top + h, left : left + w] = x
    a, b, d, e = padded.strides
    view = (n, oh, ow, kh, kw, c), (a, sh * b, sw * d, dh * b, dw * d, e)
    return np.lib.stride_tricks.as_strided(padded, *view, writeable=False)


def window(op: Operation, kernel: tuple[int, int], x: Tensor, size: tuple[int, int, int]) -> dict:
    """The struct `tc_window`: how windows of a map x slide to an output of this size."""
    p = op.parameters
    (kh, kw), (dh, dw) = kernel, p.get("dilation", (1, 1))
    (sh, sw), (top, left) = p["stride"], p.get("padding", (0, 0))
    sizes = {"input": as_map(x.shape), "output": size, "kernel_height": kh, "kernel_width": kw}
    steps = {"stride_height": sh, "stride_width": sw, "padding_top": top, "padding_left": left}
    return sizes | steps | {"dilation_height": dh, "dilation_width": dw, "input_zero_point": x.zero_point}


def refuse_overflow(op: Operation, largest: np.ndarray, remedy: str) -> None:
    """Raises TinycourseError where a partial sum may leave 32 bits."""
    if largest.max() >= 2**31:
        raise TinycourseError(f"The sums of {op.describe()} may overflow 32 bits; {remedy}.")
