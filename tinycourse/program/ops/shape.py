"""Numbers that move and stay what they are: the output has the input's scale and zero point."""

import numpy as np

from tinycourse.program.ops.base import Kernel, Operation, Tensor
from tinycourse.program.ops.qdq import channels_first, cut


class Move(Operation, abstract=True):
    """What they share."""

    keeps_scale = True

    def onnx(self, w, ins, out):
        return w.closed(self, self.onnx_moved(w, w.real(self, out), ins[0], out), out)

    def onnx_moved(self, w, x: str, before: Tensor, after: Tensor) -> str:
        """The ONNX form between real numbers: the name of x moved."""
        raise NotImplementedError


class Upsample(Move):
    """Nearest-neighbour unpooling: out[y, x] = in[y // fh, x // fw]; factor (fh, fw); cropped to the output's size."""

    def reference(self, xs, ins, out):
        (fh, fw), (h, w) = self.parameters["factor"], out.shape[:2]
        return xs[0].repeat(fh, 1).repeat(fw, 2)[:, :h, :w]

    def kernel(self, ins, out):
        fh, fw = self.parameters["factor"]
        return Kernel("tc_upsample", {"input": ins[0].shape, "output": out.shape, "factor_height": fh, "factor_width": fw})

    def onnx_moved(self, w, x, before, after):
        scales = w.floats([1, 1, *self.parameters["factor"]])
        settings = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        size = [n * f for n, f in zip(before.shape, self.parameters["factor"])]
        return cut(w, w.node("Resize", x, "", scales, **settings), (0, 0), after.shape[:2], size, (2, 3))

    @classmethod
    def random(cls, s):
        x = s.pick(3)
        h, w, c = s.shape(x)
        fh, fw = (int(f) for f in s.rng.integers(1, 4, 2))
        size = h * fh - int(s.rng.integers(0, fh)), w * fw - int(s.rng.integers(0, fw))
        return s.add("upsample", (x,), (*size, c), {"factor": (fh, fw)}, zero_point=s.tensors[x].zero_point)


class Box(Move, abstract=True):
    """What crop and pad share: one struct in C."""

    def kernel(self, ins, out):
        box = {"input": ins[0].shape, "output": out.shape, "start": self.parameters["start"]}
        return Kernel(f"tc_{self.kind}", box | {"zero_point": ins[0].zero_point}, shared="tc_box")


class Crop(Box):
    """A box of the input: start (h, w, c), size the output's shape."""

    def reference(self, xs, ins, out):
        (y, x, c), (h, w, d) = self.parameters["start"], out.shape
        return xs[0][:, y : y + h, x : x + w, c : c + d]

    def onnx_moved(self, w, x, before, after):
        start = channels_first(self.parameters["start"])
        end = [a + n for a, n in zip(start, channels_first(after.shape))]
        return cut(w, x, start, end, channels_first(before.shape), (1, 2, 3))

    @classmethod
    def random(cls, s):
        x = s.pick(3)
        start = tuple(int(s.rng.integers(0, n)) for n in s.shape(x))
        shape = tuple(int(s.rng.integers(1, n - i + 1)) for n, i in zip(s.shape(x), start))
        return s.add("crop", (x,), shape, {"start": start}, zero_point=s.tensors[x].zero_point)


class Pad(Box):
    """The input in a larger box of zeros: start (h, w, c), size the output's shape."""

    def reference(self, xs, ins, out):
        y = np.full((len(xs[0]), *out.shape), ins[0].zero_point, np.int8)
        (i, j, k), (h, w, c) = self.parameters["start"], ins[0].shape
        y[:, i : i + h, j : j + w, k : k + c] = xs[0]
        return y

    def onnx_moved(self, w, x, before, after):
        start = channels_first(self.parameters["start"])
        rest = [n - a - m for n, a, m in zip(channels_first(after.shape), start, channels_first(before.shape))]
        return w.node("Pad", x, w.ints(0, *start, 0, *rest))

    @classmethod
    def random(cls, s):
        x = s.pick(3)
        start = tuple(int(v) for v in s.rng.integers(0, 3, 3))
        shape = tuple(n + i + int(s.rng.integers(0, 3)) for n, i in zip(s.shape(x), start))
        return s.add("pad", (x,), shape, {"start": start}, zero_point=s.tensors[x].zero_point)


