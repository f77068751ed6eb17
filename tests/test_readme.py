"""The README's figures are those of the shipped checkpoint, and its table of lessons is the course's."""

from pathlib import Path

import pytest
import torch

from tinycourse.authoring.course import LESSONS
from tinycourse.training import checkpoint, profiling

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(checkpoint.shipped()))
def test_the_table_says_what_the_checkpoints_say(name):
    recogniser = checkpoint.load(name)
    row = next(line for line in README.splitlines() if line.startswith(f"| `{name}` |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    frontend = recogniser.frontend.config
    cost = profiling.profile(recogniser.network, torch.zeros(1, 1, frontend.frames(frontend.rate), frontend.bands))
    assert cells[1:3] == [f"{cost.parameters:,}", f"{cost.multiply_adds:,}"]
    assert [cells[3], cells[5]] == [f"{recogniser.info[split]['accuracy']:.2%}" for split in ("validation", "testing")]


@pytest.mark.parametrize("name", sorted(checkpoint.shipped("transducers")))
def test_so_does_the_table_of_those_that_write(name):
    recogniser = checkpoint.load(name)
    row = next(line for line in README.splitlines() if line.startswith(f"| `{name}` |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1] == f"{sum(p.numel() for p in recogniser.network.parameters()):,}"
    assert cells[-2:] == [f"{recogniser.info[split]['word_error_rate']:.2%}" for split in ("validation", "testing")]


def test_the_command_behind_the_example():
    assert checkpoint.load("tinyspeech-m").info["command"] in README


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.number)
def test_every_lesson_is_listed(lesson):
    row = next(line for line in README.splitlines() if line.startswith(f"| {lesson.number} |"))
    written = (ROOT / "lessons" / lesson.folder).is_dir()
    assert lesson.title in row and f"| {lesson.minutes} |" in row
    assert (f"notebooks/{lesson.folder}.ipynb" in row) == written == ("in preparation" not in row)
