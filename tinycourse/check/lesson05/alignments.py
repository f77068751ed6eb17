"""Checks of lesson 05: alignments, alpha, and how often steps are taken."""

import math

import torch
from torch import Tensor

from tinycourse.check.core import UNIT, exercise, expect, expect_array, expect_close
from tinycourse.check.lesson05.steps import drawn_steps
from tinycourse.transducer.loss import NEVER, alignments, log_add

# ---------------------------------------------------------------------------------------------- two_frames


def slow_two_frames(steps: Tensor) -> float:
    """Loss of a lattice of two frames: its alignments are listed, and their probabilities added up."""
    total = 0.0
    for alignment in alignments(2, steps.shape[1] - 1):
        t = u = 0
        score = 0.0
        for step in alignment:
            score += float(steps[t, u, 0 if step == "blank" else 1])
            t, u = (t + 1, u) if step == "blank" else (t, u + 1)
        total += math.exp(score)
    return -math.log(total)


def ways_through(steps: Tensor) -> Tensor:
    """Log-probabilities of the U + 1 alignments of two frames, by where the first blank is taken: [U + 1]."""
    first, second = steps[:, :-1, 1].double()
    blanks, last = steps[0, :, 0].double(), steps[1, -1, 0].double()
    return torch.stack([first[:i].sum() + blank + second[i:].sum() + last for i, blank in enumerate(blanks)])


def logs_added(steps):
    """The alignments' log-probabilities were added, as if all had to happen: any one will do, so add their probabilities."""
    return float(-ways_through(steps).sum())


def best_alone(steps):
    """Only the best alignment counts here: the loss adds up the probabilities of all of them."""
    return float(-ways_through(steps).max())


def averaged(steps):
    """This is the mean of the alignments' probabilities: they add up."""
    return float(-ways_through(steps).exp().mean().log())


def end_forgotten(steps):
    """The last blank is missing: every alignment leaves the last frame, too."""
    return float(-(ways_through(steps) - steps[1, -1, 0]).logsumexp(0))


def one_way_missing(steps):
    """The alignment that says everything in the first frame is missing: with U labels there are U + 1 places for the first blank."""
    return float(-ways_through(steps)[:-1].logsumexp(0))


def always_somebody_first(steps):
    """The alignment that says nothing in the first frame is missing: with U labels there are U + 1 places for the first blank."""
    return float(-ways_through(steps)[1:].logsumexp(0))


def sign_forgotten(steps):
    """A loss is minus the log-probability: this one would be made larger by training on it."""
    return float(ways_through(steps).logsumexp(0))


def logarithm_forgotten(steps):
    """This is a probability: the loss is minus its logarithm."""
    return float(ways_through(steps).exp().sum())


@exercise(
    reference=slow_two_frames,
    wrong=[
        logs_added,
        best_alone,
        averaged,
        end_forgotten,
        one_way_missing,
        always_somebody_first,
        sign_forgotten,
        logarithm_forgotten,
    ],
)
def two_frames(candidate, random):
    """two_frames(steps float32 [2, U + 1, 2]) -> float.

    Bound: the sum of U + 2 numbers, in float32, rounds by (U + 2) u of the sum of their sizes, u = 2**-24; the sum of U + 1 probabilities
    adds (U + 8) u to their logarithm.
    """
    for case, labels in {"several labels": int(random.integers(3, 6)), "one label": 1}.items():
        steps = drawn_steps(random, 2, labels)
        said = f"{case}: steps {list(steps.shape)}"
        got = candidate(steps)
        expect(type(got) is float, said, "a float", type(got).__name__, "Call .item() on a tensor of one number.")
        bound = UNIT * ((labels + 4) * 2 * (labels + 2) + labels + 16)
        expect_close(got, slow_two_frames(steps), bound, said)


# --------------------------------------------------------------------------------------------------- alpha


def from_left(steps: Tensor, alpha: Tensor, t: int, u: int) -> float | Tensor:
    """Log-probability of coming to node (t, u) by a blank."""
    return alpha[t - 1, u] + steps[t - 1, u, 0] if t else NEVER


def from_below(steps: Tensor, alpha: Tensor, t: int, u: int) -> float | Tensor:
    """Log-probability of coming to node (t, u) by a label."""
    return alpha[t, u - 1] + steps[t, u - 1, 1] if u else NEVER


