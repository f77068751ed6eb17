"""Lesson 04 reads its measurements: the study that is shipped, and the tables of benchmarks/explore.py."""

import json
from pathlib import Path

MEASURED = Path(__file__).parent / "measured"
STUDY = MEASURED / "explore.json.gz"  # by `tinycourse explore --export`, whose command it holds
FIDELITY, RACE, FINAL = (MEASURED / f"explore_{name}.json" for name in ("fidelity", "race", "final"))  # by benchmarks/explore.py


def read(path: Path) -> dict:
    """A table of benchmarks/explore.py: `command` and `rows`; no rows where nothing has been measured."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"rows": []}
