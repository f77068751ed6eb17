"""Lesson 04 reads its measurements: the study that is shipped, and the tables of benchmarks/explore.py."""

from tinycourse.studies.tables import MEASURED, read

__all__ = ["FIDELITY", "FINAL", "MEASURED", "RACE", "STUDY", "read"]

STUDY = MEASURED / "explore.json.gz"  # by `tinycourse explore --export`, whose command it holds
FIDELITY, RACE, FINAL = (MEASURED / f"explore_{name}.json" for name in ("fidelity", "race", "final"))  # by benchmarks/explore.py
