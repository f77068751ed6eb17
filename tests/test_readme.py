"""The README's figures are those of the shipped checkpoint, and its table of lessons is the course's."""

import re
from pathlib import Path

import pytest

from tinycourse import checkpoint, models, profiling
from tinycourse.authoring.course import LESSONS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NAME = "tinyspeech-m-3x3"


def test_accuracy_and_command():
    info = checkpoint.load(NAME).info
    assert info["command"] in README
    row = next(line for line in README.splitlines() if line.startswith("| float |"))
    assert re.findall(r"[\d.]+(?= %)", row) == [f"{100 * info[split]['accuracy']:.2f}" for split in ("validation", "testing")]


def test_counts():
    classes = len(checkpoint.load(NAME).classes)
    assert f"{profiling.weights(models.build(NAME, classes)):,} weights" in README
    assert f"(`tinyspeech-m`, {profiling.weights(models.build('tinyspeech-m', 12)):,})" in README


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.number)
def test_every_lesson_is_listed(lesson):
    row = next(line for line in README.splitlines() if line.startswith(f"| {lesson.number} |"))
    written = (ROOT / "lessons" / lesson.folder).is_dir()
    assert lesson.title in row and f"| {lesson.minutes} |" in row
    assert (f"notebooks/{lesson.folder}.ipynb" in row) == written == ("in preparation" not in row)


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "data/tinywords/README.md"])
def test_links_inside_the_repository_resolve(document):
    path = ROOT / document
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []
