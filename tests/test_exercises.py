"""The gates of all exercises, and the framework of the checks.

For every exercise of every lesson: the stub earns nothing, the solution passes, every listed wrong answer is rejected and
named, nothing of a solution or a hidden test is left in what learners get, and their notebook runs from top to bottom.
"""

import ast
import doctest
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tinycourse import check
from tinycourse.authoring import course, exercises, outputs, sources
from tinycourse.check.core import FAILED, NOT_ATTEMPTED, PASSED, NoPoints, exercise, expect, expect_array, expect_close

ROOT = Path(__file__).parents[1]
WRITTEN = [lesson for lesson in course.written(ROOT) if (ROOT / "lessons" / lesson.folder / "exercises.py").is_file()]
SEEDS = range(12)


def cells_of(lesson, folder):
    """The cells of one built notebook, fresh from the source."""
    return sources.assemble(sources.Target(ROOT, lesson, folder)).cells


def namespace(cells) -> dict:
    """What the exercises may use: every import of the notebook, without running the rest."""
    trees = [ast.parse(c.source) for c in cells if c.cell_type == "code" and "%pip" not in c.source]
    body = [node for tree in trees for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {}
    exec(compile(ast.Module(body, []), "imports", "exec"), names)
    return names


def graded(cells, grade_id):
    return next(c for c in cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


class Case:
    """One exercise: its check, its names, and the function as it stands in `folder`."""

    def __init__(self, lesson, card):
        self.lesson, self.name, self.points = lesson, card.name, card.points
        self.check = getattr(getattr(check, f"lesson{lesson.number}"), card.name)

    def function(self, folder):
        cells = cells_of(self.lesson, folder)
        names = namespace(cells)
        exec(graded(cells, self.name).source, names)
        return names[self.name]

    def grade(self, function) -> int:
        """Points for `function` as nbgrader gives them: none if the check cell, hidden tests included, raises."""
        cells = cells_of(self.lesson, "solutions")
        cell = graded(cells, f"{self.name}-check")
        try:
            exec(cell.source, namespace(cells) | {self.name: function})
        except Exception:
            return 0
        return cell.metadata["nbgrader"]["points"]

    def __repr__(self):
        return f"{self.lesson.number}-{self.name}"


CASES = [
    Case(lesson, card)
    for lesson in WRITTEN
    for card in exercises.cards(sources.read_cells(ROOT / "lessons" / lesson.folder / "exercises.py"))
]
WRONG = [(case, wrong) for case in CASES for wrong in case.check.wrong_answers]

each_case = pytest.mark.parametrize("case", CASES, ids=repr)
each_lesson = pytest.mark.parametrize("lesson", WRITTEN, ids=lambda lesson: lesson.number)


# ----------------------------------------------------------------------------------------------------- gates


@each_case
def test_stub_is_not_attempted_and_earns_nothing(case):
    stub = case.function("exercises")
    assert case.check.run(stub).status == NOT_ATTEMPTED
    assert case.grade(stub) == 0


@each_case
def test_solution_passes_and_earns_its_points(case):
    solution = case.function("solutions")
    for seed in SEEDS:
        assert case.check.run(solution, seed).passed, case.check.run(solution, seed)
    assert case.grade(solution) == case.points


@each_case
def test_worked_example_in_the_docstring_is_true(case):
    solution = case.function("solutions")
    test = doctest.DocTestParser().get_doctest(solution.__doc__, solution.__globals__, case.name, None, None)
    assert test.examples, "the docstring has no example"
    assert doctest.DocTestRunner().run(test).failed == 0


@each_case
def test_reference_passes(case):
    for seed in SEEDS:
        assert case.check.run(case.check.reference, seed).passed, case.check.run(case.check.reference, seed)


@pytest.mark.parametrize("case, wrong", WRONG, ids=[f"{case}-{wrong.name}" for case, wrong in WRONG])
def test_wrong_answer_is_rejected_and_named(case, wrong):
    for seed in SEEDS:
        outcome = case.check.run(wrong.function, seed)
        assert outcome.status == FAILED
        assert dict(outcome.lines)["cause"] == wrong.misconception
    assert case.grade(wrong.function) == 0


@each_case
def test_check_has_at_least_three_wrong_answers_with_a_misconception_each(case):
    misconceptions = [wrong.misconception for wrong in case.check.wrong_answers]
    assert len(set(misconceptions)) == len(misconceptions) >= 3


def test_every_check_has_its_exercise():
    checks = {
        (lesson.number, name)
        for lesson in WRITTEN
        for name, value in vars(getattr(check, f"lesson{lesson.number}")).items()
        if type(value) is type(CASES[0].check)
    }
    assert checks == {(case.lesson.number, case.name) for case in CASES}


def secret_lines(text) -> set[str]:
    """The lines that a learner must not read, without the empty and the trivial ones."""
    found, inside = set(), None
    for line in map(str.strip, text.split("\n")):
        if line in (exercises.SOLUTION[0], exercises.HIDDEN[0]):
            inside = line
        elif line in (exercises.SOLUTION[1], exercises.HIDDEN[1]):
            inside = None
        elif inside and len(line) > 8:
            found.add(line)
    return found


@each_lesson
def test_nothing_leaks_into_the_exercises(lesson):
    source = (ROOT / "lessons" / lesson.folder / "exercises.py").read_text(encoding="utf-8")
    secrets = secret_lines("\n".join(c.source for c in cells_of(lesson, "solutions")))
    assert secrets, source[:100]
    learner = "\n".join(c.source for c in cells_of(lesson, "exercises"))
    built = (ROOT / "exercises" / f"{lesson.folder}.ipynb").read_text(encoding="utf-8")
    for secret in secrets:
        assert secret not in learner
        assert secret.replace('"', '\\"') not in built


@each_lesson
def test_exercise_notebook_runs_with_nothing_attempted(lesson, tmp_path):
    notebook = sources.assemble(sources.Target(ROOT, lesson, "exercises"))
    outputs.execute(notebook, tmp_path, fast=True)
    for case in (case for case in CASES if case.lesson == lesson):
        shown = graded(notebook.cells, f"{case.name}-check").outputs
        assert [output.data["text/plain"].split("\n")[0] for output in shown] == [f"\u2026 {case.name}: {NOT_ATTEMPTED}"]


@each_lesson
def test_built_solutions_show_that_every_check_passed(lesson):
    notebook = sources.nbformat.read(ROOT / "solutions" / f"{lesson.folder}.ipynb", as_version=4)
    for case in (case for case in CASES if case.lesson == lesson):
        (output,) = graded(notebook.cells, f"{case.name}-check").outputs
        assert PASSED in output.data["text/plain"]


@each_lesson
def test_nbgrader_reads_what_is_built_and_makes_the_same_exercises_of_the_solutions(lesson):
    pytest.importorskip("nbgrader")
    from nbgrader.nbgraderformat import MetadataValidator
    from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions

    built = {folder: sources.assemble(sources.Target(ROOT, lesson, folder)) for folder in ("exercises", "solutions")}
    for notebook in built.values():
        MetadataValidator().validate_nb(notebook)
    released = built["solutions"]
    for step in (ClearSolutions(), ClearHiddenTests()):
        released, _ = step.preprocess(released, {})
    code = [[(c.id, c.source.rstrip()) for c in nb.cells if c.cell_type == "code"] for nb in (released, built["exercises"])]
    assert code[0] == code[1]


# ------------------------------------------------------------------------------------------------- framework


def slow_double(x):
    return torch.tensor([2 * value for value in x.tolist()])


def squares(x):
    """This is x times x, not two times x."""
    return x * x


@exercise(reference=slow_double, wrong=[squares])
def double(candidate, random):
    x = torch.tensor(random.normal(size=5), dtype=torch.float32)
    got = candidate(x)
    expect_array(got, (5,), torch.float32, "five numbers")
    expect_close(got, slow_double(x), 1e-6, "five numbers")
    expect(bool((got.sign() == x.sign()).all()), "five numbers", "the signs of x", "other signs")


def in_place(x):
    x *= 2
    return x


def stopped_by_torch(x):
    raise NotImplementedError('"double" not implemented for this type')


FAULTY = {
    "changes its argument": (in_place, "work on a copy"),
    "returns nothing": (lambda x: None, "is there a `return`"),
    "another type": (lambda x: (2 * x).tolist(), "another type"),
    "another dtype": (lambda x: 2 * x.double(), "another type"),
    "another shape": (lambda x: 2 * x[:, None], "another shape"),
    "NaN": (lambda x: 2 * x + torch.nan, "nan"),
    "infinity": (lambda x: 2 * x + torch.inf, "inf"),
    "raises": (lambda x: 2 * x / missing, "NameError"),  # noqa: F821
    "leaves": (lambda x: sys.exit(0), "SystemExit"),
    "not implemented by torch": (stopped_by_torch, "not implemented for this type"),
    "too few arguments": (lambda: 1, "TypeError"),
    "no function": (3, "Give the function itself"),
}


@pytest.mark.parametrize("function, cause", FAULTY.values(), ids=FAULTY)
def test_faulty_function_fails_with_its_cause(function, cause):
    outcome = double.run(function)
    assert outcome.status == FAILED
    assert cause in repr(outcome)
    with pytest.raises(NoPoints):
        double.grade(function)


def test_a_right_function_passes_whatever_it_prints_and_warns(capfd):
    def noisy(x):
        print("passed!")
        print("on standard error", file=sys.stderr)
        np.float64(1) / np.float64(0)
        return 2 * x

    outcome = double.run(noisy)
    assert outcome.passed
    assert "passed!\non standard error" in dict(outcome.lines)["printed"]
    assert "\n            on standard error" in repr(outcome)
    assert capfd.readouterr() == ("", "")


def test_long_printing_is_shortened():
    def chatty(x):
        print("\n".join(["word"] * 1_000))
        return 2 * x

    assert repr(double.run(chatty)).count("word") == 8


def test_seed_draws_the_same_inputs_and_no_seed_draws_new_ones():
    seen = []

    def watch(x):
        seen.append(x.tolist())
        return 2 * x

    torch.manual_seed(0)
    for seed in (7, 7, None, None):
        double.run(watch, seed)
    assert seen[0] == seen[1]
    assert seen[2] != seen[3]


def test_failure_says_how_to_draw_the_same_inputs_again():
    again = dict(double.run(squares, 41).lines)["again"]
    assert "double(double, seed=41)" in again


def test_check_leaves_the_global_generators_alone():
    torch.manual_seed(5)
    np.random.seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    double.run(lambda x: 2 * x)
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()


def test_near_miss_is_not_explained_by_a_wrong_answer():
    outcome = double.run(lambda x: 2 * x * (1 + 1e-5))
    assert outcome.status == FAILED
    assert "cause" not in dict(outcome.lines)


def test_learner_sees_the_outcome_and_the_notebook_runs_on(capsys, monkeypatch):
    monkeypatch.delenv("TINYCOURSE_GRADING", raising=False)
    double(squares)
    assert "not yet right" in capsys.readouterr().out
    monkeypatch.setenv("TINYCOURSE_GRADING", "1")
    with pytest.raises(NoPoints, match="x times x"):
        double(squares)
    double(lambda x: 2 * x)


def test_outcome_is_escaped_in_html_and_says_its_status_in_words():
    text = double.run(lambda x: "<script>")._repr_html_() + double.run(lambda x: int("<b>"))._repr_html_()
    assert "<script>" not in text and "&lt;b&gt;" in text
    assert text.count(FAILED) == 2


def test_catch_up_lends_the_reference_only_where_needed(capsys):
    def right(x):
        return 2 * x

    assert double.catch_up(right) is right
    assert capsys.readouterr().out == ""
    assert double.catch_up(squares) is slow_double
    assert "slow reference" in capsys.readouterr().out


def test_lent_reference_earns_nothing(capsys):
    double(slow_double)
    assert NOT_ATTEMPTED in capsys.readouterr().out
    with pytest.raises(NoPoints):
        double.grade(slow_double)


def test_error_is_shown_with_the_line_that_raised_it():
    assert 'raise NotImplementedError(\'"double"' in repr(double.run(stopped_by_torch))


def test_unknown_lesson_has_no_checks():
    with pytest.raises(AttributeError):
        check.lesson  # noqa: B018
