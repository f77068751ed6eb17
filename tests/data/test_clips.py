"""Clips of words: parts of them, other labels, and drawing some."""

import pytest
import torch

from tinycourse import data
from tinycourse.errors import TinycourseError


def some_clips() -> data.Clips:
    audio = torch.arange(4, dtype=torch.int16)[:, None].repeat(1, data.RATE)
    return data.Clips(audio, torch.tensor([0, 1, 2, 1]), ("silence", "on", "go"), ["a", "b", "c", "d"])


def test_subset_and_waveforms():
    part = some_clips().subset([3, 0])
    assert part.paths == ["d", "a"] and part.labels.tolist() == [1, 0] and part.audio[:, 0].tolist() == [3, 0]
    assert part.waveforms().dtype == torch.float32 and part.waveforms()[0, 0] == 3 / 32768


def test_restrict_relabels_and_counts_what_it_leaves_out():
    kept, left_out = some_clips().restrict(("go", "stop", "silence"))
    assert kept.classes == ("go", "stop", "silence") and left_out == {"on": 2}
    assert kept.paths == ["a", "c"] and kept.labels.tolist() == [2, 0]
    with pytest.raises(TinycourseError, match="knows none of"):
        some_clips().restrict(("yes", "no"))


def test_draw_does_not_depend_on_order_or_on_what_else_there_is():
    items = [f"clip {i}" for i in range(100)]
    drawn = data.draw(items, 10, "seed")
    assert data.draw(items[::-1], 10, "seed") == drawn != data.draw(items, 10, "other seed")
    assert data.draw(items, 20, "seed")[:10] == drawn and data.draw(drawn, 99, "seed") == drawn
