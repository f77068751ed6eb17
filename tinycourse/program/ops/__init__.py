"""The operations of an integer network, a class for each: what it computes, its C kernel, and what others have to know of it.

Lesson 08 reads them. A newcomer may add one: a class here, one of the same name in quantization/ops, a kernel in C (CONTRIBUTING.md).
"""

from tinycourse.program.ops import elementwise, features, pooling, products, recurrent, shape
from tinycourse.program.ops.base import OPS, Kernel, Operation, Tensor

__all__ = ["OPS", "Kernel", "Operation", "Tensor", "elementwise", "features", "pooling", "products", "recurrent", "shape"]
