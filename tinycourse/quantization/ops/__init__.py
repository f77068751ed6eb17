"""The operations of a float network, each the twin of one in `mcu/ops`: what it computes, and how it becomes integers.

Lesson 08 reads them. A newcomer may add one, together with its twin (CONTRIBUTING.md).
"""

from tinycourse.quantization.ops import elementwise, pooling, products, recurrent, shape
from tinycourse.quantization.ops.base import NODES, Input, Node, State, along_channels

__all__ = ["NODES", "Input", "Node", "State", "along_channels", "elementwise", "pooling", "products", "recurrent", "shape"]
