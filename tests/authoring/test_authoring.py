"""Building notebooks from a small course in a temporary folder, and finding what was spoilt in them."""

import base64
import io
import json

import nbformat
import pytest
from matplotlib import pyplot
from nbformat.v4 import new_output

from tinycourse.authoring import build, course, exercises, outputs, pages, sources
from tinycourse.errors import TinycourseError

HEADER = """\
# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

"""
LESSON = (
    HEADER
    + """\
# %% [markdown]
# # A small lesson
# In two lines.

# %% [markdown]
# ## The map of the course
# <!-- map -->

# %% tags=["nbval-check-output"]
6 * 7

# %% alt="A line that goes up from zero to three."
import matplotlib.pyplot as plt

plt.plot([0, 1, 2, 3])
plt.show()

# %% tags=["widget"] alt="A line whose slope is chosen by a slider."
from ipywidgets import interact


@interact(slope=(1, 3))
def draw(slope=1):
    plt.plot([0, slope])
    plt.show()


# %% alt="The same line, drawn into a widget that holds a picture."
import io

from ipywidgets import HBox, Image

file = io.BytesIO()
plt.plot([0, 1, 2, 3])
plt.savefig(file)
plt.close()
HBox([Image(value=file.getvalue())])

# %%
from tqdm.auto import tqdm

for _ in tqdm(range(3)):
    print("step")
"""
)
EXERCISES = (
    HEADER
    + '''\
# %% [markdown]
# # A small lesson: exercises

# %%
from tinycourse import check

# %% [markdown]
# ## Quantize
# <!-- card to_int8 difficulty=2 importance=5 minutes=10 points=3 -->

# %%
def to_int8(x, scale, zero_point):
    """Real numbers to int8."""
    ### BEGIN SOLUTION
    import torch

    steps = torch.round(x / scale) + zero_point
    return steps.clamp(-128, 127).to(torch.int8)
    ### END SOLUTION


# %%
check.lesson00.to_int8(to_int8)
### BEGIN HIDDEN TESTS
check.lesson00.to_int8.grade(to_int8)
### END HIDDEN TESTS

# %% [markdown]
# <details>1</details><details>2</details><details>3</details>

# %%
to_int8 = check.lesson00.to_int8.catch_up(to_int8)
'''
)
FOLDER = "00_word_to_chip"


