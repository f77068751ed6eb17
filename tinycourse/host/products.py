"""Matrix-vector products in C on this computer: float, hybrid and integer, dense and sparse in blocks of 8 outputs x 1 input.

The kernels (`native/`) are compiled once per process, with this processor's vector instructions, and called on the very weights that
torch trained. They use one thread. Each product has a `reference` in numpy that defines what it computes. A recurrent
network that listens to a stream does nothing else: for one frame there is one vector.
"""

import ctypes
import functools
import tempfile
from pathlib import Path

import numpy as np

from tinycourse.codegen.kernel_files import KERNELS
from tinycourse.errors import TinycourseError
from tinycourse.program.affine import quantize
from tinycourse.program.block_sparse import PANEL, panels
from tinycourse.program.fixed_point import requantize
from tinycourse.targets import toolchain

NATIVE = Path(__file__).parent / "native"
KINDS = {"p": ctypes.c_void_p, "i": ctypes.c_int32, "f": ctypes.c_float}
ARGUMENTS = {  # of native/matvec.h: p a pointer, i an integer, f a float
    "tn_float": "ppp",
    "tn_sums": "ppp",
    "tn_hybrid": "pppippp",
    "tn_integer": "ppppp",
    "tn_integer_pair": "ppppppppp",
    "tn_gates": "ppipp",
    "tn_layer_norm": "iifppp",
    "tn_lstm": "pifpp",
    "tn_cifg": "pifpp",
    "tn_sru": "pifpp",
}
GROUP = 4  # int8 inputs that share a lane
FLAGS = ["-O3", "-fno-math-errno", "-Wno-psabi"]  # vectors are passed between static functions only


class Layout(ctypes.Structure):
    """`tn_matrix` of native/matvec.h."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("weights", "starts", "columns", "offsets", "spread")]
    _fields_ += [(name, ctypes.c_int32) for name in ("panels", "inputs")]


class Rescale(ctypes.Structure):
    """`tn_rescale` of native/matvec.h."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("bias", "multiplier", "right")]
    _fields_ += [(name, ctypes.c_int32) for name in ("rows", "left", "zero_point", "minimum", "maximum")]


@functools.cache
def library(*flags: str) -> ctypes.CDLL:
    """The kernels, compiled for this processor with extra compiler flags (-DTN_PLAIN: no instructions of one maker only).

    Raises TinycourseError where the compiler is missing.
    """
    folder = tempfile.TemporaryDirectory(prefix="tinycourse-", ignore_cleanup_errors=True)
    sources = sorted(NATIVE.glob("*.c")) + [KERNELS / f"{name}.c" for name in ("recurrent", "curves", "fixed_point", "sparse")]
    file = toolchain.build(sources, "host", Path(folder.name, toolchain.LIBRARY), flags=[*FLAGS, *flags])
    kernels = ctypes.CDLL(str(file))
    kernels.folder = folder  # removed when the process ends
    for name, arguments in ARGUMENTS.items():
        function = getattr(kernels, name)
        function.argtypes, function.restype = [KINDS[letter] for letter in arguments], None
    return kernels


def address(array: np.ndarray) -> int:
    """Where a contiguous array lies. It must outlive what is done with the address."""
    return array.ctypes.data


