"""The RNN transducer's loss (Graves 2012, arXiv 1211.3711): a lattice, the sum over all its paths, and the exact gradient.

An utterance has T frames and U labels. At node (t, u) of the lattice t frames are behind us and u labels have been said. There the
network's logits say how likely each label is, and blank. Blank leads to (t + 1, u), label u to (t, u + 1). An alignment is a path from
(0, 0) to (T, U); its last step is a blank. The loss is minus the logarithm of the sum of the probabilities of all alignments:

    alpha(t, u) = log(exp(alpha(t - 1, u) + blank(t - 1, u)) + exp(alpha(t, u - 1) + label(t, u - 1)))      section 2.4

Three forms of it: `alignments` and `reference_loss` are slow and meant to be read; `rnnt_loss` is for training.
"""

from collections.abc import Callable, Iterator
from numbers import Integral, Real

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from tinycourse import _torchaudio
from tinycourse.errors import TinycourseError

NEVER = -1e30  # the logarithm of no chance; -inf would turn into NaN where two of them are subtracted
BLOCK = {"cpu": 2**17, "cuda": 2**24}  # logits worked on at once: what fits into a processor's cache, what fills a GPU
AXES = {"logits": "B, T, U + 1, V", "targets": "B, U", "logit_lengths": "B", "target_lengths": "B"}  # of rnnt_loss
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
REDUCTIONS = {"mean": torch.mean, "sum": torch.sum, "none": torch.clone}
IMPLEMENTATIONS = ("tinycourse", "torchaudio")

# ---------------------------------------------------------------------------------------------------- to be read


def alignments(frames: int, labels: int) -> Iterator[tuple[str, ...]]:
    """Every path through the lattice of `frames` and `labels`, as steps "blank" and "label". The last step is a blank."""
    if labels and frames:
        yield from (("label", *rest) for rest in alignments(frames, labels - 1))
    if frames > 1 or (frames == 1 and not labels):
        yield from (("blank", *rest) for rest in alignments(frames - 1, labels))
    if not frames and not labels:
        yield ()


def log_add(a: float | Tensor, b: float | Tensor) -> Tensor:
    """log(exp(a) + exp(b)); plain numbers count as 64 bits."""
    return torch.logaddexp(*(torch.as_tensor(x, dtype=torch.float64 if isinstance(x, float) else None) for x in (a, b)))


def reference_alpha(log_probs: Tensor, target: Tensor, blank: int) -> Tensor:
    """Log-probability of reaching every node: log-probabilities [T, U + 1, V], labels [U] -> [T, U + 1]. One node after the other."""
    frames, nodes, _ = log_probs.shape
    alpha = torch.full((frames, nodes), NEVER, dtype=log_probs.dtype)
    alpha[0, 0] = 0
    for t in range(frames):
        for u in range(nodes):
            if t:
                alpha[t, u] = log_add(alpha[t, u], alpha[t - 1, u] + log_probs[t - 1, u, blank])
            if u:
                alpha[t, u] = log_add(alpha[t, u], alpha[t, u - 1] + log_probs[t, u - 1, target[u - 1]])
    return alpha


def reference_beta(log_probs: Tensor, target: Tensor, blank: int) -> Tensor:
    """Log-probability of going from every node to the end: [T, U + 1, V], [U] -> [T, U + 1]. alpha, walked backwards."""
    frames, nodes, _ = log_probs.shape
    beta = torch.full((frames, nodes), NEVER, dtype=log_probs.dtype)
    beta[-1, -1] = log_probs[-1, -1, blank]
    for t in reversed(range(frames)):
        for u in reversed(range(nodes)):
            if t + 1 < frames:
                beta[t, u] = log_add(beta[t, u], beta[t + 1, u] + log_probs[t, u, blank])
            if u + 1 < nodes:
                beta[t, u] = log_add(beta[t, u], beta[t, u + 1] + log_probs[t, u, target[u]])
    return beta


def reference_loss(logits: Tensor, target: Tensor, blank: int) -> tuple[Tensor, Tensor]:
    """Loss of one utterance, and its gradient: logits [T, U + 1, V], labels [U] -> a number, and [T, U + 1, V]; T >= 1.

    A step is taken with probability exp(alpha before it + its own + beta behind it - log-probability of everything). The gradient
    at a node is softmax * (how often paths come by) - (how often they leave by each label).
    """
    log_probs = logits.log_softmax(-1)
    alpha, beta = reference_alpha(log_probs, target, blank), reference_beta(log_probs, target, blank)
    total, (frames, nodes) = beta[0, 0], alpha.shape
    gradient = log_probs.exp() * (alpha + beta - total).exp()[..., None]
    for t in range(frames):
        for u in range(nodes):
            behind = beta[t + 1, u] if t + 1 < frames else torch.tensor(0.0 if u + 1 == nodes else NEVER)
            gradient[t, u, blank] -= (alpha[t, u] + log_probs[t, u, blank] + behind - total).exp()
            if u + 1 < nodes:
                gradient[t, u, target[u]] -= (alpha[t, u] + log_probs[t, u, target[u]] + beta[t, u + 1] - total).exp()
    return -total, gradient


