"""Lesson 05 walks the lattice of a transducer: alignments as paths, how probable each is, how often they pass a node; free tables.

Nodes are (t, u): t frames are behind us and u labels have been said (`tinycourse.transducer`). An alignment is a tuple of steps "blank"
and "label", as `transducer.alignments` gives them.
"""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from tinycourse.divergence import must_be_finite
from tinycourse.errors import TinycourseError
from tinycourse.transducer import alignments, reference_alpha, reference_beta, rnnt_loss


class Heard(NamedTuple):
    """The lattice of one utterance."""

    log_probs: Tensor  # [T, U + 1, V]
    target: Tensor  # [U]
    words: tuple[str, ...]  # the labels in words
    mel: Tensor | None = None  # what was heard [frames, bands]
    blank: int = 0


def count(frames: int, labels: int) -> int:
    """How many alignments there are: the last step is a blank, the labels stand anywhere among the others."""
    return math.comb(frames - 1 + labels, labels)


def nodes(alignment: Sequence[str]) -> list[tuple[int, int]]:
    """The nodes (t, u) that an alignment visits, from (0, 0) to (T, U)."""
    t = itertools.accumulate((step == "blank" for step in alignment), initial=0)
    u = itertools.accumulate((step == "label" for step in alignment), initial=0)
    return list(zip(t, u))


def saying(places: Sequence[int], frames: int) -> tuple[str, ...]:
    """The alignment that says label u in frame places[u]. Raises TinycourseError unless places rise and lie in 0..frames - 1."""
    if list(places) != sorted(places) or any(not 0 <= t < frames for t in places):
        raise TinycourseError(f"Labels are said in order, in frames 0 to {frames - 1}; give frames that do not fall, not {list(places)}.")
    return tuple(step for t in range(frames) for step in ["label"] * list(places).count(t) + ["blank"])


def places(alignment: Sequence[str]) -> list[int]:
    """The frames in which an alignment says its labels: what `saying` is given."""
    return [t for step, (t, _) in zip(alignment, nodes(alignment)) if step == "label"]


def loss(log_probs: Tensor, target: Tensor, blank: int) -> Tensor:
    """Minus the log-probability of all alignments of log_probs [T, U + 1, V] and labels [U]."""
    lengths = torch.tensor([len(log_probs)]), torch.tensor([len(target)])
    return rnnt_loss(log_probs[None], target[None], *lengths, blank, fused_log_softmax=False)


def best(log_probs: Tensor, target: Tensor, blank: int) -> tuple[str, ...]:
    """The most probable alignment of labels [U]: alpha with the larger of two ways in place of their sum, then back along it."""
    frames, labels = len(log_probs), len(target)
    score, came = {(0, 0): 0.0}, {}
    for t, u in itertools.product(range(frames), range(labels + 1)):
        ways = {}
        if t:
            ways["blank"] = score[t - 1, u] + float(log_probs[t - 1, u, blank])
        if u:
            ways["label"] = score[t, u - 1] + float(log_probs[t, u - 1, target[u - 1]])
        if ways:
            came[t, u] = max(ways, key=ways.get)
            score[t, u] = ways[came[t, u]]
    steps, t, u = ["blank"], frames - 1, labels
    while (t, u) in came:
        steps.append(came[t, u])
        t, u = (t - 1, u) if steps[-1] == "blank" else (t, u - 1)
    return tuple(reversed(steps))


def step_scores(log_probs: Tensor, target: Tensor, blank: int, alignment: Sequence[str]) -> Tensor:
    """Log-probability of each step of an alignment: log-probabilities [T, U + 1, V], labels [U] -> [T + U]."""
    leave = [blank if step == "blank" else int(target[u]) for step, (_, u) in zip(alignment, nodes(alignment))]
    return torch.stack([log_probs[t, u, word] for word, (t, u) in zip(leave, nodes(alignment))])


def occupancy(log_probs: Tensor, target: Tensor, blank: int) -> tuple[Tensor, Tensor]:
    """How probable it is that an alignment comes by each node [T, U + 1], and takes each step [T, U + 1, 2], blank and label.

    log_probs [T, U + 1, V], target [U]. Where no step leads on, that of a label above all, there is 0.
    """
    alpha, beta = reference_alpha(log_probs, target, blank), reference_beta(log_probs, target, blank)
    visited = (alpha + beta - beta[0, 0]).exp()
    steps = visited.new_zeros(*visited.shape, 2)
    says = log_probs[:, torch.arange(len(target)), target]  # [T, U]
    steps[:, :-1, 1] = (alpha[:, :-1] + says + beta[:, 1:] - beta[0, 0]).exp()
    steps[..., 0] = visited - steps[..., 1]  # who comes by and says nothing takes the blank
    return visited, steps.clamp(min=0)