def slow_alpha(steps: Tensor, left=from_left, below=from_below, add=log_add) -> Tensor:
    """Log-probability of coming to every node: steps [T, U + 1, 2] -> [T, U + 1]. One node after the other.

    The wrong answers come from elsewhere (`left`, `below`), or add otherwise.
    """
    frames, nodes, _ = steps.shape
    alpha = torch.zeros(frames, nodes, dtype=steps.dtype)
    for t in range(frames):
        for u in range(nodes):
            if t or u:
                alpha[t, u] = add(left(steps, alpha, t, u), below(steps, alpha, t, u))
    return alpha


def best_way(steps):
    """The larger of the two was kept, the best way (Viterbi): alpha adds the probabilities of all ways, so take torch.logaddexp."""
    return slow_alpha(steps, add=max)


def step_of_the_target(steps):
    """The steps were read at the node where they arrive: a step's log-probability belongs to the node that it leaves."""
    return slow_alpha(
        steps,
        left=lambda steps, alpha, t, u: alpha[t - 1, u] + steps[t, u, 0] if t else NEVER,
        below=lambda steps, alpha, t, u: alpha[t, u - 1] + steps[t, u, 1] if u else NEVER,
    )


def label_takes_a_frame(steps):
    """A label does not use up a frame: it leads to (t, u + 1), so node (t, u) is reached from (t, u - 1), in the same frame."""
    return slow_alpha(steps, below=lambda steps, alpha, t, u: from_below(steps, alpha, t - 1, u) if t else NEVER)


def begins_with_a_step(steps):
    """alpha(0, 0) is the logarithm of 1: we begin there, before any step."""
    return slow_alpha(steps) + steps[0, 0, 0]


def first_row_forgotten(steps):
    """In the first frame labels can be said as well: node (0, u) is reached from (0, u - 1)."""
    return slow_alpha(steps, below=lambda steps, alpha, t, u: from_below(steps, alpha, t, u) if t else NEVER)


def blank_and_label_swapped(steps):
    """Blank and label changed places: blank, number 0, leads to the next frame, the label, number 1, up."""
    return slow_alpha(steps.flip(-1))


def outside_is_certain(steps):
    """From outside of the lattice no way leads in: its log-probability is -1e30, not 0, which means certain."""
    return slow_alpha(
        steps,
        left=lambda steps, alpha, t, u: from_left(steps, alpha, t, u) if t else 0.0,
        below=lambda steps, alpha, t, u: from_below(steps, alpha, t, u) if u else 0.0,
    )


def underflow(steps):
    """The probabilities of long ways are too small for a float: they became 0, and their logarithm minus infinity. Stay with logarithms."""
    frames, nodes, _ = steps.shape
    chance = torch.zeros(frames, nodes)
    for t in range(frames):
        for u in range(nodes):
            left = chance[t - 1, u] * steps[t - 1, u, 0].exp() if t else 0.0
            below = chance[t, u - 1] * steps[t, u - 1, 1].exp() if u else 0.0
            chance[t, u] = left + below if t or u else 1.0
    return chance.log()


def not_logarithms(steps):
    """These are probabilities: alpha holds their logarithms."""
    return slow_alpha(steps).exp()


@exercise(
    reference=slow_alpha,
    wrong=[
        best_way,
        step_of_the_target,
        label_takes_a_frame,
        begins_with_a_step,
        first_row_forgotten,
        blank_and_label_swapped,
        outside_is_certain,
        not_logarithms,
        underflow,
    ],
)
def alpha(candidate, random):
    """alpha(steps float32 [T, U + 1, 2]) -> float32 [T, U + 1].

    Bound: node (t, u) is t + u additions and log-additions away from 0, each rounding by at most 4 u of the largest number met, u = 2**-24.
    """
    labels = int(random.integers(2, 4))
    cases = {
        "a small lattice": drawn_steps(random, int(random.integers(4, 6)), labels),
        "more labels than frames": drawn_steps(random, 2, labels + 2),
        "no label": drawn_steps(random, 4, 0),
        "many improbable frames": drawn_steps(random, 60, 2, size=15),
    }
    for case, steps in cases.items():
        said = f"{case}: steps {list(steps.shape)}"
        got = candidate(steps)
        expect_array(got, steps.shape[:2], torch.float32, said)
        expected = slow_alpha(steps.double())
        far = torch.arange(steps.shape[0])[:, None] + torch.arange(steps.shape[1])
        expect_close(got, expected, UNIT * 8 * (far + 1) * (1 + expected.abs().max()), said)


# ----------------------------------------------------------------------------------------------- step_shares