# -------------------------------------------------------------------------------------------------- for training


def rnnt_loss(
    logits: Tensor,
    targets: Tensor,
    logit_lengths: Tensor,
    target_lengths: Tensor,
    blank: int = -1,
    clamp: float = -1,
    reduction: str = "mean",
    fused_log_softmax: bool = True,
    implementation: str = "tinycourse",
) -> Tensor:
    """The loss of a batch, with the signature of torchaudio.functional.rnnt_loss.

    logits [B, T, U + 1, V] of the joint network; targets [B, U], labels without blank; logit_lengths and target_lengths [B], of each
    utterance: what lies beyond is ignored. `blank` may count from the end. `clamp`: bound on every entry of the gradient of one
    utterance's loss, before "mean" or a factor weighs it, as in torchaudio; none if it is 0 or negative. `reduction`: "mean" over the
    batch, "sum", or "none" [B]. Without `fused_log_softmax` logits are log-probabilities already. `implementation`: "tinycourse", or
    "torchaudio" where its compiled part loads.

    An utterance of labels but no frames has no alignment: its loss is infinite, its gradient zero. Beside the logits and their gradient,
    memory holds a few numbers for each node. Raises TinycourseError for options that do not exist, for tensors of another type, and
    for shapes, lengths or labels that do not go together.
    """
    check_options(clamp, reduction, implementation)
    check_tensors(logits, targets, logit_lengths, target_lengths)
    blank = index_of(blank, logits.shape[-1])
    targets, logit_lengths, target_lengths = targets.long(), logit_lengths.long(), target_lengths.long()
    check(logits, targets, logit_lengths, target_lengths, blank)
    if implementation == "torchaudio":
        short = (x.int().contiguous() for x in (targets, logit_lengths, target_lengths))
        return by_torchaudio()(logits.contiguous(), *short, blank, clamp, reduction, fused_log_softmax)
    bound = clamp if clamp > 0 else None
    losses = Transduce.apply(logits, targets, logit_lengths, target_lengths, blank, bound, fused_log_softmax)
    return REDUCTIONS[reduction](losses)


def check_options(clamp: float, reduction: str, implementation: str) -> None:
    """Raises TinycourseError for a bound that is no number, and for names that do not exist."""
    if not isinstance(clamp, Real) or clamp != clamp:
        raise TinycourseError(f"clamp is a number, the bound on the gradient, not {clamp!r}; -1 means no bound.")
    for option, given, known in (("reduction", reduction, REDUCTIONS), ("implementation", implementation, IMPLEMENTATIONS)):
        if given not in tuple(known):
            raise TinycourseError(f"There is no {option} {given!r}: choose one of {', '.join(known)}.")


