"""A rehearsed class is graded as it has to be, hostile submissions harm nobody, and a second run takes what the first one found."""

import csv
import json
import os
import socket
from pathlib import Path

import pytest

from tests import rehearsal
from tinycourse import cli
from tinycourse.authoring import course
from tinycourse.errors import TinycourseError
from tinycourse.grading import submissions

if os.name == "nt":
    pytest.skip("grading needs Linux or macOS", allow_module_level=True)

from tinycourse.grading import grade  # noqa: E402

ROOT = Path(__file__).parents[2]
LIMITS = grade.Limits(seconds=4.0, memory=1 << 30)
AS_WORDS = ["--seconds", "4", "--memory", "1"]
# benchmarks/grading.py, run by hand, has the rest of rehearsal.HOSTILE, and every listed wrong answer of every lesson.
SAMPLE = {"endless-loop", "memory-bomb", "sys-exit", "os-exit", "crash", "network", "writer", "reader", "killer", "cheat"}
SAMPLE |= {"fork-bomb"} if os.getuid() else set()  # of root the kernel does not limit the number: it takes seconds to stop


@pytest.fixture(scope="module")
def assignments() -> dict[str, submissions.Assignment]:
    lessons = [lesson for lesson in course.written(ROOT) if (ROOT / "lessons" / lesson.folder / "exercises.py").is_file()]
    return {lesson.number: submissions.assignment(ROOT, lesson) for lesson in lessons}


@pytest.fixture(scope="module")
def protection() -> dict:
    return grade.available()


@pytest.fixture(scope="module")
def outside(tmp_path_factory) -> Path:
    """A folder that no submission may touch."""
    folder = tmp_path_factory.mktemp("outside")
    (folder / "secret").write_text("the answers")
    return folder


