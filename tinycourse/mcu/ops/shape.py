"""Numbers that move and stay what they are: the output has the input's scale and zero point."""

import numpy as np

from tinycourse.mcu.ops.base import Kernel, Operation


class Upsample(Operation):
    """Nearest-neighbour unpooling: out[y, x] = in[y // fh, x // fw]; factor (fh, fw); cropped to the output's size."""

    keeps_scale = True

    def reference(self, xs, ins, out):
        (fh, fw), (h, w) = self.parameters["factor"], out.shape[:2]
        return xs[0].repeat(fh, 1).repeat(fw, 2)[:, :h, :w]

    def kernel(self, ins, out):
        fh, fw = self.parameters["factor"]
        return Kernel("tc_upsample", {"input": ins[0].shape, "output": out.shape, "factor_height": fh, "factor_width": fw})

    @classmethod
    def random(cls, s):
        x = s.pick(3)
        h, w, c = s.shape(x)
        fh, fw = (int(f) for f in s.rng.integers(1, 4, 2))
        size = h * fh - int(s.rng.integers(0, fh)), w * fw - int(s.rng.integers(0, fw))
        return s.add("upsample", (x,), (*size, c), {"factor": (fh, fw)}, zero_point=s.tensors[x].zero_point)


class Box(Operation, abstract=True):
    """What crop and pad share: one struct in C."""

    keeps_scale = True

    def kernel(self, ins, out):
        box = {"input": ins[0].shape, "output": out.shape, "start": self.parameters["start"]}
        return Kernel(f"tc_{self.kind}", box | {"zero_point": ins[0].zero_point}, shared="tc_box")


class Crop(Box):
    """A box of the input: start (h, w, c), size the output's shape."""

    def reference(self, xs, ins, out):
        (y, x, c), (h, w, d) = self.parameters["start"], out.shape
        return xs[0][:, y : y + h, x : x + w, c : c + d]

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

    @classmethod
    def random(cls, s):
        x = s.pick(3)
        start = tuple(int(v) for v in s.rng.integers(0, 3, 3))
        shape = tuple(n + i + int(s.rng.integers(0, 3)) for n, i in zip(s.shape(x), start))
        return s.add("pad", (x,), shape, {"start": start}, zero_point=s.tensors[x].zero_point)


class Shift(Operation):
    """Channels of the input, each moved by an offset of its own (Wu et al. 2018, arXiv 1711.08141), zeros beyond the edges.

    runs int16 [R, 4]: (channel, count, dy, dx) appends `count` channels, out[y, x] = in[y + dy, x + dx], from `channel` on.
    """

    keeps_scale = True

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

    @classmethod
    def random(cls, s):
        x = s.pick(3)
        h, w, c = s.shape(x)
        first = s.rng.integers(0, c, s.rng.integers(1, 5))
        runs = np.stack([first, s.rng.integers(1, c - first + 1), *s.rng.integers(-4, 5, (2, len(first)))], 1).astype(np.int16)
        size = (int(n + s.rng.integers(-min(n - 1, 2), 3)) for n in (h, w))
        return s.add("shift", (x,), (*size, runs[:, 1].sum()), {}, {"runs": runs}, zero_point=s.tensors[x].zero_point)


class Reshape(Operation):
    """The same numbers in the same (channels last) order under another shape."""

    alias = keeps_scale = True

    def reference(self, xs, ins, out):
        return xs[0].reshape(len(xs[0]), *out.shape)

    def kernel(self, ins, out):
        return Kernel("")

    @classmethod
    def random(cls, s):
        x = s.pick()
        size = s.tensors[x].size
        height = int(s.rng.choice([h for h in range(1, size + 1) if size % h == 0]))
        shape = (height, size // height, 1) if s.rng.random() < 0.5 else (size,)
        return s.add("reshape", (x,), shape, zero_point=s.tensors[x].zero_point)
