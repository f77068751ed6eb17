"""Quantization-aware training: a network that computes with rounded numbers, and learns to live with it.

`prepare` makes weights and inputs of layers pass through rounding; the gradient passes *straight through* it, as if nobody had rounded
(Bengio et al. 2013, arXiv 1308.3432; Jacob et al. 2018, arXiv 1712.05877, section 3). Train as always; `strip` then leaves a plain network
whose weights lie on the steps. A step belongs to a row, an output of the layer. A batch norm behind it multiplies each row by one number,
weights and steps alike, so folding it in (`to_program` does) moves no weight off its step.

    network = prepare(network, bits=4)      # any training loop
    network = strip(network)                # a plain checkpoint again

Which layers can do with fewer bits is asked by `sensitivity`, one layer at a time, and answered by `mixed` under a budget of bytes.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from tinycourse.divergence import must_be_finite
from tinycourse.errors import TinycourseError
from tinycourse.models.cells import Recurrent
from tinycourse.program.affine import affine_parameters
from tinycourse.quantization.observers import MovingAverage
from tinycourse.quantization.post_training import signal_to_noise

BITS = 8, 4
TRAINING = "Quantization-aware training"  # how messages begin
LAYERS = nn.Conv1d, nn.Conv2d, nn.Linear, Recurrent  # whose matrices, and whose inputs, are rounded


class StraightThrough(torch.autograd.Function):
    """x rounded to scale * (q - zero_point), with low <= q <= high; backwards as if nobody had rounded, and 0 where x was cut off."""

    @staticmethod
    def forward(ctx, x, scale, zero_point, low, high):
        """Any x; `scale` and `zero_point` broadcast against it."""
        q = torch.round(x / scale) + zero_point
        ctx.save_for_backward((q >= low) & (q <= high))
        return (q.clamp(low, high) - zero_point) * scale

    @staticmethod
    def backward(ctx, gradient):
        """The gradient of x alone."""
        return gradient * ctx.saved_tensors[0], None, None, None, None


def row_scales(weight: Tensor, bits: int) -> Tensor:
    """[O, ...] -> [O, 1, ...]: the step with which the largest weight of a row becomes the largest integer, 127 of 8 bits, 7 of 4."""
    largest = weight.detach().abs().flatten(1).amax(1) / (2 ** (bits - 1) - 1)
    return torch.where(largest == 0, 1.0, largest).view(-1, *[1] * (weight.ndim - 1))


def round_rows(weight: Tensor, bits: int) -> Tensor:
    """Weights [O, ...] on the steps of their rows, symmetric. The gradient passes straight through; nothing is cut off."""
    largest = 2 ** (bits - 1) - 1
    return StraightThrough.apply(weight, row_scales(weight, bits), 0, -largest, largest)


class RoundedRows(nn.Module):
    """`round_rows` as a parametrization: the optimiser keeps the weight, the layer sees it rounded."""

    def __init__(self, bits: int):
        super().__init__()
        self.bits = bits

    def forward(self, weight: Tensor) -> Tensor:
        """[O, ...] to the same."""
        return round_rows(weight, self.bits)


class RoundedInput:
    """A hook in front of a layer: its input in int8, asymmetric, over the moving average of the ranges seen in training.

    Raises Diverged where an input is not finite any more.
    """

    def __init__(self):
        self.observer = MovingAverage()

    def __call__(self, layer: nn.Module, inputs: tuple) -> tuple:
        """The layer's inputs, with the first one rounded; in training its range is observed."""
        x, *rest = inputs
        if layer.training:
            must_be_finite(TRAINING, {"the smallest input of a layer": x.min(), "the largest": x.max()})
            self.observer.observe(x.detach())
        if self.observer.low > self.observer.high:
            return inputs  # nothing seen yet
        return StraightThrough.apply(x, *affine_parameters(*self.observer.range()), -128, 127), *rest


# ------------------------------------------------------------------------------------------ a whole network


def matrices(network: nn.Module) -> dict[str, tuple[nn.Module, str]]:
    """The weights that are rounded, as {name: (layer, name in the layer)}: all of LAYERS that have rows and columns."""
    found = {}
    for name, layer in network.named_modules():
        if isinstance(layer, LAYERS):
            plain = [key for key, p in layer.named_parameters(recurse=False) if p.ndim > 1]
            for own in (*getattr(layer, "parametrizations", ()), *plain):
                found[f"{name}.{own}".lstrip(".")] = layer, own
    if not found:
        raise TinycourseError("There is no weight to round in this network: it has no convolution, linear or recurrent layer.")
    return found


def widths(network: nn.Module, bits: int | dict[str, int]) -> dict[str, int]:
    """Bits of every matrix by name; a dict may name some of them, the others have 8. Raises TinycourseError for what does not exist."""
    names = matrices(network)
    wanted = dict.fromkeys(names, bits) if isinstance(bits, int) else dict.fromkeys(names, 8) | bits
    if unknown := sorted(set(wanted) - set(names)):
        raise TinycourseError(f"No weight is called {unknown[0]!r}; those that can be rounded are {', '.join(names)}.")
    if wrong := sorted(b for b in set(wanted.values()) if not 2 <= b <= 8):
        raise TinycourseError(f"Weights can have 2 to 8 bits, not {wrong[0]}.")
    return wanted


