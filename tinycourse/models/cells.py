"""Recurrent layers: LSTM, CIFG (coupled input and forget gate) and SRU, each with projection and layer normalisation.

As in Shangguan et al. 2019 (arXiv 1909.12408, section 2) and its authors' public code. With m the output, c the cell state:

    LSTM    [g, i, f, o] = x W + m R + b    c = f c + i g          m = P (o tanh(c))
    CIFG    [g, f, o]    = x W + m R + b    c = f c + (1 - f) g    m = P (o tanh(c))
    SRU     [g, n, f, r] = x W + b          c = f c + (1 - f) g    m = P (r tanh(c) + (1 - r) n)

where g of LSTM and CIFG passes tanh, and i, f, o and r pass a sigmoid. Layer normalisation comes before these, on each gate by itself,
over its units. `inside` says all this in a line each, for one frame. `forward` computes the same for a whole sequence, fast: the input
product of all frames at once, then as few operations a frame as there can be, and a gradient written by hand.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from tinycourse.errors import TinycourseError

GATES = {"lstm": 4, "cifg": 3, "sru": 4}
EPSILON = 1e-5  # of layer normalisation

State = tuple[Tensor, Tensor]  # output m [B, outputs], cell c [B, units] of the last frame


@dataclass(frozen=True)
class CellConfig:
    """One recurrent layer."""

    kind: str = "lstm"  # one of GATES
    units: int = 256
    projection: int | None = None  # width of the output; None: that of the cell, without a projection
    layer_norm: bool = False
    clip: float | None = None  # bound of the cell state of LSTM and CIFG, if it has one

    @property
    def outputs(self) -> int:
        """Width of the output."""
        return self.projection or self.units

    def matrices(self, inputs: int) -> dict[str, int]:
        """Weights in each matrix of a layer of so many inputs: input, recurrent, projection."""
        rows = GATES[self.kind] * self.units
        recurrent = 0 if self.kind == "sru" else rows * self.outputs
        return {"input": rows * inputs, "recurrent": recurrent, "projection": self.units * (self.projection or 0)}

    def parameters(self, inputs: int) -> int:
        """Everything that training changes: matrices, a bias and, with layer normalisation, a scale for every unit of every gate."""
        return sum(self.matrices(inputs).values()) + (1 + self.layer_norm) * GATES[self.kind] * self.units

    def multiply_adds(self, inputs: int) -> int:
        """Of the matrices, for one frame."""
        return sum(self.matrices(inputs).values())


def bounded(c: Tensor, clip: float | None) -> Tensor:
    """A cell state within its bound, if it has one."""
    return c if clip is None else c.clamp(-clip, clip)


class Recurrent(nn.Module):
    """A layer that runs forward in time: [B, T, inputs] -> [B, T, outputs]. Raises TinycourseError for a kind that does not exist."""

    def __init__(self, inputs: int, config: CellConfig):
        super().__init__()
        if config.kind not in GATES:
            raise TinycourseError(f"There is no cell called {config.kind!r}; choose one of {', '.join(GATES)}.")
        self.inputs, self.config, rows = inputs, config, GATES[config.kind] * config.units
        self.weight_input = nn.Parameter(torch.empty(rows, inputs))
        self.weight_recurrent = nn.Parameter(torch.empty(rows, config.outputs)) if config.kind != "sru" else None
        self.weight_projection = nn.Parameter(torch.empty(config.projection, config.units)) if config.projection else None
        for weight in self.parameters():
            nn.init.uniform_(weight, -(config.units**-0.5), config.units**-0.5)
        self.bias = nn.Parameter(torch.zeros(rows))
        self.scale = nn.Parameter(torch.ones(rows)) if config.layer_norm else None
        self.bias.data[-2 * config.units : -config.units] = 1  # a cell that begins by remembering (Jozefowicz et al. 2015)

    def start(self, batch: int) -> State:
        """The state before the first frame."""
        return self.bias.new_zeros(batch, self.config.outputs), self.bias.new_zeros(batch, self.config.units)

    def product(self, x: Tensor, name: str) -> Tensor:
        """x [B, columns] times one of the layer's matrices, [B, rows]."""
        return F.linear(x, getattr(self, name))

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One frame: x [B, inputs] -> output [B, outputs], and the state after it."""
        seen = self.inside(x, state)
        return seen["m"], (seen["m"], seen["c"])

    def inside(self, x: Tensor, state: State) -> dict[str, Tensor]:
        """One frame, to be read: x [B, inputs] -> gates behind sigmoid or tanh, cell c, what it shows h: [B, units]; and output m."""
        m, c = state
        z = self.product(x, "weight_input")  # [B, gates * units]
        if self.weight_recurrent is not None:
            z = z + self.product(m, "weight_recurrent")
        if self.scale is not None:
            z = self.scale * F.layer_norm(z.unflatten(1, (-1, self.config.units)), (self.config.units,), eps=EPSILON).flatten(1)
        z = (z + self.bias).unflatten(1, (-1, self.config.units))  # [B, gates, units]
        if self.config.kind == "sru":
            g, n, f, r = z[:, 0], z[:, 1], z[:, 2].sigmoid(), z[:, 3].sigmoid()
            c = f * c + (1 - f) * g
            h = r * c.tanh() + (1 - r) * n
            gates = {"g": g, "n": n, "f": f, "r": r}
        else:
            g, f, o = z[:, 0].tanh(), z[:, -2].sigmoid(), z[:, -1].sigmoid()
            i = z[:, 1].sigmoid() if self.config.kind == "lstm" else 1 - f
            c = bounded(f * c + i * g, self.config.clip)
            h = o * c.tanh()
            gates = {"g": g, "i": i, "f": f, "o": o}
        m = h if self.weight_projection is None else self.product(h, "weight_projection")
        return gates | {"c": c, "h": h, "m": m}

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """All frames: x [B, T, inputs] -> outputs [B, T, outputs], and the state after the last. T may be 0."""
        state = state or self.start(len(x))
        if not x.shape[1]:
            return x.new_zeros(len(x), 0, self.config.outputs), state
        x, units = x.transpose(0, 1), self.config.units  # [T, B, inputs]: the frames that are computed together lie together
        z = F.linear(x, self.weight_input, self.bias if self.scale is None else None).unflatten(2, (-1, units))  # [T, B, gates, units]
        if self.config.kind == "sru":
            if self.scale is not None:
                z = F.layer_norm(z, (units,), eps=EPSILON) * self.scale.view(-1, units) + self.bias.view(-1, units)
            h, c = SimpleUnit.apply(z, state[1])
            m = h if self.weight_projection is None else F.linear(h, self.weight_projection)
        else:
            m, c = LongShortTerm.apply(z, *state, self.weight_recurrent, self.weight_projection, self.scale, self.bias, self.config)
        return m.transpose(0, 1), (m[-1], c)


class LongShortTerm(torch.autograd.Function):
    """LSTM and CIFG through time: input products z [T, B, gates, units], state m, c -> outputs [T, B, outputs], last c [B, units].

    Backwards all that does not depend on the future is computed for all frames at once. What remains is, for every frame, a product
    with the recurrent matrix, one with the projection, and a handful of multiplications.
    """

    @staticmethod
    def forward(ctx, z, m, c, recurrent, projection, scale, bias, config):
        """See the class. `scale` and `bias` [gates * units] are those of the layer norm, None without."""
        (frames, b, gates, units), coupled = z.shape, config.kind == "cifg"
        active = torch.empty_like(z)  # gates behind their sigmoid or tanh
        cells, hidden = z.new_empty(frames + 1, b, units), z.new_empty(frames, b, units)
        outputs = z.new_empty(frames + 1, b, config.outputs)
        outputs[0], cells[0] = m, c  # cells[t] and outputs[t] are those before frame t
        normal, spread = (torch.empty_like(z), z.new_empty(frames, b, gates, 1)) if config.layer_norm else (None, None)
        recurrent_t, projection_t = recurrent.t(), None if projection is None else projection.t()
        for t in range(frames):
            a = active[t]  # [B, gates, units]
            torch.addmm(z[t].view(b, -1), outputs[t], recurrent_t, out=a.view(b, -1))
            if config.layer_norm:
                normal[t], _, spread[t] = torch.native_layer_norm(a, (units,), None, None, EPSILON)
                torch.addcmul(bias.view(gates, units), normal[t], scale.view(gates, units), out=a)
            a[:, 0].tanh_()
            a[:, 1:].sigmoid_()
            if coupled:
                torch.lerp(a[:, 0], cells[t], a[:, 1], out=cells[t + 1])
            else:
                torch.mul(a[:, 2], cells[t], out=cells[t + 1]).addcmul_(a[:, 1], a[:, 0])
            if config.clip is not None:
                cells[t + 1].clamp_(-config.clip, config.clip)
            torch.tanh(cells[t + 1], out=hidden[t]).mul_(a[:, -1])
            if projection is None:
                outputs[t + 1] = hidden[t]
            else:
                torch.mm(hidden[t], projection_t, out=outputs[t + 1])
        ctx.save_for_backward(active, cells, hidden, outputs, recurrent, projection, scale, normal, spread)
        ctx.config = config
        return outputs[1:], cells[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, d_outputs, d_cell):
        """Gradients of all that `forward` takes, from those of outputs and last cell."""
        active, cells, hidden, outputs, recurrent, projection, scale, normal, spread = ctx.saved_tensors
        (frames, b, gates, units), clip, before = active.shape, ctx.config.clip, cells[:-1]
        g, f, o = active[:, :, 0], active[:, :, -2], active[:, :, -1]  # [T, B, units]
        i = 1 - f if gates == 3 else active[:, :, 1]
        tanh_c = cells[1:].tanh()
        into_cell = o * (1 - tanh_c * tanh_c)  # what a change of h means for c
        factors = torch.empty_like(active)  # what a change of c, or of h for the output gate, means for each gate
        factors[:, :, 0] = i * (1 - g * g)
        if gates == 4:
            factors[:, :, 1] = g * i * (1 - i)
        factors[:, :, -2] = (before - g if gates == 3 else before) * f * (1 - f)
        factors[:, :, -1] = tanh_c * o * (1 - o)
        kept = f
        if clip is not None:
            free = cells[1:].abs() < clip
            factors[:, :, :-1] *= free[:, :, None]
            kept = f * free
        d_gates = torch.empty_like(active)  # in front of sigmoid and tanh
        d_z = d_gates if scale is None else torch.empty_like(active)  # in front of layer normalisation
        d_m, d_c, d_ms = torch.zeros_like(outputs[0]), d_cell.clone(), torch.empty_like(d_outputs)
        for t in reversed(range(frames)):
            d_m = torch.add(d_outputs[t], d_m, out=d_ms[t])
            d_h = d_m if projection is None else d_m @ projection  # [B, units]
            d_c.addcmul_(d_h, into_cell[t])
            torch.mul(factors[t, :, :-1], d_c[:, None], out=d_gates[t, :, :-1])
            torch.mul(factors[t, :, -1], d_h, out=d_gates[t, :, -1])
            if scale is not None:  # of x / |x|: what points along the result, or moves the mean, is lost
                d = d_gates[t] * scale.view(gates, units)
                along = (d * normal[t]).mean(-1, keepdim=True)
                torch.sub(d, d.mean(-1, keepdim=True), out=d_z[t]).addcmul_(normal[t], along, value=-1).mul_(spread[t])
            d_m = d_z[t].view(b, -1) @ recurrent
            d_c.mul_(kept[t])
        flat = d_z.view(frames * b, -1)  # [T * B, gates * units]
        d_recurrent = flat.t() @ outputs[:-1].flatten(0, 1)
        d_projection = None if projection is None else d_ms.flatten(0, 1).t() @ hidden.flatten(0, 1)
        d_scale = None if scale is None else (d_gates * normal).sum((0, 1)).flatten()
        d_bias = None if scale is None else d_gates.sum((0, 1)).flatten()
        return d_z, d_m, d_c, d_recurrent, d_projection, d_scale, d_bias, None


class SimpleUnit(torch.autograd.Function):
    """SRU through time: gates z [T, B, 4, units], cell c [B, units] -> h [T, B, units], last c. One operation a frame, either way."""

    @staticmethod
    def forward(ctx, z, c):
        """See the class."""
        g, n, gates = z[:, :, 0], z[:, :, 1], z[:, :, 2:].sigmoid()  # [T, B, units] twice, and [T, B, 2, units]
        f, r = gates.unbind(2)
        cells = z.new_empty(len(z) + 1, *c.shape)
        cells[0] = c
        for one_g, one_f, last, cell in zip(g.unbind(), f.unbind(), cells[:-1].unbind(), cells[1:].unbind()):
            torch.lerp(one_g, last, one_f, out=cell)
        tanh_c = cells[1:].tanh()
        ctx.save_for_backward(z, gates, cells, tanh_c)
        return torch.lerp(n, tanh_c, r), cells[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, d_h, d_cell):
        """Gradients of z and c, from those of h and the last cell."""
        z, gates, cells, tanh_c = ctx.saved_tensors
        g, n, (f, r) = z[:, :, 0], z[:, :, 1], gates.unbind(2)
        d_z = torch.empty_like(z)
        d_tanh = torch.mul(d_h, r)
        torch.sub(d_h, d_tanh, out=d_z[:, :, 1])
        torch.mul(tanh_c - n, d_h, out=d_z[:, :, 3])
        d_c = d_tanh.addcmul_(d_tanh, tanh_c.square(), value=-1)  # [T, B, units], what h says; the future is added from the end
        d_c[-1] += d_cell
        each = d_c.unbind()
        for earlier, one_f, later in zip(each[-2::-1], f.unbind()[:0:-1], each[:0:-1]):
            earlier.addcmul_(later, one_f)
        d_last = d_c[0] * f[0]
        torch.mul(cells[:-1] - g, d_c, out=d_z[:, :, 2])
        d_z[:, :, 2:].mul_(gates).mul_(1 - gates)
        torch.addcmul(d_c, d_c, f, value=-1, out=d_z[:, :, 0])
        return d_z, d_last
