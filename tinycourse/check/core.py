"""How a check is written, and what it does with a learner's function.

A check is a *trial*: a function that gets the candidate and a random generator, calls the candidate and compares.

    @exercise(reference=slow_double, wrong=[squares, adds_two])
    def double(candidate, random):
        x = random.normal(size=5)
        expect_close(candidate(x), slow_double(x), bound=1e-12, case="five numbers")

`double` is then a `Check`: `double(f)` shows the outcome, `double.run(f)` returns it, `double.grade(f)` raises unless f
passes, `double.catch_up(f)` gives f or, if f fails, the reference. A wrong answer is a function whose docstring says
which misconception it stands for: when a learner's function answers every call as a wrong answer does, that sentence is
the likely cause. Every trial must pass its reference and reject its wrong answers for every seed.
"""

import contextlib
import copy
import html
import io
import os
import secrets
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from IPython.display import display

GRADING = "TINYCOURSE_GRADING"  # set to 1 by a grader: then a check that does not pass raises
GRADING_TRIALS = 5  # a grade is decided on this many fresh seeds
PRINTED_LINES = 8  # of what the candidate printed, this many are shown
UNIT, UNIT64 = 2.0**-24, 2.0**-53  # float32, and float64, rounds to within this share of a number: bounds are made of it

PASSED, FAILED, NOT_ATTEMPTED = "passed", "not yet right", "not attempted yet"
LOOK = {PASSED: ("\u2713", "#009E73"), FAILED: ("\u2717", "#D55E00"), NOT_ATTEMPTED: ("\u2026", "#56B4E9")}  # never colour alone


class CheckFailed(AssertionError):
    """The candidate is wrong: where (`case`), what was `expected`, what it gave (`got`), and the likely `cause`."""

    def __init__(self, case: str = "", expected: str = "", got: str = "", cause: str = ""):
        super().__init__("; ".join(f"{k} {v}" for k, v in (("case", case), ("expected", expected), ("got", got)) if v) or cause)
        self.case, self.expected, self.got, self.cause = case, expected, got, cause


class NotAttempted(Exception):
    """The stub is still there."""


class NoPoints(AssertionError):
    """What a grader sees: the outcome as text. IPython shows it without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


@dataclass(frozen=True)
class WrongAnswer:
    """A function that the check must reject, and the misconception behind it (its docstring)."""

    name: str
    function: Callable
    misconception: str


@dataclass(frozen=True)
class Outcome:
    """What a check found, ready to be shown: `lines` are (label, text)."""

    name: str
    status: str
    lines: tuple[tuple[str, str], ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the candidate is right."""
        return self.status == PASSED

    def __repr__(self) -> str:
        head = f"{LOOK[self.status][0]} {self.name}: {self.status}"
        indented = ((label, text.replace("\n", "\n" + " " * 12)) for label, text in self.lines)
        return "\n".join([head, *(f"  {label:<9} {text}".rstrip() for label, text in indented)])

    def _repr_html_(self) -> str:
        sign, colour = LOOK[self.status]
        rows = "".join(
            f"<tr><td style='text-align:left;vertical-align:top'><b>{html.escape(label)}</b></td>"
            f"<td style='text-align:left'><code style='white-space:pre-wrap'>{html.escape(text)}</code></td></tr>"
            for label, text in self.lines
        )
        table = f"<table>{rows}</table>" if rows else ""
        return (
            f"<div role='status' style='border-left:5px solid {colour};padding:0.3em 0.8em'>"
            f"<b>{sign} {html.escape(self.name)}: {self.status}</b>{table}</div>"
        )


# ------------------------------------------------------------------------------------------- expectations


def expect_array(got, shape: Sequence[int], dtype, case: str) -> None:
    """`got` must be a torch tensor (a numpy array if `dtype` is numpy's) of this shape and type, without stray dimensions."""
    kind, word = (torch.Tensor, "a torch tensor") if isinstance(dtype, torch.dtype) else (np.ndarray, "a numpy array")
    expected = f"{word}, {dtype}, of shape {list(shape)}"
    if got is None:
        raise CheckFailed(case, expected, "None", "Nothing was returned: is there a `return` at the end?")
    if type(got) is not kind:
        raise CheckFailed(case, expected, f"{type(got).__name__}", "The result has another type than asked for.")
    if tuple(got.shape) != tuple(shape):
        raise CheckFailed(case, expected, f"shape {list(got.shape)}", "The result has another shape than asked for.")
    if got.dtype != dtype:
        raise CheckFailed(case, expected, f"{got.dtype}", "The numbers have another type than asked for.")


