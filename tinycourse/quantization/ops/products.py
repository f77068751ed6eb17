"""Sums of products with weights, in float and into integers."""

import numpy as np
import torch.nn.functional as F

from tinycourse.program.affine import quantize_rows
from tinycourse.program.fixed_point import fixed_point
from tinycourse.quantization.ops.base import Node


class Conv(Node):
    """Convolution: arrays weight [O, I / groups, KH, KW], bias [O]; padding (top, bottom, left, right), stride, dilation, groups."""

    def run(self, x):
        p, a = self.parameters, self.arrays
        top, bottom, left, right = p["padding"]
        x = F.pad(x, (left, right, top, bottom))
        return F.conv2d(x, a["weight"].to(x), a["bias"].to(x), p["stride"], 0, p["dilation"], p["groups"])

    def quantize(self, ins, out):
        arrays, p = quantize_weights(self, ins, out), self.parameters
        arrays["weight"] = np.ascontiguousarray(arrays["weight"].transpose(0, 2, 3, 1))  # [O, I, KH, KW] to [O, KH, KW, I]
        padding = (p["padding"][0], p["padding"][2])
        return {"stride": p["stride"], "padding": padding, "dilation": p["dilation"], "groups": p["groups"]}, arrays


class Linear(Node):
    """Fully connected: arrays weight [O, I], bias [O]."""

    def run(self, x):
        return F.linear(x, self.arrays["weight"].to(x), self.arrays["bias"].to(x))

    def quantize(self, ins, out):
        return {}, quantize_weights(self, ins, out)


def quantize_weights(node: Node, ins, out):
    """Weights, bias, and the factor s_in * s_w / s_out of `Conv` and `Linear` (see `quantize_rows`)."""
    weight, bias, scale = quantize_rows(node.arrays["weight"].numpy(), node.arrays["bias"].numpy(), ins[0].scale)
    multiplier, shift = fixed_point(ins[0].scale * scale / out.scale)
    return {"weight": weight, "bias": bias, "multiplier": multiplier, "shift": shift}