def slow_beta(steps: Tensor) -> Tensor:
    """Log-probability of going from every node to the end: [T, U + 1, 2] -> [T, U + 1]."""
    frames, nodes, _ = steps.shape
    beta = torch.full((frames, nodes), NEVER, dtype=steps.dtype)
    for t in reversed(range(frames)):
        for u in reversed(range(nodes)):
            right = beta[t + 1, u] if t + 1 < frames else (0.0 if u + 1 == nodes else NEVER)
            up = beta[t, u + 1] + steps[t, u, 1] if u + 1 < nodes else NEVER
            beta[t, u] = log_add(right + steps[t, u, 0], up)
    return beta


def slow_step_shares(steps: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """How probable it is that an alignment takes each step: [T, U + 1, 2]."""
    frames, nodes, _ = steps.shape
    shares = torch.zeros_like(steps)
    for t in range(frames):
        for u in range(nodes):
            right = beta[t + 1, u] if t + 1 < frames else (0.0 if u + 1 == nodes else NEVER)
            shares[t, u, 0] = (alpha[t, u] + steps[t, u, 0] + right - beta[0, 0]).exp()
            if u + 1 < nodes:
                shares[t, u, 1] = (alpha[t, u] + steps[t, u, 1] + beta[t, u + 1] - beta[0, 0]).exp()
    return shares


def ahead_of(beta: Tensor, end: float = 0.0) -> Tensor:
    """beta where each step leads, [T, U + 1, 2]; `end` after the last blank."""
    ahead = torch.full((*beta.shape, 2), NEVER, dtype=beta.dtype)
    ahead[:-1, :, 0] = beta[1:]
    ahead[-1, -1, 0] = end
    ahead[:, :-1, 1] = beta[:, 1:]
    return ahead


def not_divided(steps, alpha, beta):
    """This is the probability of all alignments that take the step: divide by that of all alignments (subtract beta(0, 0))."""
    return (alpha[..., None] + steps + ahead_of(beta)).exp()


def beta_of_the_start(steps, alpha, beta):
    """beta was read at the node that the step leaves: after the step one stands at the next node."""
    return (alpha[..., None] + steps + beta[..., None] - beta[0, 0]).exp()


def step_left_out(steps, alpha, beta):
    """The step itself is missing: come to the node (alpha), take the step, go on from the next one (beta)."""
    shares = (alpha[..., None] + ahead_of(beta) - beta[0, 0]).exp()
    return torch.where(steps > NEVER / 2, shares, 0.0)


def way_out_forgotten(steps, alpha, beta):
    """The last blank, out of node (T - 1, U), is a step that every alignment takes: beta after it is the logarithm of 1."""
    return (alpha[..., None] + steps + ahead_of(beta, end=NEVER) - beta[0, 0]).exp()


def left_as_logarithms(steps, alpha, beta):
    """These are log-probabilities: take exp at the end."""
    return (alpha[..., None] + steps + ahead_of(beta) - beta[0, 0]).clamp(min=NEVER)


def out_of_anywhere(steps, alpha, beta):
    """Blank leads out of the last frame only where everything has been said: from all other nodes there the probability is 0."""
    ahead = ahead_of(beta)
    ahead[-1, :, 0] = 0.0
    return (alpha[..., None] + steps + ahead - beta[0, 0]).exp()


def by_nodes(steps, alpha, beta):
    """Each node's share was divided among its two steps by their own probabilities: it matters, too, how good the way ahead of each is."""
    visited = (alpha + beta - beta[0, 0]).exp()[..., None]
    return visited * steps.softmax(-1)


@exercise(
    reference=slow_step_shares,
    wrong=[not_divided, beta_of_the_start, step_left_out, way_out_forgotten, left_as_logarithms, out_of_anywhere, by_nodes],
)
def step_shares(candidate, random):
    """step_shares(steps [T, U + 1, 2], alpha [T, U + 1], beta [T, U + 1], all float32) -> float32 [T, U + 1, 2].

    Bound: four numbers of at most size s are added, each sum rounds by u s, u = 2**-24, and exp turns that into as much of its result,
    which is at most 1 but for what alpha and beta themselves have been rounded by.
    """
    for case, (frames, labels) in {"a small lattice": (4, 2), "more labels than frames": (2, 4)}.items():
        steps = drawn_steps(random, frames, labels)
        ways = slow_alpha(steps.double()).float(), slow_beta(steps.double()).float()
        said = f"{case}: steps {list(steps.shape)}"
        got = candidate(steps, *ways)
        expect_array(got, steps.shape, torch.float32, said)
        expected = slow_step_shares(steps.double(), *(x.double() for x in ways))
        size = float(ways[0].abs().max() + ways[1].abs().max()) + 4
        expect_close(got, expected, UNIT * 8 * size, said)
