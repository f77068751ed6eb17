"""Which weights stay: magnitudes of blocks, and how a sparsity is shared out among the layers of a network."""

import math
from fnmatch import fnmatch

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tinycourse.errors import TinycourseError
from tinycourse.program.block_sparse import Block, grid

SCOPES = ("layer", "lamp", "global")


# ---------------------------------------------------------------------------------------------- which blocks


def magnitudes(weight: Tensor, block: Block) -> Tensor:
    """Mean |w| of every block: [blocks down, blocks across]. A block at the edge counts the weights that it has."""
    matrix = weight.detach().abs().flatten(1)  # [outputs, inputs]
    return F.avg_pool2d(matrix[None, None], block, ceil_mode=True)[0, 0]


def sizes(shape: tuple[int, ...], block: Block) -> Tensor:
    """Weights in every block: [blocks down, blocks across]; all the same, but at the edge."""
    down, across = grid(shape, block)
    rows = torch.full((down,), block[0])
    columns = torch.full((across,), block[1])
    rows[-1] -= down * block[0] - shape[0]
    columns[-1] -= across * block[1] - shape[1:].numel()
    return rows[:, None] * columns


def largest(scores: Tensor, size: Tensor, sparsity: float) -> Tensor:
    """Which blocks stay, bool like `scores`: the smallest go, as long as no more than this share of the weights goes with them."""
    order = scores.flatten().argsort(stable=True)  # [blocks], the smallest first
    goes = size.flatten()[order].cumsum(0) <= sparsity * int(size.sum()) + 1e-6
    keep = torch.ones_like(order, dtype=torch.bool)
    keep[order[goes]] = False
    return keep.view(scores.shape)


def lamp(scores: Tensor, size: Tensor) -> Tensor:
    """Energy of a block over that of all blocks of its matrix that are not smaller (Lee et al. 2021, arXiv 2010.07611).

    Comparable between matrices. The largest block of each scores 1, so no matrix is emptied before all are.
    """
    energy = scores.square().double() * size
    order = energy.flatten().argsort(stable=True)
    ordered = energy.flatten()[order] + 1e-30  # a matrix of zeros has no energy to divide by
    shares = torch.empty_like(ordered)
    shares[order] = ordered / ordered.flip(0).cumsum(0).flip(0)
    return shares.view(scores.shape)


def spread(blocks: Tensor, shape: tuple[int, ...], block: Block) -> Tensor:
    """One number per block [down, across] to one per weight, of the weight's shape."""
    wide = blocks.repeat_interleave(block[0], 0).repeat_interleave(block[1], 1)  # [down * rows, across * columns]
    return wide[: shape[0], : math.prod(shape[1:])].reshape(shape)


def choose(weights: dict[str, Tensor], block: Block, sparsity: float | dict[str, float], scope: str = "layer") -> dict[str, Tensor]:
    """Masks, bool like the weights: True stays. `sparsity` is for every weight, or for each by name; it is one budget for all in the
    scopes "lamp" and "global"."""
    scores = {name: magnitudes(w, block) for name, w in weights.items()}
    size = {name: sizes(w.shape, block) for name, w in weights.items()}
    if scope == "layer":
        wanted = sparsity if isinstance(sparsity, dict) else dict.fromkeys(weights, sparsity)
        keep = {name: largest(scores[name], size[name], wanted[name]) for name in weights}
    else:
        compared = {name: lamp(scores[name], size[name]) if scope == "lamp" else scores[name] for name in weights}
        together = largest(*(torch.cat([part[name].flatten() for name in weights]) for part in (compared, size)), sparsity)
        pieces = together.split([size[name].numel() for name in weights])
        keep = {name: piece.view(size[name].shape) for name, piece in zip(weights, pieces)}
    return {name: spread(keep[name], w.shape, block) for name, w in weights.items()}


def prunable(network: nn.Module, only: tuple[str, ...] = ()) -> dict[str, nn.Parameter]:
    """Parameters that can be pruned, by name: at least two outputs and two inputs, no embedding, and a name that fits a pattern.

    Raises TinycourseError where a pattern fits none.
    """
    embeddings = {id(m.weight) for m in network.modules() if isinstance(m, nn.Embedding)}
    wide = {name: p for name, p in network.named_parameters() if p.ndim > 1 and len(p) > 1 and p[0].numel() > 1}
    matrices = {name: p for name, p in wide.items() if id(p) not in embeddings}
    patterns = only or getattr(network, "prunable", ("*",))
    for pattern in patterns:
        named(pattern, matrices)
    return {name: p for name, p in matrices.items() if any(fnmatch(name, pattern) for pattern in patterns)}


def named(pattern: str, names) -> list[str]:
    """The names that fit a pattern. Raises TinycourseError where there is none."""
    found = [name for name in names if fnmatch(name, pattern)]
    if not found:
        raise TinycourseError(f"No weight is called {pattern!r}; those that can be pruned are {', '.join(names)}.")
    return found