class Shift(Move):
    """Channels of the input, each moved by an offset of its own (Wu et al. 2018, arXiv 1711.08141), zeros beyond the edges.

    runs int16 [R, 4]: (channel, count, dy, dx) appends `count` channels, out[y, x] = in[y + dy, x + dx], from `channel` on.
    """

    def reference(self, xs, ins, out):
        y, c, (height, width) = np.full((len(xs[0]), *out.shape), ins[0].zero_point, np.int8), 0, out.shape[:2]
        for channel, count, dy, dx in self.arrays["runs"].tolist():
            moved = xs[0][:, max(dy, 0) : max(dy + height, 0), max(dx, 0) : max(dx + width, 0), channel : channel + count]
            top, left = max(-dy, 0), max(-dx, 0)
            y[:, top : top + moved.shape[1], left : left + moved.shape[2], c : c + count] = moved
            c += count
        return y

    def kernel(self, ins, out):
        runs = self.arrays["runs"].astype(np.int16)
        sizes = {"input": ins[0].shape, "output": out.shape, "zero_point": ins[0].zero_point, "runs": len(runs)}
        return Kernel("tc_shift", sizes | {"run": "run"}, {"run": runs}, costs=("elements", "runs", "positions", "once"))

    def onnx_moved(self, w, x, before, after):
        """Every output channel is an input channel, read at an offset: a depthwise convolution with a single 1 in each kernel."""
        runs = [(c + i, dy, dx) for c, count, dy, dx in self.arrays["runs"].tolist() for i in range(count)]
        x = w.node("Gather", x, w.ints(*(c for c, _, _ in runs)), axis=1)
        (reach_y, reach_x), size = (max(abs(run[axis]) for run in runs) for axis in (1, 2)), len(runs)
        if not reach_y and not reach_x:
            return x
        weight = np.zeros((size, 1, 2 * reach_y + 1, 2 * reach_x + 1), np.int8)
        for j, (_, dy, dx) in enumerate(runs):
            weight[j, 0, reach_y + dy, reach_x + dx] = 1
        settings = {"kernel_shape": weight.shape[2:], "pads": [reach_y, reach_x] * 2, "group": size}
        return w.node("Conv", x, w.weights(weight, np.ones(size)), **settings)

    @classmethod
    def random(cls, s):
        x = s.pick(3)
        h, w, c = s.shape(x)
        first = s.rng.integers(0, c, s.rng.integers(1, 5))
        runs = np.stack([first, s.rng.integers(1, c - first + 1), *s.rng.integers(-4, 5, (2, len(first)))], 1).astype(np.int16)
        size = (int(n + s.rng.integers(-min(n - 1, 2), 3)) for n in (h, w))
        return s.add("shift", (x,), (*size, runs[:, 1].sum()), {}, {"runs": runs}, zero_point=s.tensors[x].zero_point)


class Reshape(Move):
    """The same numbers in the same (channels last) order under another shape."""

    alias = True

    def reference(self, xs, ins, out):
        return xs[0].reshape(len(xs[0]), *out.shape)

    def kernel(self, ins, out):
        return Kernel("")

    def onnx_moved(self, w, x, before, after):
        """The program's order is (H, W, C)."""
        x = w.node("Transpose", x, perm=(0, 2, 3, 1)) if len(before.shape) == 3 and before.shape[:2] != (1, 1) else x
        x = w.node("Reshape", x, w.ints(-1, *after.shape))
        return w.node("Transpose", x, perm=(0, 3, 1, 2)) if len(after.shape) == 3 else x

    @classmethod
    def random(cls, s):
        x = s.pick()
        size = s.tensors[x].size
        height = int(s.rng.choice([h for h in range(1, size + 1) if size % h == 0]))
        shape = (height, size // height, 1) if s.rng.random() < 0.5 else (size,)
        return s.add("reshape", (x,), shape, zero_point=s.tensors[x].zero_point)
