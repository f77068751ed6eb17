"""The operations of an integer network, a class for each: what it computes, its C kernel, and what others have to know of it.

Lesson 08 reads them. A newcomer may add one: a class here, one of the same name in quantization/ops, a kernel in C (CONTRIBUTING.md).
"""

import importlib
import pkgutil

from tinycourse.program.ops.base import OPS, Kernel, Operation, Tensor

__all__ = ["OPS", "Kernel", "Operation", "Tensor"]

for module in pkgutil.iter_modules(__path__):  # every class registers itself
    importlib.import_module(f"{__name__}.{module.name}")
