"""The chip's matrix products in C on this computer: float, hybrid and integer.

Lessons 07 and 08 measure with it.
Change a product in `native/`; a test compares it with numpy.
"""

from tinycourse.host.layers import FloatLayer, HybridLayer, IntegerLayers
from tinycourse.host.products import FloatProduct, HybridProduct

__all__ = ["FloatLayer", "FloatProduct", "HybridLayer", "HybridProduct", "IntegerLayers"]
