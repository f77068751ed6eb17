"""Looking inside of a network: which part of its input a unit in the middle of the last map depends on."""

import torch
from torch import Tensor, nn

from tinycourse import profiling


def last_map(network: nn.Module, x: Tensor) -> str:
    """The path of the module that gives the last map that still has a time axis, for input x [1, 1, frames, bands]."""
    return [row.path for row in profiling.layers(network, x) if len(row.shape) == 3 and row.shape[1] > 1][-1]


def seen(network: nn.Module, x: Tensor) -> Tensor:
    """How strongly the middle unit of the last map depends on every number of its input, for inputs x [B, 1, frames, bands].

    Returns [frames, bands]: sizes of the gradient, added over the inputs; exactly 0 outside of what the unit can see.
    """
    caught = []
    hook = network.eval().get_submodule(last_map(network, x[:1])).register_forward_hook(lambda module, inputs, out: caught.append(out))
    x = x.clone().requires_grad_()
    network(x)
    hook.remove()
    _, _, frames, bands = caught[0].shape
    (gradient,) = torch.autograd.grad(caught[0][:, :, frames // 2, bands // 2].sum(), x)
    return gradient.abs().sum((0, 1))
