"""Checks of lesson 01: frames, and what a stream keeps of them."""

import torch
from torch import Tensor
from torch.nn import functional as F

from tinycourse.check.core import exercise, expect, expect_array, expect_close

# -------------------------------------------------------------------------------------------------- frame


def slow_frame(samples: Tensor, size: int, hop: int) -> Tensor:
    """Frames [count, size] of samples [T], one every `hop`, only whole ones: sample by sample."""
    count = 1 + (len(samples) - size) // hop
    frames = torch.zeros(count, size)
    for i in range(count):
        for j in range(size):
            frames[i, j] = samples[i * hop + j]
    return frames


def last_frame_forgotten(samples, size, hop):
    """One frame is missing: with T = size there is one frame already, so the count is 1 + (T - size) // hop."""
    return samples.unfold(0, size, hop)[:-1]


def one_for_each_hop(samples, size, hop):
    """T // hop counts a frame for every hop, also where the samples end before the frame does: the last ones are not whole."""
    count = len(samples) // hop
    return F.pad(samples, (0, size)).unfold(0, size, hop)[:count]


def side_by_side(samples, size, hop):
    """The frames stand side by side: a new one begins every `hop` samples, before the one before has ended."""
    return samples[: len(samples) // size * size].reshape(-1, size)


def begins_one_late(samples, size, hop):
    """Every frame begins one sample late: frame i begins at sample i * hop, the first one at 0."""
    count = 1 + (len(samples) - size) // hop
    return torch.roll(samples, -1).unfold(0, size, hop)[:count]


def frames_in_columns(samples, size, hop):
    """Frames stand in the columns: each row has to be a frame, so that the result is [count, size]."""
    return samples.unfold(0, size, hop).T


@exercise(
    reference=slow_frame,
    wrong=[last_frame_forgotten, one_for_each_hop, side_by_side, begins_one_late, frames_in_columns],
)
def frame(candidate, random):
    """frame(samples float32 [T], size, hop) -> float32 [1 + (T - size) // hop, size]. Copies are exact: no rounding is allowed."""
    hop = int(random.integers(3, 8))
    size = 2 * hop + int(random.integers(1, hop))
    count = int(random.integers(5, 9))
    exact = size + (count - 1) * hop
    cases = {"a last frame that just fits": exact, "samples left over": exact + hop - 1, "a single frame": size}
    for case, length in cases.items():
        samples = torch.tensor(random.normal(size=length), dtype=torch.float32)
        said = f"{case}: T = {length}, size = {size}, hop = {hop}"
        got = candidate(samples, size, hop)
        expected = slow_frame(samples, size, hop)
        expect_array(got, expected.shape, torch.float32, said)
        expect_close(got, expected, 1e-30, said)


# ------------------------------------------------------------------------------------------------ to_keep


def slow_to_keep(total: int, size: int, hop: int) -> int:
    """How many of `total` samples the next frame still needs: frame by frame."""
    begin = 0  # of the next frame
    while begin + size <= total:
        begin += hop
    return total - begin


def always_the_overlap(total, size, hop):
    """size - hop is what is left right after a frame: since then more samples have come, or no frame is complete yet."""
    return size - hop


def a_whole_frame(total, size, hop):
    """The last `size` samples are more than needed: some of them come before the next frame begins."""
    return min(total, size)


def overlap_dropped(total, size, hop):
    """Only what came after the last frame's end was kept: frames overlap, and the next one begins before that."""
    return (total - size) % hop if total >= size else total


def remainder_of_the_hop(total, size, hop):
    """total % hop forgets that a frame is longer than a hop: the next frame begins before the last complete one ends."""
    return total % hop


def the_last_frame_too(total, size, hop):
    """The frame that is complete was kept as well: the next one begins `hop` samples after it."""
    count = max(0, (total - size) // hop + 1)
    return total - max(0, count - 1) * hop


def one_frame_short(total, size, hop):
    """A frame is complete as soon as its last sample is there: with total = size the first one already is."""
    return total - max(0, (total - 1 - size) // hop + 1) * hop


def frames_before_the_first(total, size, hop):
    """Before the first frame is complete the formula for the count is negative: then all samples are kept, and no more than all."""
    return total - ((total - size) // hop + 1) * hop


def everything(total, size, hop):
    """All samples since the beginning are kept: a device that listens all day has no memory for that."""
    return total


@exercise(
    reference=slow_to_keep,
    wrong=[
        always_the_overlap,
        a_whole_frame,
        overlap_dropped,
        remainder_of_the_hop,
        the_last_frame_too,
        one_frame_short,
        frames_before_the_first,
        everything,
    ],
)
def to_keep(candidate, random):
    """to_keep(total, size, hop) -> int: samples to keep after `total` have come in. Whole numbers: nothing is rounded."""
    hop = int(random.integers(20, 50))
    size = 3 * hop + int(random.integers(2, hop - 2))
    later = size + int(random.integers(4, 9)) * hop
    cases = {
        "in the middle of a hop": later + hop // 2,
        "a frame has just been completed": later,
        "one sample before that": later - 1,
        "one sample after it": later + 1,
        "the first frame has just been completed": size,
        "before the first frame": hop - 1,
        "no sample yet": 0,
    }
    for case, total in cases.items():
        said = f"{case}: total = {total}, size = {size}, hop = {hop}"
        got, expected = candidate(total, size, hop), slow_to_keep(total, size, hop)
        expect(type(got) is int, said, "a whole number (int)", f"{type(got).__name__}")
        expect(got == expected, said, f"{expected}", f"{got}")
