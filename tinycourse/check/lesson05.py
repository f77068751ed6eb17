"""Checks of lesson 05: the steps of a transducer's lattice, its alignments, alpha, how often steps are taken, and greedy search."""

import math

import torch
from torch import Tensor

from tinycourse.check.core import UNIT, exercise, expect, expect_array, expect_close
from tinycourse.transducer.loss import NEVER, alignments, log_add


def drawn_steps(random, frames: int, labels: int, size: float = 1.0) -> Tensor:
    """Log-probabilities of steps [T, U + 1, 2], between -2 and -0.2 times `size`; from the last row no label leads on."""
    steps = torch.tensor(random.uniform(-2, -0.2, (frames, labels + 1, 2)) * size, dtype=torch.float32)
    steps[:, -1, 1] = NEVER
    return steps


# --------------------------------------------------------------------------------------------- transitions


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


# -------------------------------------------------------------------------------------------------- greedy


def slow_greedy(scores: Tensor, blank: int, most: int) -> list[int]:
    """The labels that greedy search says: scores [T, V, V] by frame, label before (blank at the start) and symbol."""
    said: list[int] = []
    for frame in scores:
        for _ in range(most):
            best = int(frame[said[-1] if said else blank].argmax())
            if best == blank:
                break
            said.append(best)
    return said


def one_label_a_frame(scores, blank, most):
    """After a label we went on to the next frame: only a blank leads there. Ask the same frame again."""
    return slow_greedy(scores, blank, 1)


def never_says_blank(scores, blank, most):
    """Blank was written into the result: it is a step, not a label."""
    said = [blank]
    for frame in scores:
        for _ in range(most):
            best = int(frame[next((x for x in reversed(said) if x != blank), blank)].argmax())
            said.append(best)
            if best == blank:
                break
    return said[1:]


def no_memory(scores, blank, most):
    """The row of `blank` was read all the time: after a label the scores come from the row of that label."""
    return slow_greedy(scores[:, blank, None].expand_as(scores), blank, most)


def memory_ends_with_the_frame(scores, blank, most):
    """In each new frame the search began again from the row of `blank`: a blank does not change what was said last."""
    said: list[int] = []
    for frame in scores:
        last = blank
        for _ in range(most):
            last = int(frame[last].argmax())
            if last == blank:
                break
            said.append(last)
    return said


def repeats_merged(scores, blank, most):
    """Equal labels in a row were merged: CTC does that. Here a label is said each time that it is chosen: "three three" are two."""
    said = slow_greedy(scores, blank, most)
    return [x for x, y in zip(said, [None, *said]) if x != y]


def limit_for_all(scores, blank, most):
    """`most` limits the labels of each frame, not of all frames together."""
    return slow_greedy(scores, blank, most)[:most]


def limit_left_out(scores, blank, most):
    """A frame said more than `most` labels: count them, and go on to the next frame when there are enough."""
    return slow_greedy(scores, blank, 40)


def one_too_few(scores, blank, most):
    """The frame was left one label too early: `most` labels are allowed."""
    return slow_greedy(scores, blank, most - 1)


@exercise(
    reference=slow_greedy,
    wrong=[
        one_label_a_frame,
        never_says_blank,
        no_memory,
        memory_ends_with_the_frame,
        repeats_merged,
        limit_for_all,
        limit_left_out,
        one_too_few,
    ],
)
def greedy(candidate, random):
    """greedy(scores float32 [T, V, V], blank, most) -> list of int. A search: nothing is rounded."""
    symbols = int(random.integers(5, 8))
    blank = int(random.integers(symbols))
    a, b, c = (int(x) for x in random.permutation([v for v in range(symbols) if v != blank])[:3])
    most = int(random.integers(3, 5))
    cases = {  # which symbol wins: {(frame, label before): symbol}, blank elsewhere
        "nothing to say": {},
        "one label after the other": {(0, blank): a, (2, a): b, (4, b): c, (5, blank): c},
        "two labels in one frame": {(1, blank): a, (1, a): b, (3, b): c, (4, blank): a},
        "a frame that would never end": {(2, blank): c, (2, c): c, (4, c): a, (4, a): b, (5, c): a},
    }
    for case, wins in cases.items():
        scores = torch.tensor(random.uniform(0, 1, (6, symbols, symbols)), dtype=torch.float32)
        scores[..., blank] += 1
        for (t, last), symbol in wins.items():
            scores[t, last, symbol] += 3
        if case.startswith("a frame"):
            scores[2, c, c] += 9
        got, expected = candidate(scores, blank, most), slow_greedy(scores, blank, most)
        said = f"{case}: scores {list(scores.shape)}, blank {blank}, most {most}"
        whole = isinstance(got, list) and all(type(x) is int for x in got)
        expect(whole, said, "a list of whole numbers (int)", f"{got!r:.60}", "Call int() on what argmax gives.")
        expect(got == expected, said, f"{expected}", f"{got}")
