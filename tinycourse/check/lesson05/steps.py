"""Checks of lesson 05: the steps of a transducer's lattice."""

import math

import torch
from torch import Tensor

from tinycourse.check.core import UNIT, exercise, expect_array, expect_close
from tinycourse.transducer.loss import NEVER


def drawn_steps(random, frames: int, labels: int, size: float = 1.0) -> Tensor:
    """Log-probabilities of steps [T, U + 1, 2], between -2 and -0.2 times `size`; from the last row no label leads on."""
    steps = torch.tensor(random.uniform(-2, -0.2, (frames, labels + 1, 2)) * size, dtype=torch.float32)
    steps[:, -1, 1] = NEVER
    return steps


def slow_transitions(logits: Tensor, target: Tensor, blank: int) -> Tensor:
    """Log-probabilities of leaving every node by a blank and by the next label, one node at a time: [T, U + 1, V] -> [T, U + 1, 2]."""
    frames, nodes, _ = logits.shape
    steps = torch.full((frames, nodes, 2), NEVER, dtype=logits.dtype)
    for t in range(frames):
        for u in range(nodes):
            numbers = logits[t, u].tolist()
            total = math.log(sum(math.exp(x - max(numbers)) for x in numbers)) + max(numbers)
            steps[t, u, 0] = numbers[blank] - total
            if u + 1 < nodes:
                steps[t, u, 1] = numbers[int(target[u])] - total
    return steps


def picked(log_probs: Tensor, target: Tensor, blank: int, last: float = NEVER) -> Tensor:
    """The two columns that matter, of log-probabilities [T, U + 1, V]: [T, U + 1, 2], with `last` where no label follows."""
    steps = torch.full((*log_probs.shape[:2], 2), last)
    steps[..., 0] = log_probs[..., blank]
    steps[:, :-1, 1] = log_probs[:, torch.arange(len(target)), target]
    return steps


def softmax_forgotten(logits, target, blank):
    """These are the logits as they came: only after log_softmax over the symbols are they log-probabilities."""
    return picked(logits, target, blank)


def probabilities(logits, target, blank):
    """These are probabilities: long paths multiply so many of them that nothing is left. Take their logarithms."""
    return picked(logits.softmax(-1), target, blank)


def over_the_frames(logits, target, blank):
    """The softmax ran over the frames: at every node the symbols compete, and they lie along the last axis."""
    return picked(logits.log_softmax(0), target, blank)


def two_compete(logits, target, blank):
    """The softmax saw only blank and the label: all the other symbols compete as well, or the network never learns not to say them."""
    steps = picked(logits, target, blank, last=-math.inf).log_softmax(-1)
    steps[:, -1, 1] = NEVER
    return steps


def label_behind_us(logits, target, blank):
    """From node (t, u) label number u leads on, which is target[u]: the one before has been said already."""
    return picked(logits.log_softmax(-1), target.roll(1), blank)


def next_nodes_label(logits, target, blank):
    """The label's log-probability was read one node too high: the step from (t, u) has the number of node (t, u), not (t, u + 1)."""
    steps = picked(logits.log_softmax(-1), target, blank)
    steps[:, :-1, 1] = logits.log_softmax(-1)[:, torch.arange(1, len(target) + 1), target]
    return steps


def changed_places(logits, target, blank):
    """Blank and label changed places: blank comes first."""
    return picked(logits.log_softmax(-1), target, blank).flip(-1)


def free_at_the_end(logits, target, blank):
    """When all labels are said no label leads on: 0 is the logarithm of a sure step; write -1e30 there, the logarithm of never."""
    return picked(logits.log_softmax(-1), target, blank, last=0.0)


@exercise(
    reference=slow_transitions,
    wrong=[
        softmax_forgotten,
        probabilities,
        over_the_frames,
        two_compete,
        label_behind_us,
        next_nodes_label,
        changed_places,
        free_at_the_end,
    ],
)
def transitions(candidate, random):
    """transitions(logits float32 [T, U + 1, V], target int64 [U], blank) -> float32 [T, U + 1, 2].

    Bound: with u = 2**-24, a sum of V exponentials rounds by (V + 4) u of itself, its logarithm and the subtraction by u of the numbers
    that they meet; -1e30 itself is not a float32 and rounds by u.
    """
    symbols = int(random.integers(5, 9))
    for case, (frames, labels) in {"a few frames": (4, 3), "more labels than frames": (2, 4)}.items():
        logits = torch.tensor(random.normal(0, 2, (frames, labels + 1, symbols)), dtype=torch.float32)
        blank = int(random.integers(symbols))
        target = torch.tensor(random.permutation([v for v in range(symbols) if v != blank])[:labels])
        said = f"{case}: logits {list(logits.shape)}, target {target.tolist()}, blank {blank}"
        got = candidate(logits, target, blank)
        expect_array(got, (frames, labels + 1, 2), torch.float32, said)
        expected = slow_transitions(logits.double(), target, blank)
        bound = UNIT * (2 * symbols + 16 + 4 * float(logits.abs().max()) + 4 * expected.abs())
        expect_close(got, expected, bound, said)
