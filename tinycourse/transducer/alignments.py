"""Alignments as paths through the lattice of an utterance: how probable each is, and the best of them (Viterbi)."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from tinycourse.errors import TinycourseError
from tinycourse.transducer.loss import rnnt_loss


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
