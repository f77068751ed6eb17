"""Numbers that move and stay what they are, in float and into integers."""

import numpy as np
import torch
import torch.nn.functional as F

from tinycourse.quantization.ops.base import Node


class Upsample(Node):
    """Nearest neighbour: out[y, x] = in[y // fh, x // fw], factor (fh, fw), cropped to the shape."""

    def run(self, x):
        (fh, fw), (_, h, w) = self.parameters["factor"], self.shape
        return x.repeat_interleave(fh, 2).repeat_interleave(fw, 3)[:, :, :h, :w]

    def quantize(self, ins, out):
        return {"factor": self.parameters["factor"]}, {}


class Box(Node, abstract=True):
    """What crop and pad share: a box at start (c, h, w) within another."""

    def quantize(self, ins, out):
        c, h, w = self.parameters["start"]
        return {"start": (h, w, c)}, {}


class Crop(Box):
    """A box of `shape` that begins at start (c, h, w)."""

    def run(self, x):
        (c, y, z), (d, h, w) = self.parameters["start"], self.shape
        return x[:, c : c + d, y : y + h, z : z + w]


class Pad(Box):
    """The input at start (c, h, w) of a box of zeros."""

    def run(self, x):
        starts, pads = self.parameters["start"], []
        for start, size, whole in zip(starts[::-1], x.shape[:0:-1], self.shape[::-1]):
            pads += [start, whole - start - size]
        return F.pad(x, pads)


class Shift(Node):
    """Channels moved: runs of (channel, count, dy, dx): `count` channels from `channel` on, read at an offset, zeros beyond the edges."""

    def run(self, x):
        _, h, w = self.shape
        reach = max(max(abs(dy), abs(dx)) for _, _, dy, dx in self.parameters["runs"]) + max(self.shape)
        x = F.pad(x, (reach, reach, reach, reach))
        moved = [x[:, c : c + n, reach + dy :, reach + dx :][..., :h, :w] for c, n, dy, dx in self.parameters["runs"]]
        return torch.cat(moved, 1)

    def quantize(self, ins, out):
        return {}, {"runs": np.array(self.parameters["runs"], np.int16)}


class Reshape(Node):
    """The same numbers in the same channels-last order (h, w, c) under another shape."""

    def run(self, x):
        x = x.permute(0, 2, 3, 1) if x.dim() == 4 else x
        if len(self.shape) == 1:
            return x.reshape(len(x), -1)
        c, h, w = self.shape
        return x.reshape(len(x), h, w, c).permute(0, 3, 1, 2)
