"""The integer network as data, and the interpreter that defines what it computes. numpy only.

Lesson 08 teaches it.
Add an operation; every executor has to agree with it bit for bit.
"""

from tinycourse.program.affine import affine_parameters, dequantize, quantize
from tinycourse.program.block_sparse import BlockSparse
from tinycourse.program.fixed_point import requantize
from tinycourse.program.keyword_spotter import Listener, Settings, without_samples
from tinycourse.program.program import Operation, Program, Tensor

__all__ = [
    "BlockSparse", "Listener", "Operation", "Program", "Settings", "Tensor", "affine_parameters", "dequantize", "quantize",
    "requantize", "without_samples",
]  # fmt: skip