def expect_close(got, expected, bound, case: str, cause: str = "") -> None:
    """|got - expected| <= bound, element by element; `bound` is what theory allows, a number or an array.

    Reports the element that misses by most bounds; NaN misses always.
    """
    got, expected, bound = (np.asarray(a, np.float64) for a in (got, expected, bound))
    with np.errstate(invalid="ignore"):
        excess = np.abs(got - expected) / bound
    excess = np.where(np.isfinite(got), excess, np.inf)
    if excess.size and excess.max() > 1:
        worst = np.unravel_index(excess.argmax(), excess.shape)
        place = f" at {[int(i) for i in worst]}" if worst else ""
        raise CheckFailed(case, f"{expected[worst]:.6g}{place}", f"{got[worst]:.6g}", cause)


def expect(condition: bool, case: str, expected: str, got: str, cause: str = "") -> None:
    """Any other property, in words."""
    if not condition:
        raise CheckFailed(case, expected, got, cause)


# ----------------------------------------------------------------------------------------------- the check


@dataclass
class Candidate:
    """A learner's function made safe to call: it gets copies, its exceptions and its printing are caught."""

    function: Callable
    calls: list[tuple[tuple, object]] = field(default_factory=list)  # (arguments, result)
    printed: io.StringIO = field(default_factory=io.StringIO)

    def __call__(self, *arguments):
        """What the function returns, copied. Raises NotAttempted for the stub, CheckFailed if it raises or changes an argument."""
        given = copy.deepcopy(arguments)
        try:
            with contextlib.redirect_stdout(self.printed), contextlib.redirect_stderr(self.printed), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                got = self.function(*given)
        except NotImplementedError as error:
            if not error.args:  # the stub's own; torch raises this type too, but always says why
                raise NotAttempted from None
            raise self.stopped(arguments, error) from None
        except (Exception, SystemExit) as error:
            raise self.stopped(arguments, error) from None
        got = got.detach().clone() if isinstance(got, torch.Tensor) else copy.deepcopy(got)
        self.calls.append((arguments, got))
        if not all(same(a, b) for a, b in zip(given, arguments, strict=True)):
            raise CheckFailed(
                describe(arguments),
                expected="arguments left as they were",
                got="an argument was changed",
                cause="The function writes into its argument (an operation such as `x -= 1` or `x.clamp_()`): work on a copy.",
            )
        return got

    def stopped(self, arguments: tuple, error: BaseException) -> CheckFailed:
        """The candidate raised `error`: say on which arguments and in which of its lines."""
        file = getattr(getattr(self.function, "__code__", None), "co_filename", None)
        lines = [f.line for f in traceback.extract_tb(error.__traceback__) if f.filename == file and f.line]
        where = f"\nin the line  {lines[-1]}" if lines else ""
        got = f"{type(error).__name__}: {error}{where}"
        return CheckFailed(describe(arguments), "a result", got, "The function stopped with an error.")


def describe(arguments: tuple) -> str:
    """Arguments in short: arrays by type and shape."""
    words = [f"{a.dtype} {list(a.shape)}" if hasattr(a, "dtype") else f"{a!r:.40}" for a in arguments]
    return f"called with ({', '.join(words)})"


def same(a, b) -> bool:
    """Same type, shape and numbers (floats within 0.01 %, NaN equals NaN)."""
    if type(a) is not type(b) or getattr(a, "dtype", None) != getattr(b, "dtype", None):
        return False
    if isinstance(a, torch.Tensor):
        a, b = a.detach().numpy(), b.detach().numpy()
    if isinstance(a, np.ndarray | float | int):
        return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-4, atol=1e-12, equal_nan=True)
    return a == b