@pytest.fixture(scope="module")
def listener():
    """Somebody who waits for a submission to call."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.fixture(scope="module")
def everyone(assignments, protection, outside, listener) -> list[rehearsal.Rehearsed]:
    ordinary = [rehearsal.ordinary(ROOT, a, kind) for a in assignments.values() for kind in ("right", "empty", "wrong")]
    first = assignments["00"]
    hostile = rehearsal.hostile(ROOT, first, outside, listener.getsockname()[1], protection["landlock"])
    return ordinary + rehearsal.damaged(ROOT, first) + [one for one in hostile if one.learner in SAMPLE]


@pytest.fixture(scope="module")
def place(everyone, tmp_path_factory) -> Path:
    """A folder with the class in `class` and, after grading it, the rest."""
    folder = tmp_path_factory.mktemp("grading")
    rehearsal.hand_in(everyone, folder / "class")
    return folder


@pytest.fixture(scope="module")
def graded(place) -> grade.Grades:
    return grade.grade(place / "class", place / "table.csv", limits=LIMITS, root=ROOT)


def row(graded, learner, exercise):
    return next(r for r in graded.rows if (r.learner, r.exercise) == (learner, exercise))


# ---------------------------------------------------------------------------------------------- the rehearsal


def test_everyone_gets_the_points_that_they_have_to_get(graded, everyone, assignments):
    found = {(r.learner, r.lesson, r.exercise): (r.points, r.status) for r in graded.rows}
    wrong = []
    for one in everyone:
        lesson = one.file[:2] if one.file[:2] in assignments else "00"
        for name, points in one.points.items():
            if found[one.learner, lesson, name][0] != points:
                wrong.append((one.learner, name, points, found[one.learner, lesson, name]))
    assert wrong == []


def test_solutions_get_all_points_and_empty_submissions_none(graded, assignments):
    for number, chosen in assignments.items():
        rows = {kind: [r for r in graded.rows if r.learner == f"{kind}-{number}-0" and r.lesson == number] for kind in ("right", "empty")}
        assert sum(r.points for r in rows["right"]) == sum(card.points for card in chosen.cards.values()) > 0
        assert {(r.points, r.status) for r in rows["empty"]} == {(0, "not attempted yet")}


def test_nothing_outside_is_touched_and_nobody_is_called(graded, outside, listener):
    assert [(p.name, p.read_text()) for p in outside.iterdir()] == [("secret", "the answers")]
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_no_process_is_left(graded):
    import psutil

    left = [p for p in psutil.process_iter(["cmdline"]) if "tinycourse.grading.worker" in (p.info["cmdline"] or [])]
    assert [p for p in left if p.status() != psutil.STATUS_ZOMBIE and p.ppid() in (os.getpid(), 1)] == []


@pytest.mark.parametrize(
    "learner, exercise, words",
    [
        ("endless-loop", "softmax", "took too long"),
        ("cheat", "softmax", "not yet right"),
        ("no-solution", "softmax", "its cell is not in the notebook"),
        ("no-json", "softmax", "its cell is not in the notebook"),
        ("right-01-0", "softmax", "no notebook handed in"),
    ],
)
def test_status_says_what_happened(graded, learner, exercise, words):
    assert words in row(graded, learner, exercise).status


@pytest.mark.parametrize(
    "learner, words",
    [
        ("memory-bomb", "too much memory"),
        ("sys-exit", "SystemExit"),
        ("os-exit", "ended the process; the rest was run without this cell"),
        ("crash", "SIGSEGV"),
        ("writer", "PermissionError"),
        ("network", "Error"),
        ("renamed", "the notebook is called final (2) REALLY final.ipynb"),
        ("capitals", "the notebook is called 00_WORD_TO_CHIP.IPYNB"),
        ("reversed", "the exercises stand in another order"),
        ("no-metadata", "softmax: the cell was known by the function it defines"),
        ("own-check", "softmax: the check cell was changed; ours was run in its place"),
        ("no-checks", "softmax: the check cell was deleted; ours was run"),
        ("duplicated", "softmax: 3 cells hold a solution; the best one counts, once"),
        ("cut-off", "its JSON is damaged"),
        ("merge", "its JSON is damaged"),
        ("nothing", "an empty file"),
    ],
)
def test_remark_says_what_was_odd(graded, learner, words):
    assert words in "\n".join(graded.remarks[learner])


def test_solutions_cannot_be_read_where_there_is_landlock(graded, protection):
    if not protection["landlock"]:
        pytest.skip("this machine has no Landlock")
    assert "PermissionError" in graded.remarks["reader"][0]


def test_an_untouched_notebook_has_no_remark(graded, assignments):
    assert all(graded.remarks[f"{kind}-{number}-0"] == [] for kind in ("right", "empty", "wrong") for number in assignments)


def test_feedback_names_the_misconception_and_escapes_what_learners_write(graded, assignments):
    listed = assignments["00"].cards
    page = (graded.feedback / "wrong-00-0.html").read_text(encoding="utf-8")
    assert f"<b>0 of {sum(c.points for a in assignments.values() for c in a.cards.values())} points.</b>" in page
    assert "cause" in page and all(name in page for name in listed)
    assert "0 of 2 points" in (graded.feedback / "cheat.html").read_text(encoding="utf-8")
    assert "<sc" not in grade.report.page("<script>", [], ["<script>"])


def test_table_has_one_row_for_each_learner_and_exercise(graded, everyone, assignments):
    rows = list(csv.DictReader(graded.table.open(encoding="utf-8")))
    keys = {(r["learner"], r["lesson"], r["exercise"]) for r in rows}
    assert len(keys) == len(rows) == len({e.learner for e in everyone}) * sum(len(a.cards) for a in assignments.values())


def test_command_goes_on_where_a_run_was_stopped_and_prints_one_json_object(graded, place, assignments, capsys):
    cache = place / "table_cache"
    before = {path.name for path in cache.iterdir()}
    next(path for path in cache.iterdir() if '"peak"' in path.read_text()).unlink()  # an exercise of lesson 09
    anna = rehearsal.ordinary(ROOT, assignments["00"], "right", 1)
    (place / "class" / "anna").mkdir()
    (place / "class" / "anna" / anna.file).write_text(anna.text, encoding="utf-8")
    assert cli.main(["grade", str(place / "class"), "--csv", str(place / "table.csv"), "--json", "--workers", "1", *AS_WORDS]) == 0
    figures = json.loads(capsys.readouterr().out)
    unreadable = ("no-json", "nothing", "list")
    assert (graded.cached, figures["cached"]) == (0, graded.notebooks - len(unreadable) - 1)
    assert len({path.name for path in cache.iterdir()} - before) == 1
    points = {(r["learner"], r["lesson"], r["exercise"]): r["points"] for r in figures["rows"]}
    assert {key: points.pop(key) for key in list(points) if key[0] == "anna" and key[1] == "00"} == {
        ("anna", "00", name): of for name, of in anna.points.items()
    }
    assert {key: p for key, p in points.items() if key[0] != "anna"} == {(r.learner, r.lesson, r.exercise): r.points for r in graded.rows}
    assert set(figures["protection"]) == {"network", "processes", "files"}
    assert (place / "table_feedback" / "anna.html").is_file()


def test_nothing_of_others_is_overwritten(tmp_path):
    """Before any notebook is run: a page that somebody wrote or changed, a place that is none, and a notebook as the table."""
    notebook, page = tmp_path / "class" / "anna" / "00.ipynb", tmp_path / "table_feedback" / "anna.html"
    notebook.parent.mkdir(parents=True)
    notebook.write_text("{}")
    options = {"lessons": ["00"], "root": ROOT}
    with pytest.raises(TinycourseError, match="00.ipynb would take the place of a file"):
        grade.grade(tmp_path / "class", notebook, **options)
    with pytest.raises(TinycourseError, match="00.ipynb.files.sha256 cannot be written"):
        grade.grade(tmp_path / "class", tmp_path / "table.csv", notebook, **options)
    page.parent.mkdir()
    page.write_text("by hand")
    with pytest.raises(TinycourseError, match="anna.html is not what tinycourse wrote there; give another folder, or move it away"):
        grade.grade(tmp_path / "class", tmp_path / "table.csv", **options)
    assert (page.read_text(), notebook.read_text()) == ("by hand", "{}") and not (tmp_path / "table.csv").exists()


# ------------------------------------------------------------------------- where the kernel offers less


def test_without_the_kernels_help_python_stops_the_plain_attempts(tmp_path, assignments, outside, listener):
    wanted, none = {"writer", "remover", "shell", "network", "killer", "fork-bomb"}, {"namespaces": False, "landlock": 0}
    hostile = rehearsal.hostile(ROOT, assignments["00"], outside, listener.getsockname()[1], landlock=False)
    those = [one for one in hostile if one.learner in wanted]
    rehearsal.hand_in(those, tmp_path / "class")
    found = grade.grade(tmp_path / "class", tmp_path / "t.csv", workers=1, limits=LIMITS, root=ROOT, protection=none)
    assert {(r.learner, r.exercise): r.points for r in found.rows} == {(o.learner, n): p for o in those for n, p in o.points.items()}
    test_nothing_outside_is_touched_and_nobody_is_called(None, outside, listener)
    assert all("PermissionError" in found.remarks[learner][0] for learner in wanted)
    assert all("Python" in found.protection[what] for what in ("network", "files"))


# ------------------------------------------------------------------------------------ reading submissions


def test_given_code_is_run_where_a_learners_cell_needs_it(assignments):
    chosen = assignments["00"]
    solved = rehearsal.solutions(ROOT, chosen.lesson)

    def runs(answers) -> str:
        cells = rehearsal.notebook(ROOT, chosen.lesson, answers).cells
        pairs = [(c.source, c.metadata.get("nbgrader", {}).get("grade_id", "")) for c in cells if c.cell_type == "code"]
        submission = submissions.Submission("anna", Path("00_word_to_chip.ipynb"))
        submissions.plan(submission, pairs, chosen)
        return "\n".join(step.get("run", "") for step in submission.steps)

    assert "checkpoint.load" not in runs(solved) and "import torch" in runs(solved)
    assert "checkpoint.load" in runs(solved | {"softmax": "print(scores)\n" + solved["softmax"]})


def test_names_of_functions_are_not_taken_for_those_of_the_notebook():
    assert submissions.names("def f(scores):\n    clips = 1\n    return scores + clips + y\n")[0] == {"y"}
    assert submissions.names("%matplotlib inline\nx = y")[1] == {"x"}
    assert "scores" in submissions.names("this is no code: scores")[0]


def test_everybody_has_a_row_and_a_remark(tmp_path):
    there = tmp_path / "class"
    files = ("zip/work.zip", "report/a.txt", "report/b.txt", "macos/__MACOSX/._00_word_to_chip.ipynb", "macos/._00_word_to_chip.ipynb",
             "strange/notes.ipynb", "links/secret.txt", "whole.zip", "__MACOSX/zip/._work.zip", ".DS_Store", "readme.txt",
             "points_feedback/somebody.html", "points_cache/0.json")  # fmt: skip
    for name in files:
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_text("{}")
    (there / "nothing").mkdir()
    (there / "links" / "00_word_to_chip.ipynb").symlink_to(there / "strange" / "notes.ipynb")
    (there / "friend").symlink_to(there / "strange")
    none = {"namespaces": False, "landlock": 0}
    graded = grade.grade(there, there / "points.csv", lessons=["00"], root=ROOT, protection=none)
    expected = {
        "zip": "no notebook, but work.zip: unpack it",
        "report": "no notebook, only a.txt, b.txt",
        "macos": "an empty folder",
        "strange": "notes.ipynb: nothing in it belongs to a lesson",
        "links": "00_word_to_chip.ipynb is a link",
        "whole": "no notebook, but whole.zip",
        "nothing": "an empty folder",
        "friend": "friend is a link",
    }
    rows = list(csv.DictReader(graded.table.open(encoding="utf-8")))
    assert {r["learner"] for r in rows} == graded.remarks.keys() == expected.keys()
    assert all(expected[r["learner"]] in r["remarks"] and r["points"] == "0" for r in rows)
    assert graded.notebooks == 1
    assert len(grade.grade(there, there / "points.csv", root=ROOT, protection=none).rows) > len(rows)  # without a lesson: all of them


@pytest.mark.parametrize("begin", "=+-@\t\r\n＝")
def test_no_cell_of_the_table_is_a_formula(tmp_path, begin):
    bad = f'{begin}1;=1,"=1'
    rows = [grade.Row(bad, "00", "softmax", -1, 2, bad, bad), grade.Row("M\udcfcller", "00", "softmax", 2, 2, "passed", "-")]
    remarks = {bad: [f"{bad}: {bad}"], "M\udcfcller": []}
    grade.write_csv(grade.Grades(rows, remarks, 1, 0, 0.0, {}, tmp_path / "t.csv", tmp_path))
    with open(tmp_path / "t.csv", encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert {first[k][:2] for k in ("learner", "status", "notebook", "remarks")} == {f"'{begin}"}
    assert (first["points"], first["lesson"], second["learner"], second["notebook"]) == ("-1", "00", "M\\udcfcller", "'-")
    whole = (tmp_path / "t.csv").read_text(encoding="utf-8").replace('""', "")
    assert all(part.count(";=") == 0 for part in whole.split('"')[::2])  # wherever a spreadsheet cuts, it is inside of quotes


@pytest.mark.parametrize("folder, words", [("nowhere", "is no folder"), ("empty", "no notebook")])
def test_a_folder_without_submissions_is_refused(tmp_path, folder, words):
    (tmp_path / "empty").mkdir()
    with pytest.raises(TinycourseError, match=words):
        grade.grade(tmp_path / folder, tmp_path / "t.csv", root=ROOT)


def test_an_unwritten_lesson_is_refused(tmp_path):
    written = tmp_path / "lessons" / "00_word_to_chip"
    written.mkdir(parents=True)
    (written / "exercises.py").touch()
    with pytest.raises(TinycourseError, match="Lesson 10 has no exercises yet"):
        grade.grade(tmp_path, tmp_path / "t.csv", lessons=["10"], root=tmp_path)
