"""Whatever a submission does to the checks, it is ours that decide: all modules of a lesson's checks are known to the grader."""

import sys
from pathlib import Path

import pytest

from tinycourse import check
from tinycourse.authoring import course
from tinycourse.check.core import Check, exercise
from tinycourse.grading import submissions, worker

ROOT = Path(__file__).parents[2]
each_lesson = pytest.mark.parametrize("lesson", course.LESSONS, ids=lambda lesson: lesson.number)


def modules(lesson) -> list:
    """Those that the checks of a lesson are written in."""
    each = vars(getattr(check, f"lesson{lesson.number}")).values()
    return [sys.modules[one.trial.__module__] for one in each if type(one) is Check]


@each_lesson
def test_a_changed_check_is_graded_anew(lesson):
    files = {Path(module.__file__) for module in modules(lesson)}
    assert files and files <= set(submissions.judges(ROOT, lesson))


@each_lesson
def test_references_that_a_submission_changed_are_put_back(lesson):
    ours = worker.Lesson(lesson.number, "", {})
    for module in modules(lesson):
        module.exercise, module.added = None, 1
    ours.repair()
    assert all(module.exercise is exercise and not hasattr(module, "added") for module in modules(lesson))
