"""A class compares: one entry for each recogniser, limits that exclude, fronts that rank, and a report that keeps the learner's words."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tinycourse.errors import TinycourseError
from tinycourse.files import write_text
from tinycourse.search.pareto import on_front

LIMITS = {"flash": 64 * 1024, "ram": 32 * 1024, "instructions": 40_000_000}  # bytes; a second: half of a Cortex-M4 at 80 MHz
TEMPLATE = Path(__file__).parent / "report.md"
MEASURED = re.compile(r"<!-- measured -->.*?<!-- end of measured -->", re.S)


@dataclass(frozen=True)
class Entry:
    """One line of the board, every number of it measured: `accuracy` and `misses` are shares, on voices that were not practised on;
    `alarms` is the rate of false alarms an hour that the test stream speaks against; the rest is the whole listener on a Cortex-M4."""

    name: str
    words: tuple[str, ...]
    data: str
    accuracy: float
    misses: float
    alarms: float
    flash: int
    ram: int
    instructions: int  # a second


def save(entry: Entry, folder: str | Path) -> Path:
    """One JSON file in the folder of the class, named after the entry."""
    path = Path(folder) / (re.sub(r"\W+", "-", entry.name).strip("-") + ".json")
    write_text(path, json.dumps(asdict(entry), indent=2) + "\n")
    return path


def read(folder: str | Path) -> list[Entry]:
    """All entries of a folder, by file name. Raises TinycourseError for a file that holds none."""
    entries = []
    for path in sorted(Path(folder).glob("*.json")):
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            entries.append(Entry(**values | {"words": tuple(values["words"])}))
        except (ValueError, TypeError, KeyError):
            raise TinycourseError(f"{path} holds no entry of the board: write it with leaderboard.save, or remove it.") from None
    return entries


def standings(entries: list[Entry], limits: dict[str, int] = LIMITS) -> list[int]:
    """A rank for each entry: 0 for those beyond a limit, 1 for those whom nobody within the limits beats, 2 for those whom then nobody
    beats, and so on. To beat is to be nowhere worse and somewhere better in accuracy, flash, RAM and instructions."""
    within = np.array([all(getattr(entry, name) <= limit for name, limit in limits.items()) for entry in entries], bool)
    points = np.array([(1 - e.accuracy, e.flash, e.ram, e.instructions) for e in entries]).reshape(-1, 4)
    ranks, left, rank = np.zeros(len(entries), int), within.copy(), 0
    while left.any():
        rank += 1
        places = np.flatnonzero(left)
        best = places[on_front(points[places])]
        ranks[best], left[best] = rank, False
    return ranks.tolist()


def table(entries: list[Entry], limits: dict[str, int] = LIMITS) -> str:
    """The board as text, first ranks first, within a rank the more accurate first."""
    rows = sorted(zip(standings(entries, limits), entries), key=lambda row: (row[0] or 10**6, -row[1].accuracy))
    width = max([28, *(len(e.name) + 1 for e in entries)])
    lines = [f"{'rank':>4}  {'name':{width}}{'accuracy':>9}{'missed':>8}{'alarms/h <':>12}{'flash':>9}{'RAM':>9}{'instructions/s':>16}"]
    for rank, e in rows:
        shares = f"{e.accuracy:9.1%}{e.misses:8.1%}{e.alarms:12.1f}"
        lines.append(f"{rank or 'out':>4}  {e.name:{width}}{shares}{e.flash:9,}{e.ram:9,}{e.instructions:16,}")
    return "\n".join(lines)


def write_report(path: str | Path, entry: Entry, more: dict[str, str]) -> None:
    """The report with this entry's numbers, and `more` lines of what was measured. What the learner wrote in it stays as it is.

    Raises TinycourseError where the lines that frame the numbers are gone.
    """
    path = Path(path)
    text = (path if path.is_file() else TEMPLATE).read_text(encoding="utf-8")
    numbers = {
        "name": entry.name,
        "wake words": ", ".join(entry.words),
        "data": entry.data,
        "accuracy on test clips": f"{entry.accuracy:.1%}",
        "wake words missed in the test stream": f"{entry.misses:.1%}",
        "false alarms an hour, at most (95 %)": f"{entry.alarms:.1f}",
        "flash, the whole listener": f"{entry.flash:,} bytes",
        "RAM, the whole listener": f"{entry.ram:,} bytes",
        "instructions a second": f"{entry.instructions:,}",
    }
    rows = "\n".join(f"| {name} | {value} |" for name, value in (numbers | more).items())
    block = f"<!-- measured -->\n| measured | |\n|---|---|\n{rows}\n<!-- end of measured -->"
    filled, count = MEASURED.subn(lambda _: block, text)
    if count != 1:
        raise TinycourseError(
            f"{path} has lost its lines <!-- measured --> and <!-- end of measured -->: put them back, around the numbers."
        )
    write_text(path, filled)