class Product:
    """A weight [outputs, inputs] in panels of 8 outputs, ready for the kernels; `sparse` leaves out empty 8x1 blocks.

    Arrays that C points to live as long as this object. Raises TinycourseError for more than 65,536 inputs.
    """

    def __init__(self, weight: np.ndarray, sparse: bool, flags: tuple[str, ...] = ()):
        if weight.ndim != 2 or weight.shape[1] > 2**16:
            raise TinycourseError(f"These kernels take matrices of at most 65,536 inputs, not a weight {list(weight.shape)}.")
        self.library, self.shape, self.sparse = library(*flags), weight.shape, sparse
        self.weights, self.starts, self.columns = panels(weight, 1 if weight.dtype == np.float32 else GROUP, sparse)
        full = -(-len(weight) // PANEL) * PANEL
        self.offsets = np.zeros(full, np.int32)
        self.offsets[: len(weight)] = 128 * weight.astype(np.int64).sum(1) if weight.dtype == np.int8 else 0
        self.padded = np.zeros(-(-weight.shape[1] // GROUP) * GROUP, np.int8)  # int8 inputs, filled up to whole groups
        self.spread = np.zeros(len(self.padded) + 1, np.int32)
        self.sums, self.y = np.zeros(full, np.int32), np.zeros(full, np.float32)
        arrays = self.weights, self.starts, self.columns, self.offsets, self.spread
        self.layout = Layout(*map(address, arrays), full // PANEL, len(self.padded))
        if not sparse:
            self.layout.columns = None
        self.matrix = ctypes.addressof(self.layout)

    def taken(self, x: np.ndarray, kind: type) -> np.ndarray:
        """x as C wants it. Raises TinycourseError where it has another type or length."""
        if x.dtype != kind or x.shape != self.shape[1:]:
            raise TinycourseError(f"This product takes {kind.__name__} [{self.shape[1]}], not {x.dtype} {list(x.shape)}.")
        return np.ascontiguousarray(x)

    @property
    def nbytes(self) -> int:
        """Bytes that a product reads from memory: weights, indices where it is sparse."""
        return self.weights.nbytes + (self.columns.nbytes + self.starts.nbytes if self.sparse else 0)


class FloatProduct(Product):
    """y = W x in float32."""

    def __init__(self, weight: np.ndarray, sparse: bool = False, flags: tuple[str, ...] = ()):
        super().__init__(np.ascontiguousarray(weight, np.float32), sparse, flags)
        self.weight, self.out = weight, address(self.y)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """float32 [inputs] to float32 [outputs]."""
        x = self.taken(x, np.float32)
        self.library.tn_float(self.matrix, address(x), self.out)
        return self.y[: self.shape[0]].copy()

    def reference(self, x: np.ndarray) -> np.ndarray:
        """In float64; the kernel is off by at most inputs * 2**-24 * |W| |x|, to first order."""
        return self.weight.astype(np.float64) @ x


class HybridProduct(Product):
    """y = W x with int8 weights, one scale for all or one per row; x is quantized on the fly, and y is float again.

    Integers q_W = round(W / scale) and q_x = round(x / step), step = max |x| / 127, multiply and add exactly; then
    y = sum * (scale * step) (Shangguan et al. 2019).
    """

    def __init__(self, weight: np.ndarray, sparse: bool = False, per_row: bool = False, flags: tuple[str, ...] = ()):
        self.scale = np.abs(weight).max(1 if per_row else None, keepdims=True) / np.float32(127)  # [outputs or 1, 1]
        self.scale[self.scale == 0] = 1
        super().__init__(quantize(weight, self.scale), sparse, flags)
        self.weight = weight
        self.scales = np.zeros(len(self.y), np.float32)
        self.scales[: len(weight)] = self.scale[:, 0]
        self.scratch = tuple(map(address, (self.padded, self.sums, self.y)))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """float32 [inputs] to float32 [outputs]."""
        x = self.taken(x, np.float32)
        self.library.tn_hybrid(self.matrix, address(self.scales), address(x), len(x), *self.scratch)
        return self.y[: self.shape[0]].copy()

    def reference(self, x: np.ndarray) -> np.ndarray:
        """float32, and the kernel agrees on every bit."""
        step = np.abs(x).max() / np.float32(127) or np.float32(1)
        sums = quantize(self.weight, self.scale).astype(np.int64) @ np.rint(x / step).astype(np.int64)
        return sums.astype(np.float32) * (self.scale[:, 0] * step)


class IntegerProduct(Product):
    """y = clamp((W (x - zero) + bias) * multiplier / 2**shift + y_zero): integers in, integers out, rounded once, half upward.

    weight int8 [outputs, inputs], -127 to 127; bias int32, multiplier int32 and shift int8, each [outputs]; `zero` of x is folded into the
    bias. Raises TinycourseError where a sum could leave 32 bits, or a weight is -128.
    """

    def __init__(self, weight, bias, multiplier, shift, zero=0, y_zero=0, clamp=(-(2**15), 2**15 - 1), sparse=False, flags=()):
        super().__init__(weight, sparse, flags)
        wide = weight.astype(np.int64)
        folded = bias.astype(np.int64) - zero * wide.sum(1)
        left = max(0, 33 - int(shift.min()))
        if weight.min() < -127 or ((np.abs(folded) + 128 * np.abs(wide).sum(1)) << left).max() >= 2**31:
            raise TinycourseError("A weight is -128, or a sum may overflow 32 bits; quantize to -127..127, or make the matrix narrower.")
        self.weight, self.zero, self.y_zero, self.clamp = weight, zero, y_zero, clamp
        self.bias, self.multiplier, self.shift = bias, np.ascontiguousarray(multiplier, np.int32), shift
        self.folded, self.right = folded.astype(np.int32), shift.astype(np.int32) + left - 33
        self.y = np.zeros(len(weight), np.int16)
        self.rescale = Rescale(*map(address, (self.folded, self.multiplier, self.right)), len(weight), left, y_zero, *clamp)
        self.arguments = self.matrix, ctypes.addressof(self.rescale), *map(address, (self.padded, self.sums, self.y))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """int8 [inputs] to int16 [outputs]."""
        self.padded[: len(x)] = self.taken(x, np.int8)
        self.library.tn_integer(*self.arguments)
        return self.y.copy()

    def reference(self, x: np.ndarray) -> np.ndarray:
        """int16, and the kernel agrees on every bit."""
        sums = self.weight.astype(np.int64) @ (x.astype(np.int64) - self.zero) + self.bias
        return np.clip(requantize(sums, self.multiplier, self.shift) + self.y_zero, *self.clamp).astype(np.int16)