class Check:
    """One exercise's check; see the module's description. `reference` and `wrong_answers` are open to read."""

    def __init__(self, trial: Callable, reference: Callable, wrong: Sequence[Callable]):
        self.trial, self.reference = trial, reference
        self.name, self.__doc__ = trial.__name__, trial.__doc__
        self.lesson = trial.__module__.removeprefix(f"{__package__}.").partition(".")[0]
        self.wrong_answers = [WrongAnswer(f.__name__, f, " ".join(f.__doc__.split())) for f in wrong]

    def __repr__(self) -> str:
        return f"check.{self.lesson}.{self.name}"

    def run(self, function: Callable, seed: int | None = None) -> Outcome:
        """Try `function` on inputs drawn from `seed` (a fresh one if None). Raises nothing that `function` raises."""
        seed = secrets.randbelow(2**32) if seed is None else seed
        candidate = Candidate(function)
        try:
            if not callable(function):
                cause = "Give the function itself, without ()."
                raise CheckFailed(expected="a function", got=type(function).__name__, cause=cause)
            self.trial(candidate, np.random.default_rng(seed))
        except NotAttempted:
            return Outcome(self.name, NOT_ATTEMPTED, (("next", "write the function above and run both cells again"),))
        except CheckFailed as failure:
            cause = self.likely_cause(candidate.calls) or failure.cause
            labels = ("case", failure.case), ("expected", failure.expected), ("got", failure.got), ("cause", cause)
            again = ("again", f"{self!r}({self.name}, seed={seed}) draws the same inputs")
            return Outcome(self.name, FAILED, (*((k, v) for k, v in labels if v), *printed(candidate), again))
        count = ("checked", f"{len(candidate.calls)} calls on inputs drawn anew")
        return Outcome(self.name, PASSED, (count, *printed(candidate)))

    def likely_cause(self, calls: list[tuple[tuple, object]]) -> str:
        """The misconception of the wrong answer that gives the same result on every call so far, or ''."""
        if not calls or same(Candidate(self.reference)(*calls[-1][0]), calls[-1][1]):
            return ""  # nothing was returned, or what was returned is nearly right
        for wrong in self.wrong_answers:
            again = Candidate(wrong.function)
            with contextlib.suppress(CheckFailed):
                if all(same(again(*arguments), got) for arguments, got in calls):
                    return wrong.misconception
        return ""

    def __call__(self, function: Callable, seed: int | None = None) -> None:
        """Show the outcome. Raises NoPoints only for a grader (TINYCOURSE_GRADING=1), so that a learner's notebook runs on."""
        outcome = self.run(function, seed) if function is not self.reference else self.lent()
        if os.environ.get(GRADING) == "1" and not outcome.passed:
            raise NoPoints(repr(outcome))
        display(outcome)

    def grade(self, function: Callable) -> None:
        """For hidden tests: raises NoPoints unless `function` passes on several fresh seeds and is the learner's own."""
        for _ in range(GRADING_TRIALS):
            outcome = self.run(function) if function is not self.reference else self.lent()
            if not outcome.passed:
                raise NoPoints(repr(outcome))

    def catch_up(self, function: Callable) -> Callable:
        """`function` if it passes, else the reference, with a notice: so the next exercise need not wait for this one."""
        if function is self.reference or self.run(function).passed:
            return function
        notice = f"from here on `{self.name}` is the course's slow reference; run your own cell and this one again to use yours"
        display(Outcome(self.name, NOT_ATTEMPTED, (("catch up", notice),)))
        return self.reference

    def lent(self) -> Outcome:
        """The outcome of checking the reference that `catch_up` put in place."""
        text = "this is the reference that the catch-up line put in place; run the cell with your own function again"
        return Outcome(self.name, NOT_ATTEMPTED, (("next", text),))


def printed(candidate: Candidate) -> tuple[tuple[str, str], ...]:
    """What the candidate printed, shortened, as one line of an outcome."""
    lines = candidate.printed.getvalue().splitlines()
    shown = [*lines[:PRINTED_LINES], *(["..."] if len(lines) > PRINTED_LINES else [])]
    return (("printed", "\n".join(shown)),) if lines else ()


def exercise(*, reference: Callable, wrong: Sequence[Callable]) -> Callable[[Callable], Check]:
    """Make a trial, a function (candidate, numpy random generator) -> None, into a `Check`."""
    return lambda trial: Check(trial, reference, wrong)
