"""Submissions to steps. What is there is graded: a notebook may be renamed, re-ordered, cut off, or not JSON at all.

Cells are known by nbgrader's grade_id, and where that is lost, by the function that they define. Every oddity becomes a remark.
"""

import ast
import hashlib
import json
import re
import symtable
from dataclasses import dataclass, field
from pathlib import Path

from tinycourse.authoring import course, exercises, sources
from tinycourse.errors import TinycourseError

LARGEST_NOTEBOOK = 20_000_000  # bytes
NOTEBOOK, ARCHIVES = ".ipynb", (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz")  # in small letters
CELL_BEGINS = re.compile(r'\{\s*"(?:attachments|cell_type|execution_count|id|metadata|outputs|source)"\s*:')


@dataclass(frozen=True)
class Assignment:
    """The exercises of one lesson, as the grader needs them.

    cards: name to Card. tests: name to the code of its check cell, hidden tests included. given: the code that every learner gets,
    to (its imports, the rest). imports: those of the solution notebook. digest: changes with anything that decides a grade.
    """

    lesson: course.Lesson
    cards: dict[str, exercises.Card]
    tests: dict[str, str]
    given: dict[str, tuple[str, str]]
    imports: str
    digest: str


@dataclass
class Cell:
    """One cell of a submission: its code, the exercise that its solution or check belongs to, and which of the two it is."""

    source: str
    exercise: str = ""
    is_check: bool = False


@dataclass
class Submission:
    """One notebook. steps: what a worker does, see `steps`. remarks: what was odd. missing: exercises without a solution cell."""

    learner: str
    path: Path
    lesson: str = ""
    steps: list[dict] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


# ------------------------------------------------------------------------------------------------ our side


def assignment(root: Path, lesson: course.Lesson) -> Assignment:
    """The exercises of a lesson, from its source in the repository at `root`."""
    ours, theirs = (sources.assemble(sources.Target(root, lesson, folder)).cells for folder in ("solutions", "exercises"))
    graded = {cell.metadata.nbgrader.grade_id: cell.source for cell in ours if "nbgrader" in cell.metadata}
    cards = {c.name: c for c in exercises.cards(sources.read_cells(root / "lessons" / lesson.folder / "exercises.py"))}
    given = [c.source for c in theirs if c.cell_type == "code" and "nbgrader" not in c.metadata]
    code = [split_imports(c.source)[0] for c in ours if c.cell_type == "code" and "%pip" not in c.source]
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in judges(root, lesson))).hexdigest()
    tests = {name: graded[f"{name}-check"] for name in cards}
    return Assignment(lesson, cards, tests, {tidy(s): split_imports(s) for s in given}, "\n".join(code), digest)


def judges(root: Path, lesson: course.Lesson) -> list[Path]:
    """The files that decide a grade: the exercises with their hidden tests, the checks, and this folder."""
    checks, ours = Path(course.__file__).parents[1] / "check", f"lesson{lesson.number}"
    found = [*sorted(checks.glob(f"{ours}.py")), *sorted(checks.glob(f"{ours}/*.py")), *sorted(Path(__file__).parent.glob("*.py"))]
    return [root / "lessons" / lesson.folder / "exercises.py", checks / "core.py", *found]


def tidy(source: str) -> str:
    """Code without what an editor may change."""
    return "\n".join(line.rstrip() for line in source.strip().splitlines())


