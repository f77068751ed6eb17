"""One number of each window, in float and into integers."""

import torch.nn.functional as F

from tinycourse.program.fixed_point import fixed_point
from tinycourse.quantization.ops.base import Node


class MaxPool(Node):
    """Largest of each window: kernel, stride, padding (top, left), ceil_mode; what hangs over the edge is ignored."""

    def run(self, x):
        p = self.parameters
        return F.max_pool2d(x, p["kernel"], p["stride"], p["padding"], ceil_mode=p["ceil_mode"])

    def quantize(self, ins, out):
        return {k: self.parameters[k] for k in ("kernel", "stride", "padding")}, {}


class AveragePool(Node):
    """Mean of each window: kernel, stride; no padding. A global mean may give a vector."""

    def run(self, x):
        return F.avg_pool2d(x, self.parameters["kernel"], self.parameters["stride"]).reshape(len(x), *self.shape)

    def quantize(self, ins, out):
        kernel, stride = self.parameters["kernel"], self.parameters["stride"]
        multiplier, shift = fixed_point(ins[0].scale / (out.scale * kernel[0] * kernel[1]))
        return {"kernel": kernel, "stride": stride, "multiplier": int(multiplier), "shift": int(shift)}, {}