def write_course(root, lesson=LESSON, exercise=EXERCISES):
    folder = root / "lessons" / FOLDER
    folder.mkdir(parents=True)
    for name, text in (("lesson.py", lesson), ("exercises.py", exercise)):
        (folder / name).write_text(text, encoding="utf-8")
    (root / "pyproject.toml").write_text('[project.urls]\nRepository = "https://github.com/somebody/somewhere"\n', encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A small course, built and executed once; tests only read it."""
    root = write_course(tmp_path_factory.mktemp("course"))
    assert build.build(root=root, fast=True) == 0
    return root


@pytest.fixture
def copy(built, tmp_path):
    """The same course in a folder of its own, to be spoilt."""
    for path in built.rglob("*"):
        if path.is_file() and ".ipynb_checkpoints" not in path.parts:
            to = tmp_path / path.relative_to(built)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(path.read_bytes())
    return tmp_path


def notebook(root, folder):
    return nbformat.read(root / folder / f"{FOLDER}.ipynb", as_version=4)


def stale(root):
    """What `build --check` says besides the rules of the lint."""
    lesson = course.find("00")
    return [p for t in sources.targets(root, [lesson]) for p in build.stale(t, build.read(t.path))]


# ----------------------------------------------------------------------------------------------------- build


def test_a_fresh_build_is_not_stale(built):
    assert stale(built) == []


def test_building_again_gives_the_same_bytes(built, copy):
    assert build.build(["00"], root=copy, fast=True) == 0
    for folder in sources.FOLDERS:
        name = f"{folder}/{FOLDER}.ipynb"
        assert (built / name).read_bytes() == (copy / name).read_bytes()


def test_notebook_opens_with_title_badges_map_and_first_cell(built):
    title, course_map, first, *_ = notebook(built, "notebooks").cells
    assert title.source.startswith("# A small lesson\n\n[![Open in Binder]")
    assert f"github/{course.repository(built)}/blob/main/notebooks/{FOLDER}.ipynb" in title.source
    assert title.source.endswith("In two lines.")
    assert "**you are here**" in course_map.source and course_map.source.count("in preparation") == len(course.LESSONS) - 1
    assert first.source == course.first_cell(built, course.find("00"))
    assert first.metadata.tags == ["nbval-ignore-output"]
    assert "lesson 00" in first.outputs[0].text


def test_map_links_only_lessons_that_are_written(copy):
    other = copy / "lessons" / course.find("01").folder
    other.mkdir()
    (other / "lesson.py").write_text(LESSON, encoding="utf-8")
    assert f"]({other.name}.ipynb)" in course.course_map(copy, course.find("00"), "notebooks")
    assert f"](../notebooks/{other.name}.ipynb)" in course.course_map(copy, course.find("00"), "exercises")


def test_metadata_names_source_and_no_machine(built):
    for folder in sources.FOLDERS:
        text = (built / folder / f"{FOLDER}.ipynb").read_text(encoding="utf-8")
        metadata = json.loads(text)["metadata"]
        assert metadata["tinycourse"]["generated_from"] == f"lessons/{FOLDER}/{sources.FOLDERS[folder]}"
        assert "version" not in metadata["language_info"] and "widgets" not in metadata
        assert str(built) not in text


def test_figure_keeps_its_description_and_loses_its_metadata(built):
    figure = next(c for c in notebook(built, "notebooks").cells if "A line that goes" in c.metadata.get("alt", ""))
    (output,) = figure.outputs
    assert output.metadata["image/png"]["alt"] == figure.metadata.alt
    png = base64.b64decode(output.data["image/png"])
    assert b"matplotlib" not in png.lower()
    assert pyplot.imread(io.BytesIO(png)).ndim == 3


def test_widget_is_saved_as_its_picture_and_progress_not_at_all(built):
    cells = notebook(built, "notebooks").cells
    widgets = [c for c in cells if "interact" in c.source or "HBox" in c.source]
    assert len(widgets) == 2
    for widget in widgets:  # one that prints its figure, one that holds it
        assert [sorted(o.data) for o in widget.outputs] == [["image/png", "text/plain"]]
        assert widget.outputs[0].data["text/plain"] == outputs.WIDGET_NOTE
        assert widget.outputs[0].metadata["image/png"]["alt"] == widget.metadata.alt
        png = base64.b64decode(widget.outputs[0].data["image/png"])
        assert b"matplotlib" not in png.lower()
        assert pyplot.imread(io.BytesIO(png)).ndim == 3
    assert [o.get("text") for o in cells[-1].outputs] == ["step\n" * 3]


def test_solutions_keep_the_answers_and_exercises_do_not(built):
    learner, teacher = (notebook(built, folder).cells for folder in ("exercises", "solutions"))
    stub = learner[4].source
    assert stub.endswith('    """Real numbers to int8."""\n    # YOUR CODE HERE\n    raise NotImplementedError()')
    assert learner[5].source == "check.lesson00.to_int8(to_int8)"
    assert "steps.clamp" in teacher[4].source and "HIDDEN" in teacher[5].source
    assert [c.id for c in learner] == [c.id for c in teacher]
    assert not any(c.get("outputs") or c.get("execution_count") for c in learner)
    assert "passed" in teacher[5].outputs[0].data["text/plain"]
    assert learner[3].source.startswith("## Quantize\n> **Exercise 00.1**") and "3 points" in learner[3].source


def test_exercises_carry_nbgraders_metadata(built):
    learner = notebook(built, "exercises").cells
    answer, test = learner[4].metadata.nbgrader, learner[5].metadata.nbgrader
    assert (answer.solution, answer.grade, answer.locked, answer.grade_id) == (True, False, False, "to_int8")
    assert (test.solution, test.grade, test.locked, test.grade_id) == (False, True, True, "to_int8-check")
    assert test.points == 3 and test.schema_version == answer.schema_version == 3


def test_words_can_be_changed_without_running_again(copy):
    source = copy / "lessons" / FOLDER / "lesson.py"
    source.write_text(LESSON.replace("In two lines.", "In a line."), encoding="utf-8")
    before = [c.get("outputs") for c in notebook(copy, "notebooks").cells]
    assert build.build(root=copy, execute=False) == 0
    assert stale(copy) == []
    assert [c.get("outputs") for c in notebook(copy, "notebooks").cells] == before
    source.write_text(LESSON.replace("6 * 7", "6 * 9"), encoding="utf-8")
    build.build(root=copy, execute=False)
    assert any("without running" in problem for problem in stale(copy))


def test_a_fork_gets_its_address_everywhere_and_keeps_its_outputs(copy):
    (copy / "README.md").write_text("git clone https://github.com/somebody/somewhere\n<!-- lessons -->\nold\n<!-- /lessons -->\n")
    (copy / "CONTRIBUTING.md").write_text("A map:\n<!-- code -->\nold\n<!-- /code -->\n")
    before = [c.get("outputs") for c in notebook(copy, "notebooks").cells]
    pages.move_to(copy, "else/where-2")
    assert build.build(root=copy, execute=False) == 0
    assert stale(copy) == [] and pages.problems(copy) == []
    assert [c.get("outputs") for c in notebook(copy, "notebooks").cells] == before
    texts = [path.read_text(encoding="utf-8") for path in copy.rglob("*.*") if path.suffix in (".md", ".ipynb", ".toml")]
    assert not any("somebody/somewhere" in text for text in texts) and sum("else/where-2" in text for text in texts) == 5
    with pytest.raises(TinycourseError, match="OWNER/NAME"):
        pages.move_to(copy, "https://github.com/else/where")


def test_failing_cell_leaves_the_old_notebook_and_fails(copy, capsys):
    path = copy / "notebooks" / f"{FOLDER}.ipynb"
    before = path.read_bytes()
    (copy / "lessons" / FOLDER / "lesson.py").write_text(HEADER + "# %% [markdown]\n# # T\n\n# %%\n1 / 0\n", encoding="utf-8")
    assert build.build(root=copy, fast=True) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert path.read_bytes() == before


# ----------------------------------------------------------------------------------------------------- check


def spoil(root, folder, change):
    path = root / folder / f"{FOLDER}.ipynb"
    nb = nbformat.read(path, as_version=4)
    change(nb)
    nbformat.write(nb, path)


def edit_word(nb):
    nb.cells[0].source += "!"


def edit_metadata(nb):
    nb.metadata.kernelspec.name = "other"


def new_id(nb):
    nb.cells[2].id = "abcdef"


def clear(nb):
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None


def save_error(nb):
    nb.cells[3].outputs = [new_output("error", ename="ValueError", evalue="", traceback=[])]


def save_output(nb):
    nb.cells[1].outputs = [new_output("stream", name="stdout", text="x")]


@pytest.mark.parametrize(
    "folder, change, problem",
    [
        ("notebooks", edit_word, "differs from lessons/00_word_to_chip/lesson.py"),
        ("exercises", edit_word, "differs from lessons/00_word_to_chip/exercises.py"),
        ("solutions", edit_metadata, "differs from"),
        ("notebooks", new_id, "differs from"),
        ("notebooks", clear, "without running"),
        ("solutions", clear, "without running"),
        ("notebooks", save_error, "saved error in the cell '6 * 7'"),
        ("exercises", save_output, "has outputs"),
    ],
)
def test_check_finds_what_was_spoilt(copy, folder, change, problem):
    spoil(copy, folder, change)
    (found,) = stale(copy)
    assert problem in found and "tinycourse build" in found


def save_in_jupyter(nb):
    nb.metadata.language_info["version"] = "3.12.1"


def run_a_cell(nb):
    next(cell for cell in nb.cells if cell.cell_type == "code").execution_count = 1


@pytest.mark.parametrize("change", [save_output, save_in_jupyter, run_a_cell])
def test_answers_of_a_learner_are_not_built_over(copy, change):
    spoil(copy, "exercises", change)
    before = (copy / "exercises" / f"{FOLDER}.ipynb").read_bytes()
    with pytest.raises(TinycourseError, match=f"{FOLDER}.ipynb was worked in, and building it would lose the answers; move it away"):
        build.build(root=copy, fast=True)
    assert (copy / "exercises" / f"{FOLDER}.ipynb").read_bytes() == before


def test_check_finds_missing_damaged_and_superfluous_files(copy, capsys):
    (copy / "notebooks" / f"{FOLDER}.ipynb").unlink()
    (copy / "solutions" / f"{FOLDER}.ipynb").write_text("{")
    (copy / "exercises" / "stray.ipynb").write_text("{}")
    assert build.build(check=True, root=copy) == 1
    said = capsys.readouterr().err
    assert f"notebooks/{FOLDER}.ipynb is missing: run `tinycourse build`" in said
    assert f"solutions/{FOLDER}.ipynb cannot be read: run `tinycourse build`" in said
    assert "exercises/stray.ipynb comes from no lesson: delete it" in said


@pytest.mark.parametrize(
    "lesson, exercise, sentence",
    [
        (LESSON.removeprefix(HEADER), EXERCISES, "no jupytext header"),
        (LESSON.replace("# # A small", "# A small"), EXERCISES, "does not begin with a markdown cell"),
        (LESSON, EXERCISES.replace("difficulty=2 ", ""), "not of the form"),
        (LESSON, EXERCISES.replace("difficulty=2", "difficulty=6"), "from 1 to 5"),
        (LESSON, EXERCISES.replace("<details>3</details>", ""), "has 2 hints"),
        (LESSON, EXERCISES.replace("    ### END SOLUTION\n", ""), "0 cells with its definition and solution markers"),
        (LESSON, EXERCISES.replace("### BEGIN HIDDEN TESTS\n", ""), "0 cells with its check and hidden tests"),
        (LESSON, EXERCISES.replace("to_int8.catch_up", "to_int8.wait"), "0 cells with its catch-up line"),
    ],
)
def test_source_that_cannot_be_built_is_refused_in_a_sentence(tmp_path, lesson, exercise, sentence):
    write_course(tmp_path, lesson, exercise)
    with pytest.raises(TinycourseError, match=sentence):
        build.build(root=tmp_path, execute=False)


def test_markers_out_of_order_are_refused():
    for text in ("### END SOLUTION", "### BEGIN SOLUTION", "### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION"):
        with pytest.raises(TinycourseError, match="SOLUTION"):
            exercises.cut(text, exercises.SOLUTION)


def test_unknown_lessons_are_refused(copy):
    with pytest.raises(TinycourseError, match="no lesson 'x'"):
        build.build(["x"], root=copy)
    (copy / "lessons" / "77_stray").mkdir()
    (copy / "lessons" / "77_stray" / "lesson.py").write_text(LESSON)
    with pytest.raises(TinycourseError, match="lessons/77_stray is in no row"):
        build.build(root=copy)


def test_lesson_names():
    zero = course.LESSONS[0]
    assert [course.find(name) for name in ("00", "0", FOLDER, f"lessons/{FOLDER}")] == [zero] * 4
