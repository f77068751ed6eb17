"""The operations of recurrent networks, in float and into integers: as `program/ops/recurrent.py` has them."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tinycourse.models.cells import bounded
from tinycourse.program.affine import quantize, quantize_rows
from tinycourse.program.fixed_point import fixed_point
from tinycourse.program.ops.base import Tensor as IntegerTensor
from tinycourse.quantization.ops.base import Node


class Embedding(Node):
    """Row x [N, 1] of the array table [rows, C]."""

    def run(self, x):
        return self.arrays["table"][x[:, 0].long()].to(x)

    def quantize(self, ins, out):
        return {}, {"table": quantize(self.arrays["table"].numpy(), out.scale, out.zero_point)}


class Linear16(Node):
    """W x + b, with a second input W x + R h + b: arrays weight [O, I], bias [O], and with a second input weight_recurrent [O, H]."""

    def run(self, x, h=None):
        y = F.linear(x, self.arrays["weight"].to(x), self.arrays["bias"].to(x))
        return y if h is None else y + F.linear(h, self.arrays["weight_recurrent"].to(h))

    def quantize(self, ins, out):
        """Each product has scales of its own: one for each row of its matrix. The bias goes with the first."""
        arrays, bias = {}, self.arrays["bias"].numpy()
        for t, which in zip(ins, ("", "_recurrent")):
            weight, bias, scale = quantize_rows(self.arrays["weight" + which].numpy(), bias, t.scale)
            multiplier, shift = fixed_point(t.scale * scale / out.scale)
            new = {"weight": weight, "bias": bias, "multiplier": multiplier, "shift": shift}
            arrays |= {k + which: v for k, v in new.items() if k + which != "bias_recurrent"}
            bias = np.zeros(len(bias))
        return {}, arrays


class LayerNorm(Node):
    """Each of `gates` blocks by itself, parameter epsilon; arrays scale, bias [gates * units]."""

    def run(self, x):
        gates, epsilon = (self.parameters[k] for k in ("gates", "epsilon"))
        x = F.layer_norm(x.unflatten(1, (gates, -1)), (x.shape[1] // gates,), eps=epsilon).flatten(1)
        return x * self.arrays["scale"].to(x) + self.arrays["bias"].to(x)

    def quantize(self, ins, out):
        """Normalised numbers have 15 bits after the point; epsilon is in units of (units * input)**2."""
        gates = self.parameters["gates"]
        multiplier, shift = fixed_point(self.arrays["scale"].numpy() / 2**15 / out.scale)
        epsilon = np.clip(np.rint(self.parameters["epsilon"] * (self.shape[0] // gates / ins[0].scale) ** 2), 1, 2.0**52)
        bias = np.rint(self.arrays["bias"].numpy() / out.scale).astype(np.int32)
        return {"gates": gates, "epsilon": int(epsilon)}, {"multiplier": multiplier, "shift": shift, "bias": bias}


def gates_of(z: Tensor, c: Tensor) -> tuple[Tensor, ...]:
    """[N, gates * units] beside cells [N, units] -> [N, units] each."""
    return z.unflatten(1, (-1, c.shape[1])).unbind(1)


def bits_of(tensor: IntegerTensor) -> int:
    """How many bits are after the point where the scale is a power of two."""
    return int(-np.log2(tensor.scale))


class Cell(Node, abstract=True):
    """What the cells share: those of LSTM and CIFG are quantized alike."""

    def quantize(self, ins, out):
        clip = self.parameters["clip"]
        limit = 2**15 - 1 if clip is None else min(round(clip / out.scale), 2**15 - 1)
        return {"bits": bits_of(out), "limit": limit}, {}


class LstmCell(Cell):
    """Gates [g, i, f, o] and c -> the next c; parameter clip, or None."""

    def run(self, z, c):
        g, i, f, _ = gates_of(z, c)
        return bounded(f.sigmoid() * c + i.sigmoid() * g.tanh(), self.parameters["clip"])


class CifgCell(Cell):
    """Gates [g, f, o] and c -> the next c; parameter clip, or None."""

    def run(self, z, c):
        g, f, _ = gates_of(z, c)
        return bounded(torch.lerp(g.tanh(), c, f.sigmoid()), self.parameters["clip"])


class SruCell(Cell):
    """Gates [g, n, f, r] and c -> the next c."""

    def run(self, z, c):
        g, _, f, _ = gates_of(z, c)
        return torch.lerp(g, c, f.sigmoid())

    def quantize(self, ins, out):
        """No limit: its cell is a mean of what it saw."""
        return {"bits": bits_of(out)}, {}


class GatedOutput(Node):
    """The last gate of LSTM and CIFG, and the new c -> h."""

    def exponent(self, bits: int) -> int:
        """Bits after the point of o tanh(c)."""
        return 30

    def quantize(self, ins, out):
        bits = bits_of(ins[1])
        multiplier, shift = fixed_point(2.0 ** -self.exponent(bits) / out.scale)
        return {"bits": bits, "multiplier": int(multiplier), "shift": int(shift)}, {}

    def run(self, z, c):
        return gates_of(z, c)[-1].sigmoid() * c.tanh()


class HighwayOutput(GatedOutput):
    """Gates of SRU and the new c -> h."""

    def exponent(self, bits: int) -> int:
        """As many as fit: 15 and those of its gates."""
        return 15 + bits

    def run(self, z, c):
        _, n, _, r = gates_of(z, c)
        return torch.lerp(n, c.tanh(), r.sigmoid())


class Tanh8(Node):
    """tanh, to steps of 1 / 128."""

    def run(self, x):
        return x.tanh()
