"""The transducer's loss where the vocabulary is large, on a band of the lattice (Kuang et al. 2022, arXiv 2206.13236; fast_rnnt).

The logits of the whole lattice, [B, T, U + 1, V], are what fills the memory. A joint network that only adds, am(t, v) + lm(u, v), needs
them not: the sum over v of exp(am + lm) is a matrix product. Its loss (`simple_loss`) is poor, but says which nodes good alignments
visit. So for every frame keep the `size` neighbouring nodes that are visited most (`band`), compute the real joint network there only,
and sum over the alignments that stay inside (`pruned_loss`).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from tinycourse.errors import TinycourseError
from tinycourse.transducer.loss import NEVER, Lattice


def simple_steps(am: Tensor, lm: Tensor, targets: Tensor, blank: int) -> Tensor:
    """Log-probabilities of blank and label at every node of log_softmax(am + lm): [B, T, V], [B, U + 1, V], [B, U] -> [B, T, U + 1, 2]."""
    am_top, lm_top = am.amax(-1, keepdim=True).detach(), lm.amax(-1, keepdim=True).detach()
    product = (am - am_top).exp() @ (lm - lm_top).exp().transpose(1, 2)  # [B, T, U + 1]
    total = product.clamp_min(torch.finfo(product.dtype).tiny).log() + am_top + lm_top.transpose(1, 2)
    blanks = am[..., blank, None] + lm[:, None, :, blank]
    said = F.pad(targets, (0, 1), value=blank)  # [B, U + 1]; the last node has no label
    heard = am.gather(2, said[:, None].expand(-1, am.shape[1], -1))  # [B, T, U + 1]
    labels = heard + lm.gather(2, said[..., None]).transpose(1, 2)
    return torch.stack([blanks, labels], -1) - total[..., None]


def simple_loss(
    am: Tensor, lm: Tensor, targets: Tensor, logit_lengths: Tensor, target_lengths: Tensor, blank: int = 0
) -> tuple[Tensor, Tensor]:
    """Losses [B] of the joint network that only adds, and how probable each node is on the way, [B, T, U + 1].

    am [B, T, V] from the encoder, lm [B, U + 1, V] from the prediction network, the rest as in `loss.rnnt_loss`; labels are
    valid everywhere. Memory for B (T + U) V logits and B T U nodes.
    """
    steps = simple_steps(am, lm, targets, blank)
    with torch.enable_grad():
        inner = steps.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(Lattice.apply(inner, logit_lengths, target_lengths).sum(), inner)
    return Lattice.apply(steps, logit_lengths, target_lengths), -gradient.sum(-1)


def band(visited: Tensor, logit_lengths: Tensor, target_lengths: Tensor, size: int) -> Tensor:
    """The first of `size` neighbouring nodes to keep at every frame: how probable nodes are [B, T, U + 1] -> [B, T].

    The most visited ones, so that a way leads through: from label 0 to the last, never back, and no step so far that two neighbouring
    frames share no node. Raises TinycourseError where so small a band cannot get through in the frames there are.
    """
    b, t, nodes = visited.shape
    size = min(size, nodes)
    last = (target_lengths + 1 - size).clamp(min=0)  # [B], where a band ends up
    if bool((last > (size - 1) * (logit_lengths - 1).clamp(min=0)).any()):
        raise TinycourseError(f"A band of {size} nodes is too narrow for the labels in these frames: ask for a wider one.")
    frame = torch.arange(t, device=visited.device)
    reach = (size - 1) * frame  # how far a band can have come
    start = visited.unfold(2, size, 1).sum(-1).argmax(-1)  # [B, T]
    start = torch.minimum(torch.minimum(start, last[:, None]), reach)
    start = torch.where(frame >= logit_lengths[:, None] - 1, last[:, None], start).cummax(1).values
    ahead = (start - reach).flip(1).cummax(1).values.flip(1)  # be early enough for what comes
    return (ahead + reach).clamp(min=0)


def within(x: Tensor, start: Tensor, size: int) -> Tensor:
    """What of the prediction network belongs into the band: x [B, U + 1, ...] -> [B, T, size, ...]."""
    index = (start[..., None] + torch.arange(size, device=x.device)).clamp(max=x.shape[1] - 1)  # [B, T, size]
    return x[torch.arange(len(x), device=x.device)[:, None, None], index]


def pruned_loss(logits: Tensor, start: Tensor, targets: Tensor, logit_lengths: Tensor, target_lengths: Tensor, blank: int = 0) -> Tensor:
    """Losses [B] over the alignments inside a band: logits [B, T, size, V] of the nodes from `start` [B, T] on.

    Never smaller than the loss of the whole lattice, and equal to it where the band holds everything.
    """
    b, t, size, _ = logits.shape
    log_probs = logits.log_softmax(-1)
    said = within(F.pad(targets, (0, 1), value=blank), start, size)  # [B, T, size]
    inside = torch.stack([log_probs[..., blank], log_probs.gather(-1, said[..., None])[..., 0]], -1)  # [B, T, size, 2]
    nodes = targets.shape[1] + 1
    place = start[..., None] + torch.arange(size, device=start.device)  # [B, T, size]
    steps = inside.new_full((b, t, nodes + size, 2), NEVER).scatter(2, place[..., None].expand_as(inside), inside)
    return Lattice.apply(steps[:, :, :nodes], logit_lengths, target_lengths)