def check_tensors(logits: Tensor, targets: Tensor, logit_lengths: Tensor, target_lengths: Tensor) -> None:
    """Raises TinycourseError unless all are tensors on one device, logits of floats, the others of integers, with the axes they need."""
    for (name, axes), x in zip(AXES.items(), (logits, targets, logit_lengths, target_lengths)):
        if not isinstance(x, Tensor) or x.ndim != len(axes.split(", ")):
            given = list(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise TinycourseError(f"{name} must be a tensor [{axes}], not {given}.")
        kind, fits = ("floats", x.is_floating_point()) if name == "logits" else ("integers", x.dtype in INTEGERS)
        if not fits:
            raise TinycourseError(f"{name} must hold {kind}, not {x.dtype}: convert them.")
        if x.device != logits.device:
            raise TinycourseError(f"{name} lies on {x.device}, but logits on {logits.device}: move all to one device.")
    if 0 in logits.shape[::2] or not logits.shape[3]:
        raise TinycourseError(f"Logits {list(logits.shape)} are empty: give at least one utterance, one node and one label.")


def index_of(blank: int, words: int) -> int:
    """Which of so many labels is blank; negative ones count from the end. Raises TinycourseError for one that does not exist."""
    if not isinstance(blank, Integral) or not -words <= blank < words:
        raise TinycourseError(f"blank is {blank!r}, but there are {words} labels: give an integer from {-words} to {words - 1}.")
    return int(blank) % words


def by_torchaudio() -> Callable[..., Tensor]:
    """torchaudio's loss. Raises TinycourseError where its compiled part does not load."""
    functional = _torchaudio.load().functional
    if not hasattr(torch.ops.torchaudio, "rnnt_loss_forward"):
        raise TinycourseError('torchaudio has no compiled part here: take implementation="tinycourse".')
    return functional.rnnt_loss


def check(logits: Tensor, targets: Tensor, logit_lengths: Tensor, target_lengths: Tensor, blank: int) -> None:
    """Raises TinycourseError unless shapes, lengths and labels go together."""
    (b, t, nodes, v), wanted = logits.shape, tuple(targets.shape)
    if wanted != (b, nodes - 1) or len(logit_lengths) != b or len(target_lengths) != b:
        raise TinycourseError(
            f"Logits [{b}, {t}, {nodes}, {v}] need targets [{b}, {nodes - 1}], not {list(wanted)}, and {b} lengths of each kind."
        )
    frames, labels = logit_lengths.tolist(), target_lengths.tolist()
    if not all(0 <= n <= t for n in frames) or not all(0 <= n < nodes for n in labels):
        raise TinycourseError(f"Lengths reach beyond {t} frames or {nodes - 1} labels: give lengths of this batch.")
    said = targets[torch.arange(nodes - 1, device=targets.device) < target_lengths[:, None]]
    if len(said) and not (0 <= int(said.min()) and int(said.max()) < v and bool((said != blank).all())):
        raise TinycourseError(f"Labels must lie between 0 and {v - 1} and differ from blank, which is {blank}.")


class Transduce(torch.autograd.Function):
    """Losses [B] by `rnnt_loss`'s arguments. Forward walks the lattice both ways, backward turns steps into the gradient."""

    @staticmethod
    def forward(ctx, logits, targets, logit_lengths, target_lengths, blank, bound, fused):
        """Arguments of `rnnt_loss` to losses [B]."""
        b, t, nodes, v = logits.shape
        labels = F.pad(targets, (0, 1)).clamp(0, v - 1)  # [B, U + 1], the padded ones are never used
        leave = torch.stack([torch.full_like(labels, blank), labels], -1)  # [B, U + 1, 2]: what leads away from a node
        lengths = list(zip(logit_lengths.tolist(), (target_lengths + 1).tolist()))
        steps = torch.full((2, b, t + 1, nodes), NEVER, dtype=torch.float64, device=logits.device)
        for i, part, u in blocks(logits, lengths):
            scores = logits[i, part, :u].to(at_least_float(logits))
            scores = scores.log_softmax(-1) if fused else scores
            steps[:, i, part, :u] = scores.gather(-1, leave[i, :u].expand(len(scores), u, 2)).permute(2, 0, 1)
        free_path(steps, logit_lengths, target_lengths)
        both_ways = ctx.needs_input_grad[0]
        losses = walk(steps, both_ways)
        if both_ways:
            ctx.save_for_backward(logits, leave, steps[:, :, :t].permute(1, 2, 3, 0).to(at_least_float(logits)))
            ctx.settings = lengths, bound, fused
        return losses.to(at_least_float(logits))

    @staticmethod
    @once_differentiable
    def backward(ctx, weight):
        """The gradient of the logits [B, T, U + 1, V], each utterance weighed [B]."""
        logits, leave, taken = ctx.saved_tensors  # taken [B, T, U + 1, 2]: probability of each step
        lengths, bound, fused = ctx.settings
        gradient = torch.zeros_like(logits)
        for i, part, u in blocks(logits, lengths):
            own, steps = gradient[i, part, :u], taken[i, part, :u]  # [t, u, V], [t, u, 2]
            if bound is None:
                steps = steps * weight[i]  # two numbers a node are weighed faster than V
            if fused:
                own.copy_(logits[i, part, :u].to(steps).softmax(-1).mul_(steps.sum(-1, keepdim=True)))
            own.scatter_add_(-1, leave[i, :u].expand_as(steps), -steps.to(own))
            if bound is not None:
                own.clamp_(-bound, bound).mul_(weight[i])  # the bound is for one utterance's own gradient
        return gradient, *[None] * 6


class Lattice(torch.autograd.Function):
    """Losses [B] of log-probabilities of steps [B, T, U + 1, 2] (blank, label) of utterances of so many frames [B] and labels [B]."""

    @staticmethod
    def forward(ctx, given, logit_lengths, target_lengths):
        """See the class."""
        b, t, nodes, _ = given.shape
        steps = torch.full((2, b, t + 1, nodes), NEVER, dtype=torch.float64, device=given.device)
        beyond = torch.arange(t, device=given.device) >= logit_lengths[:, None]  # [B, T]
        steps[:, :, :t] = given.permute(3, 0, 1, 2).masked_fill(beyond[..., None], NEVER)
        free_path(steps, logit_lengths, target_lengths)
        losses = walk(steps, both_ways=True)
        own = steps[:, :, :t].masked_fill(beyond[..., None], 0.0)  # not the free path
        ctx.save_for_backward(own.permute(1, 2, 3, 0).to(given))
        return losses.to(given)

    @staticmethod
    @once_differentiable
    def backward(ctx, weight):
        """The gradient of a step's log-probability is minus the probability that the step is taken."""
        (taken,) = ctx.saved_tensors
        return -taken * weight[:, None, None, None], None, None


def at_least_float(x: Tensor) -> torch.dtype:
    """Half precision is too coarse for sums of probabilities."""
    return torch.promote_types(x.dtype, torch.float32)


def blocks(logits: Tensor, lengths: list[tuple[int, int]]) -> Iterator[tuple[int, slice, int]]:
    """Cut the valid part of logits [B, T, U + 1, V] into pieces of about BLOCK numbers: (row of the batch, slice of frames, nodes)."""
    for i, (frames, nodes) in enumerate(lengths):
        size = max(1, BLOCK[logits.device.type] // (nodes * logits.shape[-1]))
        yield from ((i, slice(t, min(t + size, frames)), nodes) for t in range(0, frames, size))


def free_path(steps: Tensor, logit_lengths: Tensor, target_lengths: Tensor) -> None:
    """Lead every utterance from its own end to the common corner at no cost, in place: blank and label steps [2, B, T + 1, U + 1].

    From (its frames, its labels) straight on by blanks to row T, then by labels to (T, U). So all utterances end at one node.
    """
    last = steps.shape[2] - 1
    t = torch.arange(last + 1, device=steps.device)[:, None]
    u = torch.arange(steps.shape[3], device=steps.device)
    frames, labels = logit_lengths[:, None, None], target_lengths[:, None, None]
    steps[0].masked_fill_((t >= frames) & (t < last) & (u == labels), 0.0)
    steps[1].masked_fill_((t < frames) & (u >= labels), NEVER)
    steps[1].masked_fill_((t == last) & (u >= labels), 0.0)


def walk(steps: Tensor, both_ways: bool) -> Tensor:
    """Losses [B] of lattices that end at their last node, given the log-probabilities of steps [2, B, T + 1, U + 1] (blanks, labels).

    `both_ways` turns `steps`, in place, into how probable it is that an alignment takes each (not those of row T).

    Nodes of one anti-diagonal (t + u = d) do not depend on each other, so a whole diagonal of the whole batch is one operation.
    Backwards is the same walk through the lattice turned round; it goes along as more rows of the batch.
    """
    _, b, rows, nodes = steps.shape
    diagonals, batch = rows + nodes - 1, b * (1 + both_ways)
    into = steps.new_full((diagonals, 2, batch, nodes), NEVER)  # steps into every diagonal: from node u - 1, from node u
    by_node(into[1:, 1, :b], rows - 1).copy_(steps[0, :, :-1])
    by_node(into[1:, 0, :b, 1:], rows).copy_(steps[1, :, :, :-1])
    if both_ways:
        by_node(into[:, 1, b:], rows).copy_(steps[0].flip(1, 2))
        by_node(into[:, 0, b:], rows).copy_(steps[1].flip(1, 2))
    reached = steps.new_full((diagonals, batch, nodes + 1), NEVER)  # the first column is a wall
    reached[0, :, 1] = 0
    sources = reached.as_strided((diagonals, 2, batch, nodes), (batch * (nodes + 1), 1, nodes + 1, 1))  # nodes u - 1, and u
    come = torch.empty_like(into[0])
    for source, step, reach in zip(sources.unbind(), into[1:].unbind(), reached[1:, :, 1:].unbind()):
        torch.add(source, step, out=come)
        torch.logaddexp(come[0], come[1], out=reach)
    total = reached[-1, :b, -1]
    possible = total > NEVER / 2
    if both_ways:
        del into
        alpha = by_node(reached[:, :b, 1:], rows) - torch.where(possible, total, torch.inf)[:, None, None]  # [B, T + 1, U + 1]
        beta = by_node(reached[:, b:, 1:], rows).flip(1, 2)
        steps += alpha
        steps[0, :, :-1] += beta[:, 1:]
        steps[1, :, :, :-1] += beta[:, :, 1:]
        steps.exp_()
    return torch.where(possible, -total, torch.inf)


def by_node(x: Tensor, frames: int) -> Tensor:
    """A view of diagonals x [D, B, U] as nodes [B, frames, U]: node (t, u) lies in row t + u, at place u."""
    d, b, u = x.stride()
    return x.as_strided((x.shape[1], frames, x.shape[2]), (b, d, d + u))