def split_imports(source: str) -> tuple[str, str]:
    """The imports of a cell, and the rest; a cell that is not plain Python has no imports."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return "", source
    parts = ([node for node in body if isinstance(node, ast.Import | ast.ImportFrom) == wanted] for wanted in (True, False))
    imports, rest = ("\n".join(ast.unparse(node) for node in nodes) for nodes in parts)
    return imports, rest


# ---------------------------------------------------------------------------------------------- their side


def find(folder: Path, apart: tuple[Path, ...] = ()) -> list[tuple[str, list[Path], list[str]]]:
    """(learner, notebooks, remarks) of everybody in a folder that has one folder for each learner, or one notebook or archive for each.

    apart: folders in it that are no learner's. Raises TinycourseError where nobody is.
    """
    if not folder.is_dir():
        raise TinycourseError(f"{folder} is no folder; give the one that holds a folder for each learner.")
    ours = {path.resolve() for path in apart}
    places = [p for p in sorted(folder.iterdir()) if visible(p, folder) and p.resolve() not in ours]
    found = [learner(p) for p in places if p.is_dir() or p.is_symlink() or p.suffix.lower() in (NOTEBOOK, *ARCHIVES)]
    if not found:
        raise TinycourseError(f"There is no notebook in {folder}; give the folder that holds a folder for each learner.")
    return found


def visible(path: Path, folder: Path) -> bool:
    """Whether a path in a folder is neither hidden nor what macOS adds to an archive."""
    return not any(part.startswith(".") or part == "__MACOSX" for part in path.relative_to(folder).parts)


def learner(place: Path) -> tuple[str, list[Path], list[str]]:
    """(name, notebooks, remarks) of one learner, who has a folder or a file. Links are not followed: they may lead anywhere."""
    whole = place.is_symlink() or not place.is_dir()
    inside = [place] if whole else [p for p in sorted(place.rglob("*")) if visible(p, place)]
    remarks = [f"{p.name} is a link, which is not followed: hand in the file itself" for p in inside if p.is_symlink()]
    files = [p for p in inside if p.is_file() and not p.is_symlink()]
    notebooks = [p for p in files if p.suffix.lower() == NOTEBOOK]
    if not notebooks and (archives := [p.name for p in files if p.suffix.lower() in ARCHIVES]):
        remarks.append(f"no notebook, but {', '.join(archives)}: unpack it and grade again")
    elif not notebooks and files:
        remarks.append(f"no notebook, only {', '.join(p.name for p in files[:3])}" + (", ..." if len(files) > 3 else ""))
    elif not inside:
        remarks.append("an empty folder")
    return place.stem if place.suffix.lower() in (NOTEBOOK, *ARCHIVES) else place.name, notebooks, remarks


def read_cells(path: Path) -> tuple[list[dict], str, str]:
    """Every code cell that can be read, the lesson that the metadata names, and a remark ('' if all is well).

    A file that is not JSON any more, cut off or with the marks of a merge in it, is searched for whole cells.
    """
    try:
        if path.stat().st_size > LARGEST_NOTEBOOK:
            return [], "", f"the notebook is larger than {LARGEST_NOTEBOOK:,} bytes: it was not read"
        text, lesson, remark = path.read_text(encoding="utf-8-sig", errors="replace"), "", ""
    except OSError as error:
        return [], "", f"the notebook cannot be read: {error.strerror}"
    try:
        notebook = json.loads(text)
        found, metadata = notebook["cells"], notebook.get("metadata")
        if isinstance(metadata, dict) and isinstance(metadata.get("tinycourse"), dict):
            lesson = str(metadata["tinycourse"].get("lesson", ""))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        found = salvage(text)
        remark = (
            f"the file is no whole notebook any more (its JSON is damaged): {len(found)} cells could be read" if text else "an empty file"
        )
    cells = [c for c in found if isinstance(c, dict) and c.get("cell_type") == "code"] if isinstance(found, list) else []
    return cells, lesson, remark


def salvage(text: str) -> list[dict]:
    """The cells that stand whole in a damaged file."""
    found, at, decoder = [], 0, json.JSONDecoder()
    while match := CELL_BEGINS.search(text, at):
        try:
            cell, at = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            at = match.end()
        else:
            found.append(cell)
    return found


def as_cell(raw: dict) -> tuple[str, str]:
    """(code, grade_id or '') of a cell, whatever is in it."""
    source, metadata = raw.get("source", ""), raw.get("metadata")
    text = "".join(line for line in source if isinstance(line, str)) if isinstance(source, list) else str(source)
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return text, str(nbgrader.get("grade_id", "")) if isinstance(nbgrader, dict) else ""


def read(learner: str, path: Path, assignments: dict[str, Assignment]) -> Submission:
    """A notebook matched to its lesson: by its cells, then by its metadata, then by its name."""
    raw, named, remark = read_cells(path)
    pairs = [as_cell(cell) for cell in raw]
    submission = Submission(learner, path, remarks=[remark] if remark else [])
    file = re.match(r"\d\d", path.name)
    hits = {
        number: (sum(g.removesuffix("-check") in a.tests for _, g in pairs) + sum(tidy(s) in a.given for s, _ in pairs), number == named)
        for number, a in assignments.items()
    }
    best = max(hits, key=hits.get, default="")
    if best and any(hits[best]):
        submission.lesson = best
    elif file and file[0] in assignments:
        submission.lesson = file[0]
    else:
        submission.remarks.append("nothing in it belongs to a lesson")
        return submission
    chosen = assignments[submission.lesson]
    if path.name != f"{chosen.lesson.folder}.ipynb":
        submission.remarks.append(f"the notebook is called {path.name}, not {chosen.lesson.folder}.ipynb")
    plan(submission, pairs, chosen)
    return submission


def plan(submission: Submission, pairs: list[tuple[str, str]], chosen: Assignment) -> None:
    """Fill in steps, remarks and missing exercises from (code, grade_id) of every code cell."""
    known = {name: (name, False) for name in chosen.tests} | {f"{name}-check": (name, True) for name in chosen.tests}
    cells = [Cell(source, *known.get(grade_id, ("", False))) for source, grade_id in pairs]
    say = submission.remarks.append
    for name in chosen.tests:
        if any(c.exercise == name and not c.is_check for c in cells):
            continue
        others = [c for c in cells if not c.exercise and re.search(rf"^def {name}\(", c.source, re.M)]
        for cell in others:
            cell.exercise = name
        if others:
            say(f"{name}: the cell was known by the function it defines, its nbgrader metadata are gone")
        else:
            submission.missing.append(name)
    order = [c.exercise for c in cells if c.exercise and not c.is_check]
    if (first := list(dict.fromkeys(order))) != [name for name in chosen.tests if name in first]:
        say("the exercises stand in another order")
    for name, code in chosen.tests.items():
        if (count := order.count(name)) > 1:
            say(f"{name}: {count} cells hold a solution; the best one counts, once")
        checks = [c.source for c in cells if c.exercise == name and c.is_check]
        if not checks:
            say(f"{name}: the check cell was deleted; ours was run")
        elif {tidy(source) for source in checks} - {tidy(code), tidy(exercises.cut(code, exercises.HIDDEN))}:
            say(f"{name}: the check cell was changed; ours was run in its place")
    submission.steps = steps(cells, chosen) if cells else []


def steps(cells: list[Cell], chosen: Assignment) -> list[dict]:
    """What a worker does, in order: {"run": code} or {"test": exercise}; "cell" counts the code cells from 1.

    The imports that every learner got come first, wherever they stand now. Other code that every learner got is run where the
    learner's own code needs a name that it makes. A test comes after each solution, or after the check cell that follows it.
    """
    own = [c.source for c in cells if not c.is_check and tidy(c.source) not in chosen.given]
    wanted = needed(own, [rest for _, rest in chosen.given.values() if ".catch_up(" not in rest])
    found, solved = [{"run": "\n".join(imports for imports, _ in chosen.given.values() if imports), "cell": 0}], set()
    for i, cell in enumerate(cells):
        given = chosen.given.get(tidy(cell.source))
        if given and not cell.exercise:
            code = given[1] if given[1] in wanted else ""
        else:
            code = "" if cell.is_check else cell.source
        if code:
            found.append({"run": code, "cell": i + 1})
        if not cell.exercise:
            continue
        solved |= set() if cell.is_check else {cell.exercise}
        following = next((c for c in cells[i + 1 :] if c.exercise == cell.exercise), None)
        if cell.exercise in solved and not (following and following.is_check and not cell.is_check):
            found.append({"test": cell.exercise, "cell": i + 1})
    return found


def names(source: str) -> tuple[set[str], set[str]]:
    """(global names that the code reads, global names that it makes); every word where it is not plain Python."""
    try:
        top = symtable.symtable(re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.M), "cell", "exec")  # without magics
    except (SyntaxError, ValueError, RecursionError):
        return set(re.findall(r"\w+", source)), set()
    tables, reads = [top], set()
    while tables:
        table = tables.pop()
        tables += table.get_children()
        reads |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (table is top or s.is_global())}
    return reads, {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}


def needed(own: list[str], given: list[str]) -> set[str]:
    """Which pieces of the given code make a name that `own` reads, or that such a piece reads."""
    wanted = set().union(*(names(source)[0] for source in own))
    chosen = set()
    for source in reversed(given):
        reads, makes = names(source)
        if makes & wanted:
            chosen.add(source)
            wanted |= reads
    return chosen
