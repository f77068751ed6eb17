"""Checks of lesson 05: greedy search."""

import torch
from torch import Tensor

from tinycourse.check.core import exercise, expect


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
