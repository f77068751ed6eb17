"""Hybrid recurrent layers: int8 weights, inputs of a product quantized on the fly, everything else float (Shangguan et al. 2019).

It needs no calibration: each vector is rounded with the scale of its own largest number, just before it is multiplied. The sum of
products is an exact integer, scaled back to float. This is the reference; `products.HybridProduct` is the fast product.
"""

import copy

import torch
from torch import Tensor, nn

from tinycourse.models.cells import Recurrent, State
from tinycourse.models.rnnt import Transducer


def integers_of_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """[..., n] -> integers of -127 to 127, as float64, in which their sums of products are exact, and the scales [..., 1]."""
    scale = x.abs().amax(-1, keepdim=True) / 127
    scale[scale == 0] = 1
    return (x / scale).round().double(), scale


class HybridRecurrent(Recurrent):
    """A trained layer with its matrices in int8, symmetric, one scale for each matrix or, with `per_row`, for each of its rows.

    `integers` has them by name, int8, `scales` float32 [1 or rows]; biases and layer normalisation stay as they are.
    """

    def __init__(self, layer: Recurrent, per_row: bool = False):
        super().__init__(layer.inputs, layer.config)
        self.load_state_dict(layer.state_dict())
        self.integers, self.scales = {}, {}
        for name in ("weight_input", "weight_recurrent", "weight_projection"):
            weight = getattr(self, name)
            if weight is not None:
                rows, scale = integers_of_rows(weight.detach() if per_row else weight.detach().view(1, -1))
                self.integers[name], self.scales[name] = rows.view(weight.shape).to(torch.int8), scale[:, 0]

    def product(self, x: Tensor, name: str) -> Tensor:
        """[B, inputs] times one of the matrices, [B, rows]."""
        x, step = integers_of_rows(x)
        return (x @ self.integers[name].double().t()).float() * (step * self.scales[name])

    @torch.no_grad()
    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """All frames, one step after the other: [B, T, inputs] -> [B, T, outputs], and the state after the last."""
        state, outputs = state or self.start(len(x)), x.new_empty(*x.shape[:2], self.config.outputs)
        for t in range(x.shape[1]):
            outputs[:, t], state = self.step(x[:, t], state)
        return outputs, state


def hybrid_transducer(network: Transducer, per_row: bool = False) -> Transducer:
    """A copy of a trained transducer whose recurrent layers are hybrid; the joint network stays float."""
    network = copy.deepcopy(network).cpu().eval()
    for part in (network.encoder, network.prediction):
        part.layers = nn.ModuleList(HybridRecurrent(layer, per_row) for layer in part.layers)
    return network
