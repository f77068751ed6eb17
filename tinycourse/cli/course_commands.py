"""The verbs around the course: a machine that is ready, notebooks built, handed in and opened."""

import sys
from pathlib import Path

from tinycourse.cli.options import NewFile, Verb, count, gibibytes, seconds
from tinycourse.cli.output import show, table


def doctor(a) -> int:
    """Examine this machine."""
    from tinycourse.cli import doctor

    return doctor.main(json=a.json, repair=a.repair)


def doctor_options(v) -> None:
    """Options of `doctor`."""
    v.add_argument("--repair", action="store_true", help="make torchaudio load where its compiled part does not fit")


DOCTOR = Verb("doctor", "is this machine ready, and what to do if not", doctor, doctor_options)


def build(a) -> int:
    """Build notebooks, compare them with their sources, or show what they cost."""
    from tinycourse.authoring import build, course, pages, report

    if a.table:
        print(table(report.rows(course.repository_root()), report.HEADER))
        return 0
    if a.repository:
        pages.move_to(course.repository_root(), a.repository)
    return build.build(a.names, check=a.check, fast=a.fast, execute=not a.repository)


def build_options(v) -> None:
    """Options of `build`."""
    v.add_argument("names", nargs="*", help="lessons, such as 00 (default: all)")
    v.add_argument("--check", action="store_true", help="change nothing; fail if what is built differs from its source")
    v.add_argument("--fast", action="store_true", help="run notebooks with short trainings")
    v.add_argument("--repository", metavar="OWNER/NAME", help="of a fork on GitHub: set all links to it; runs nothing")
    v.add_argument("--table", action="store_true", help="change nothing; list cells, code, figures and minutes of what is built")


BUILD = Verb("build", "make notebooks, exercises and solutions from lessons/", build, build_options, json=False)


def grade(a) -> None:
    """Grade what a class handed in."""
    from tinycourse.grading import grade as grader
    from tinycourse.grading import report

    limits = grader.Limits(seconds=a.seconds, memory=int(a.memory * 2**30))
    grades = grader.grade(a.submissions, a.csv, a.feedback, a.lessons, a.workers, limits)
    show(report.figures(grades), a.json, report.summary(grades))


def grade_options(v) -> None:
    """Options of `grade`."""
    v.add_argument("submissions", type=Path, help="a folder that has a folder for each learner")
    v.add_argument("--csv", required=True, type=NewFile, metavar="OUT.csv", help="the table; results and feedback are kept beside it")
    v.add_argument("--feedback", type=Path, metavar="DIR", help="where the pages go (default: OUT_feedback)")
    v.add_argument("--lessons", nargs="*", metavar="NN", help="(default: those that anyone handed in)")
    v.add_argument("--workers", type=count, default=2, metavar="N", help="notebooks at a time (default 2)")
    v.add_argument("--seconds", type=seconds, default=20.0, help="computing time of a cell, and of an exercise's tests (default 20)")
    v.add_argument("--memory", type=gibibytes, default=2, metavar="GIB", help="of each process (default 2)")


GRADE = Verb("grade", "a class set of exercise notebooks: points as CSV, a page of feedback for each learner", grade, grade_options)


def serve(a) -> int:
    """Open JupyterLab on the first notebook of the course."""
    import subprocess

    from tinycourse.authoring.course import first_notebook

    return subprocess.call([sys.executable, "-m", "jupyterlab", str(first_notebook()), *a.arguments])


def serve_options(v) -> None:
    """Options of `serve`."""
    v.add_argument("arguments", nargs="*", help="passed on to JupyterLab")


SERVE = Verb("serve", "JupyterLab on the course", serve, serve_options, json=False)
