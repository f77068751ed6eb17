"""Signs of a good network that need no training: one look at it with its first weights and a single batch (Abdelfattah et al. 2021,
arXiv 2101.08134, compare them). `SIGNS` has them by name; each is larger where it expects a better network.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinycourse.training import profiling


def kernels(network: nn.Module) -> list[Tensor]:
    """The weights of its convolutions and linear layers."""
    return [m.weight for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def gradients(network: nn.Module, x: Tensor, labels: Tensor) -> list[tuple[Tensor, Tensor]]:
    """(weight, gradient of the loss) for every kernel."""
    weights = kernels(network)
    return list(zip(weights, torch.autograd.grad(F.cross_entropy(network.train()(x), labels), weights)))


def parameters(network: nn.Module, x: Tensor, labels: Tensor) -> float:
    """The number of weights: the trivial sign."""
    return profiling.weights(network)


def multiply_adds(network: nn.Module, x: Tensor, labels: Tensor) -> float:
    """Those of one clip: the other trivial sign."""
    return profiling.profile(network, x[:1], "weights").multiply_adds


def gradient_norm(network: nn.Module, x: Tensor, labels: Tensor) -> float:
    """Norm of the gradient: how much a first step would change."""
    return float(torch.stack([g.square().sum() for _, g in gradients(network, x, labels)]).sum().sqrt())


def snip(network: nn.Module, x: Tensor, labels: Tensor) -> float:
    """Sum of |weight * gradient|: how much the loss would miss the weights (Lee et al. 2019, arXiv 1810.02340)."""
    return float(sum((w * g).detach().abs().sum() for w, g in gradients(network, x, labels)))


def synflow(network: nn.Module, x: Tensor, labels: Tensor) -> float:
    """The same for the sum of the outputs, every weight made positive and the input all ones: needs no data, and its logarithm
    is taken (Tanaka et al. 2020, arXiv 2006.05467)."""
    network.eval().double()
    signs = [w.sign() for w in network.state_dict().values()]
    with torch.no_grad():
        for w in network.state_dict().values():
            w.abs_()
    weights = kernels(network)
    flow = torch.autograd.grad(network(torch.ones_like(x[:1]).double()).sum(), weights)
    score = sum((w * g).abs().sum() for w, g in zip(weights, flow)).log()
    with torch.no_grad():
        for w, sign in zip(network.state_dict().values(), signs):
            w.mul_(torch.where(sign == 0, 1, sign))
    network.float()
    return float(score.detach())


def naswot(network: nn.Module, x: Tensor, labels: Tensor) -> float:
    """How differently the clips of a batch switch the units on and off: log-determinant of the matrix of agreements
    (Mellor et al. 2021, arXiv 2006.04647)."""
    codes, hooks = [], []
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            hooks.append(module.register_forward_hook(lambda m, i, y: codes.append((y > 0).flatten(1).float())))
    with torch.no_grad():
        network.train()(x)
    for hook in hooks:
        hook.remove()
    agree = sum((c @ c.T + (1 - c) @ (1 - c).T) / c.shape[1] for c in codes)  # [B, B]
    return float(torch.linalg.slogdet(agree.double()).logabsdet)


SIGNS = {f.__name__.replace("_", " "): f for f in (parameters, multiply_adds, gradient_norm, snip, synflow, naswot)}
