"""A trained condenser taken apart: the maps between its steps, and how far its outputs look."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinycourse.models.condenser import AttentionCondenser, look_aside, match_channels, unpool


@torch.no_grad()
def dissect(condenser: AttentionCondenser, v: Tensor, pool: tuple[int, int] | None = None, strength: float = 1) -> dict[str, Tensor]:
    """The maps between the steps of a condenser that is given V [B, C, H, W]: V, Q, K, A, V', in order.

    `pool` replaces its window (frames, bands), and its S is taken `strength` times: 0 shows the limit S -> 0.
    """
    c, pool = condenser, pool or condenser.pool
    q = F.max_pool2d(v, pool, ceil_mode=True)  # [B, C, h, w]
    k = c.pointwise_norm(c.pointwise(F.relu(c.grouped_norm(c.grouped(look_aside(q, c.offsets))))))  # [B, b, h, w]
    a = unpool(k, pool, v.shape[2:])  # [B, b, H, W]
    return {"V": v, "Q": q, "K": k, "A": a, "V'": c.norm(c.select(match_channels(v, a.shape[1]), a, strength * c.scale))}


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
