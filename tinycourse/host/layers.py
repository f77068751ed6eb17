"""Recurrent layers, frame by frame, in C on this computer: in float, hybrid, and in integers, dense and sparse in 8x1 blocks.

The products are those of products.py. In float and hybrid layers the cells are native/cells.c, in integer ones the very kernels that a chip
runs. `HybridLayer` computes what `dynamic.HybridRecurrent` defines, `IntegerLayers` what the interpreter of its `Program` does, bit for
bit.
"""

import ctypes
from collections.abc import Callable

import numpy as np

from tinycourse.errors import TinycourseError
from tinycourse.host.products import FloatProduct, HybridProduct, IntegerProduct, Product, address, library
from tinycourse.models.cells import EPSILON, GATES, Recurrent
from tinycourse.program.block_sparse import cut
from tinycourse.program.ops.base import Kernel, Operation
from tinycourse.program.ops.products import Linear
from tinycourse.program.ops.recurrent import Linear16
from tinycourse.program.program import Program


def sparse_blocks(weight: np.ndarray, least: float = 0.25) -> bool:
    """Whether at least a share of the weight's 8x1 blocks is empty, so that looking up which are left may pay."""
    blocks = cut(weight[: len(weight) // 8 * 8], (8, 1))  # [panels, inputs, 8, 1]
    return bool(len(blocks)) and 1 - blocks.any((2, 3)).mean() >= least


class FloatLayer:
    """A trained `Recurrent`, one frame at a call: x float32 [inputs] -> float32 [outputs]. It remembers; `start` forgets."""

    kind: type[Product] = FloatProduct

    def __init__(self, layer: Recurrent):
        self.config, arrays = layer.config, {name: p.detach().numpy().copy() for name, p in layer.named_parameters()}
        self.bias, self.scale = arrays["bias"], arrays.get("scale")
        self.input, self.recurrent, self.projection = (
            self.kind(arrays[name], sparse_blocks(arrays[name])) if name in arrays else None
            for name in ("weight_input", "weight_recurrent", "weight_projection")
        )
        self.rows, self.library = GATES[self.config.kind] * self.config.units, self.input.library
        self.cell = getattr(self.library, f"tn_{self.config.kind}")
        self.z, self.hidden = (np.zeros(size, np.float32) for size in (self.rows, self.config.units))
        self.start()

    def start(self) -> None:
        """Before the first frame."""
        self.m, self.c = (np.zeros(size, np.float32) for size in (self.config.outputs, self.config.units))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """One step: x float32 [inputs] to m float32 [outputs]. State stays in the layer."""
        c, z = self.config, address(self.z)
        heard, remembered = self.input(x), self.recurrent(self.m) if self.recurrent else None  # [gates * units] each
        bias = None if c.layer_norm else address(self.bias)
        self.library.tn_gates(address(heard), None if remembered is None else address(remembered), self.rows, bias, z)
        if c.layer_norm:
            self.library.tn_layer_norm(GATES[c.kind], c.units, EPSILON, address(self.scale), address(self.bias), z)
        self.cell(z, c.units, np.inf if c.clip is None else c.clip, address(self.c), address(self.hidden))
        self.m = self.projection(self.hidden) if self.projection else self.hidden.copy()
        return self.m


class HybridLayer(FloatLayer):
    """The same with int8 weights; what is multiplied with them is quantized on the fly."""

    kind = HybridProduct


# ------------------------------------------------------------------------------------------------------ integers


C_TYPES = {str: ctypes.c_void_p, np.int64: ctypes.c_int64}  # of a kernel's fields; the others are int32_t


def parameters(kernel: Kernel) -> ctypes.Structure:
    """What codegen/kernels/kernels.h calls tc_..._params, of a kernel whose fields are integers and arrays. It keeps the arrays."""
    arrays = {name: np.ascontiguousarray(array) for name, array in kernel.arrays.items()}
    types = {name: C_TYPES.get(type(value), ctypes.c_int32) for name, value in kernel.fields.items()}
    struct = type(kernel.struct, (ctypes.Structure,), {"_fields_": list(types.items())})
    made = struct(**{name: address(arrays[v]) if isinstance(v, str) else int(v) for name, v in kernel.fields.items()})
    made.arrays = arrays
    return made


class IntegerLayers:
    """The program of one step of recurrent layers (recurrent_layers.quantize_layers): x int8 [inputs] -> int8 [outputs], one frame a call.

    It remembers; `start` forgets. Raises TinycourseError where the program has operations of other networks.
    """

    def __init__(self, program: Program, flags: tuple[str, ...] = ()):
        self.program, self.flags = program, flags
        self.values = {name: np.zeros(t.shape, t.dtype) for name, t in program.tensors.items()}
        self.calls = [self.call(op) for op in program.operations]
        self.start()

    def start(self) -> None:
        """Before the first frame."""
        for name in self.program.state:
            self.values[name][:] = self.program.tensors[name].zero_point

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """One step: integers as the program's input to a copy of its output. Raises TinycourseError for another type or shape."""
        t = self.program.tensors[self.program.input]
        if x.dtype != t.dtype or x.shape != t.shape:
            raise TinycourseError(f"These layers take {t.dtype} {list(t.shape)}, not {x.dtype} {list(x.shape)}.")
        self.values[self.program.input][:] = x
        for call in self.calls:
            call()
        for name, after in self.program.state.items():
            self.values[name][:] = self.values[after]
        return self.values[self.program.output].copy()

    def call(self, op: Operation) -> Callable[[], None]:
        """What one operation does to `values`."""
        if isinstance(op, Linear | Linear16):
            return self.gates(op) if len(op.inputs) == 2 else self.dense(op)
        tensors, kernels = self.program.tensors, library(*self.flags)
        kernel = op.kernel([tensors[name] for name in op.inputs], tensors[op.output])
        if not hasattr(kernels, kernel.function):
            raise TinycourseError(f"{op.path or op.kind}: {op.kind} is no part of a recurrent layer; run the program by its interpreter.")
        function, made = getattr(kernels, kernel.function), parameters(kernel)
        function.argtypes, function.restype = [ctypes.c_void_p] * (2 + len(op.inputs)), None
        places = [address(self.values[name]) for name in (*op.inputs, op.output)]
        return lambda: function(ctypes.addressof(made), *places)

    def product(self, op: Operation, which: str = "") -> IntegerProduct:
        """One of an operation's matrices."""
        x, out = self.program.tensors[op.inputs[1 if which else 0]], self.program.tensors[op.output]
        weight, multiplier, shift = (op.arrays[name + which] for name in ("weight", "multiplier", "shift"))
        bias = np.zeros(len(weight), np.int32) if which else op.arrays["bias"]
        clamp = op.parameters.get("clamp", out.limits)
        return IntegerProduct(weight, bias, multiplier, shift, x.zero_point, out.zero_point, clamp, sparse_blocks(weight), self.flags)

    def dense(self, op: Operation) -> Callable[[], None]:
        """A function that computes a linear layer, in place."""
        product, x, y = self.product(op), self.values[op.inputs[0]], self.values[op.output]

        def call() -> None:
            y[:] = product(x)

        return call

    def gates(self, op: Operation) -> Callable[[], None]:
        """A function that computes the products of a recurrent layer's gates, in place."""
        x, h, y = (self.values[name] for name in (*op.inputs, op.output))
        ours, theirs = self.product(op), self.product(op, "_recurrent")
        arguments = [*ours.arguments[:-1], *theirs.arguments[:-1], address(y)]

        def call() -> None:
            ours.padded[: len(x)], theirs.padded[: len(h)] = x, h
            ours.library.tn_integer_pair(*arguments)

        return call
