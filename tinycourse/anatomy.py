"""A trained condenser taken apart: the maps between its steps, and how far its outputs look."""

import copy

import torch
from torch import Tensor, nn

from tinycourse.models.condenser import AttentionCondenser


@torch.no_grad()
def dissect(condenser: AttentionCondenser, v: Tensor, pool: tuple[int, int] | None = None, strength: float = 1) -> dict[str, Tensor]:
    """The maps between the steps of a condenser that is given V [B, C, H, W]: V, Q, K, A, V', in order.

    `pool` replaces its window (frames, bands; 0 bands are all), and its S is taken `strength` times: 0 shows the limit S -> 0.
    """
    varied = copy.deepcopy(condenser)
    varied.pool = pool or condenser.pool
    varied.scale *= strength
    return varied.steps(v)


@torch.no_grad()
def given(network: nn.Module, part: nn.Module, x: Tensor) -> Tensor:
    """What `part` of a network is given when the network is given x."""
    seen = []
    hook = part.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    try:
        network(x)
    finally:
        hook.remove()
    return seen[0]


def reach(layers: nn.Module, shape: tuple[int, int, int], place: tuple[int, int], trials: int = 128) -> Tensor:
    """Which positions of its input one output of `layers` depends on: a map [H, W], the mean size of the gradient.

    shape: [C, H, W] of the input; place: row and column of the output. Random inputs, as a maximum looks at one value at a time.
    """
    x = torch.randn(trials, *shape, generator=torch.Generator().manual_seed(0), requires_grad=True)
    y = layers(x)[:, :, place[0], place[1]]  # [trials, C']
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))  # or batch norm's channels may cancel out
    (y * weights).sum().backward()
    return x.grad.abs().mean((0, 1))
