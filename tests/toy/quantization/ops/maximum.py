"""The larger of two numbers, in float and into integers."""

import numpy as np
import torch

from tinycourse.program.fixed_point import fixed_point
from tinycourse.quantization.ops.base import Node


class Maximum(Node):
    """max(a, b) with broadcast."""

    def run(self, a, b):
        return torch.maximum(a, b)

    def quantize(self, ins, out):
        multiplier, shift = fixed_point(np.array([t.scale / out.scale for t in ins]))
        return {"multiplier": tuple(multiplier.tolist()), "shift": tuple(shift.tolist())}, {}
