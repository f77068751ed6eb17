"""The operations of a float network, each the twin of one in `program/ops`: what it computes, and how it becomes integers.

Lesson 08 reads them. A newcomer may add one, together with its twin (CONTRIBUTING.md).
"""

import importlib
import pkgutil

from tinycourse.quantization.ops.base import NODES, Input, Node, State, along_channels

__all__ = ["NODES", "Input", "Node", "State", "along_channels"]

for module in pkgutil.iter_modules(__path__):  # every class registers itself
    importlib.import_module(f"{__name__}.{module.name}")