def prepare(network: nn.Module, bits: int | dict[str, int] = 8, inputs: bool = True) -> nn.Module:
    """Round weights to `bits` (of all, or by name), and with `inputs` the inputs of layers to int8, from now on. In place.

    Inside a recurrent layer the output that goes to the next frame is not rounded: it would make training a loop in Python.
    """
    if any(parametrize.is_parametrized(layer) for layer in network.modules()):
        raise TinycourseError("This network computes with rounded numbers already: strip it first.")
    wanted = widths(network, bits)
    for name, (layer, own) in matrices(network).items():
        parametrize.register_parametrization(layer, own, RoundedRows(wanted[name]))
    for layer in {layer for layer, _ in matrices(network).values()} if inputs else ():
        layer.rounding = layer.register_forward_pre_hook(RoundedInput())
    return network


def strip(network: nn.Module) -> nn.Module:
    """The other way: a plain network again, its weights those that the layers saw, on their steps. In place.

    Raises Diverged where a weight is not finite any more.
    """
    must_be_finite(TRAINING, network.state_dict())
    for layer, own in matrices(network).values():
        if parametrize.is_parametrized(layer, own):
            parametrize.remove_parametrizations(layer, own)
        if hasattr(layer, "rounding"):
            layer.rounding.remove()
            del layer.rounding
    return network


def rounded(network: nn.Module, bits: int | dict[str, int]) -> nn.Module:
    """A copy with its weights on the steps of `bits`, without any training. Inputs of layers stay float."""
    return strip(prepare(copy.deepcopy(network), bits, inputs=False))


# ------------------------------------------------------------------------------------------ few bits where they do no harm


def bytes_of(weight: Tensor, bits: int) -> int:
    """What a matrix takes: its rows in whole bytes, two weights of 4 bits in one, and 5 bytes for the factor of each row.

    The factor is a 32-bit multiplier and a shift, as in `Program`. Biases, the same in any case, are not counted.
    """
    return len(weight) * (-(-weight[0].numel() * bits // 8) + 5)


def weight_bytes(network: nn.Module, bits: int | dict[str, int]) -> int:
    """What all matrices take (see `bytes_of`)."""
    wanted = widths(network, bits)
    return sum(bytes_of(getattr(layer, own), wanted[name]) for name, (layer, own) in matrices(network).items())


@torch.no_grad()
def answer(network: nn.Module, x: Tensor) -> np.ndarray:
    """What a network in evaluation mode gives for x, without gradients."""
    out = network.eval()(x)
    return (out[0] if isinstance(out, tuple) else out).double().numpy()


@dataclass(frozen=True)
class Sensitivity:
    """One matrix rounded to `bits`, all the rest float: the signal to noise of the network's output, in dB, and the bytes of the matrix."""

    name: str
    bits: int
    snr: float
    bytes: int


def sensitivity(network: nn.Module, x: Tensor, bits: tuple[int, ...] = BITS) -> list[Sensitivity]:
    """Round one matrix at a time, and see what it does to the output for x. The network is left as it is."""
    network = copy.deepcopy(network)
    clean, found = answer(network, x), []
    for name, (layer, own) in matrices(network).items():
        weight = getattr(layer, own)
        kept = weight.detach().clone()
        for b in bits:
            weight.data = round_rows(kept, b)
            found.append(Sensitivity(name, b, signal_to_noise(clean, answer(network, x)), bytes_of(weight, b)))
        weight.data = kept
    return found


def mixed(rows: list[Sensitivity], budget: int) -> dict[str, int]:
    """Bits for every matrix so that all of them fit into `budget` bytes; `rows` are `sensitivity` at 8 and at 4 bits.

    Roundings of different matrices hardly know of each other, so their noise powers add. All begin with 8 bits; then those go down to 4
    that add least noise for each byte they save, until the budget is met. Raises TinycourseError if 4 bits everywhere are too many.
    """
    wide, narrow = ({row.name: row for row in rows if row.bits == b} for b in BITS)
    noise = {name: 10 ** (-narrow[name].snr / 10) - 10 ** (-wide[name].snr / 10) for name in wide}
    saved = {name: wide[name].bytes - narrow[name].bytes for name in wide}
    chosen, total = dict.fromkeys(wide, 8), sum(row.bytes for row in wide.values())
    for name in sorted(wide, key=lambda name: noise[name] / saved[name]):
        if total <= budget:
            break
        chosen[name], total = 4, total - saved[name]
    if total > budget:
        raise TinycourseError(f"With 4 bits everywhere the weights take {total:,} bytes, more than {budget:,}; allow more, or prune.")
    return chosen


def expected_snr(rows: list[Sensitivity], chosen: dict[str, int]) -> float:
    """The signal to noise of the output, in dB, if the noise powers of all matrices add."""
    return float(-10 * np.log10(sum(10 ** (-row.snr / 10) for row in rows if chosen[row.name] == row.bits)))
