"""The notebooks of the repository: built from their sources, within the rules of the course."""

from pathlib import Path

import pytest

from tinycourse.authoring import build, course

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("lesson", course.written(ROOT), ids=lambda lesson: lesson.number)
def test_built_notebooks_agree_with_their_sources_and_the_rules(lesson):
    assert build.problems(ROOT, [lesson], everything=False) == []


def test_nothing_superfluous_is_built():
    assert [finding for finding in build.problems(ROOT, course.written(ROOT)) if "comes from no lesson" in finding] == []