def losses_knowing_nothing(frames: int, labels: int, words: int, blank: Tensor) -> Tensor:
    """Loss of a transducer that hears nothing: at every node it gives blank the same probability, and the words the rest, evenly.

    blank: probabilities [N] -> [N]. `words` without blank.
    """
    return -(math.log(count(frames, labels)) + frames * blank.log() + labels * ((1 - blank) / words).log())


# ------------------------------------------------------------------------------------------------- free tables


def collapse(symbols: Sequence[int], blank: int) -> tuple[int, ...]:
    """What CTC reads off a row of symbols: one of each run of equal ones, and no blanks."""
    return tuple(symbol for symbol, _ in itertools.groupby(symbols) if symbol != blank)


def best_ctc(targets: Sequence[tuple[int, ...]], frames: int, words: int, blank: int, steps: int = 60) -> dict[tuple, float]:
    """The best that CTC can do for one sound that means each target equally often: transcripts and their probabilities.

    No network limits it: the `words` scores of every frame (blank among them) are free, and trained from a seeded start.
    """
    table = torch.randn(frames, words, generator=torch.Generator().manual_seed(0)).mul_(0.1).requires_grad_()

    def loss() -> Tensor:
        log_probs = table.log_softmax(-1)[:, None].expand(-1, len(targets), -1)  # [T, targets, V]
        lengths = torch.tensor([len(target) for target in targets])
        return F.ctc_loss(log_probs, torch.tensor(sum(targets, ())), torch.full_like(lengths, frames), lengths, blank, "none").mean()

    descend(table, loss, steps)
    share, found = table.detach().softmax(-1), {}
    for symbols in itertools.product(range(words), repeat=frames):
        said = collapse(symbols, blank)
        found[said] = found.get(said, 0.0) + float(share[torch.arange(frames), torch.tensor(symbols)].prod())
    return found


def best_transducer(targets: Sequence[tuple[int, ...]], frames: int, words: int, blank: int, steps: int = 60) -> dict[tuple, float]:
    """The same for a transducer whose scores depend on the frame and on the word before, free too. Targets are of one length.

    Returned are all transcripts of that length.
    """
    table = torch.randn(frames, words, words, generator=torch.Generator().manual_seed(0)).mul_(0.1).requires_grad_()

    def losses(said: Sequence[tuple[int, ...]]) -> Tensor:
        labels = torch.tensor(said)  # [targets, U]
        before = F.pad(labels, (1, 0), value=blank)  # blank stands for: nothing has been said yet
        logits = table[:, before].transpose(0, 1)  # [targets, T, U + 1, V]
        b, u = labels.shape
        return rnnt_loss(logits, labels, torch.full((b,), frames), torch.full((b,), u), blank, reduction="none")

    descend(table, lambda: losses(targets).mean(), steps)
    others = [word for word in range(words) if word != blank]
    transcripts = list(itertools.product(others, repeat=len(targets[0])))
    return dict(zip(transcripts, losses(transcripts).neg().exp().tolist()))


def descend(table: Tensor, loss, steps: int) -> None:
    """Move `table` downhill on loss(), in place. Raises Diverged where no alignment is possible."""
    optimizer = torch.optim.Adam([table], lr=0.3)
    for _ in range(steps):
        optimizer.zero_grad()
        now = loss()
        must_be_finite("Best scores", {"the loss": now}, "the targets do not fit into the frames, give more frames or shorter ones")
        now.backward()
        optimizer.step()


def ranked(log_probs: Tensor, target: Tensor, blank: int) -> list[tuple[tuple[str, ...], float]]:
    """Every alignment with its probability, the most probable first: for lattices that are small enough to list."""
    frames, labels = log_probs.shape[0], len(target)
    scored = [(a, float(step_scores(log_probs, target, blank, a).sum().exp())) for a in alignments(frames, labels)]
    return sorted(scored, key=lambda pair: -pair[1])
