"""nbgrader's own commands on what we build: from our solutions to an assignment, to grades, to feedback. An optional extra."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tinycourse.authoring import course, sources

pytest.importorskip("nbgrader", reason="nbgrader is not installed: `make nbgrader` installs it and runs these tests")
from nbgrader.api import Gradebook  # noqa: E402

ROOT = Path(__file__).parents[1]
LESSON = course.find("00")
ANSWERS = {"right": ("softmax", "to_int8"), "half": ("to_int8",), "empty": ()}  # learner: what is solved
CONFIG = """c = get_config()
c.CourseDirectory.root = {root!r}
c.CourseDirectory.course_id = "tinycourse"
c.ExecutePreprocessor.timeout = 900
"""


def graded_cells(notebook) -> dict:
    return {c.metadata.nbgrader.grade_id: c for c in notebook.cells if "nbgrader" in c.metadata}


@pytest.fixture(scope="module")
def classroom(tmp_path_factory) -> Path:
    """A course folder after generate_assignment, autograde and generate_feedback."""
    root = tmp_path_factory.mktemp("nbgrader")
    (root / "nbgrader_config.py").write_text(CONFIG.format(root=str(root)))
    more = {"PYTHONPATH": str(ROOT), "PATH": os.path.dirname(sys.executable)}  # nbgrader calls alembic by its name
    found = {name: os.pathsep.join(filter(None, (folder, os.environ.get(name)))) for name, folder in more.items()}
    environment = os.environ | found | {"TINYCOURSE_FAST": "1"}

    def nbgrader(*words: str) -> None:
        done = subprocess.run([sys.executable, "-m", "nbgrader", *words], cwd=root, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]

    name = f"{LESSON.folder}.ipynb"
    (root / "source" / LESSON.number).mkdir(parents=True)
    shutil.copy(ROOT / "solutions" / name, root / "source" / LESSON.number)
    nbgrader("generate_assignment", LESSON.number, "--create")
    solved = graded_cells(sources.nbformat.read(ROOT / "solutions" / name, as_version=4))
    for learner, answers in ANSWERS.items():
        handed_in = sources.nbformat.read(root / "release" / LESSON.number / name, as_version=4)
        for answer in answers:
            graded_cells(handed_in)[answer].source = solved[answer].source
        folder = root / "submitted" / learner / LESSON.number
        folder.mkdir(parents=True)
        sources.nbformat.write(handed_in, folder / name)
    nbgrader("autograde", LESSON.number, "--create")
    nbgrader("generate_feedback", LESSON.number)
    return root


def test_generate_assignment_releases_what_learners_get_from_us(classroom):
    released = sources.nbformat.read(classroom / "release" / LESSON.number / f"{LESSON.folder}.ipynb", as_version=4)
    ours = sources.nbformat.read(ROOT / "exercises" / f"{LESSON.folder}.ipynb", as_version=4)
    code = [[c.source.rstrip() for c in nb.cells if c.cell_type == "code"] for nb in (released, ours)]
    assert code[0] == code[1]


@pytest.mark.parametrize("learner", ANSWERS)
def test_autograde_gives_the_points_of_what_is_solved(classroom, learner):
    checks = graded_cells(sources.assemble(sources.Target(ROOT, LESSON, "solutions")))
    with Gradebook(f"sqlite:///{classroom / 'gradebook.db'}") as book:
        submission = book.find_submission(LESSON.number, learner)
        assert submission.score == sum(checks[f"{name}-check"].metadata.nbgrader.points for name in ANSWERS[learner])
        assert submission.max_score == sum(cell.metadata.nbgrader.get("points", 0) for cell in checks.values())


@pytest.mark.parametrize("learner", ANSWERS)
def test_feedback_is_a_page_with_the_outcome_of_our_checks(classroom, learner):
    page = (classroom / "feedback" / learner / LESSON.number / f"{LESSON.folder}.html").read_text(encoding="utf-8")
    assert ("not attempted yet" in page) == (learner != "right")
