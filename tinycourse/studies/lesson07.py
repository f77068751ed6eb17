"""Lesson 07 reads its measurements: what pruning costs in accuracy, and what it saves on the chip."""

from pathlib import Path
from statistics import mean

from tinycourse.studies import tables

MEASURED = tables.MEASURED / "pruning.json"  # written by benchmarks/pruning.py
TRANSDUCERS = MEASURED.with_name("pruning_rnnt.json")  # written by benchmarks/pruning_rnnt.py
ON_CHIP = MEASURED.with_name("pruned.json")  # written by benchmarks/checkpoints.py


def measured(path: Path = MEASURED) -> dict:
    """What MEASURED, TRANSDUCERS or ON_CHIP holds: `command` and `rows`."""
    return tables.read(path)


def table(rows: list[dict]) -> str:
    """Measured rows of one file, means over their seeds: error and its spread, as integers too where that was measured, weights, bytes.

    Weights are those that are left: of the whole network where a row counts its `parameters`, else of the matrices that were pruned.
    """
    groups, integers = {}, "int8" in rows[0]
    for row in rows:
        groups.setdefault((row["model"], row["way"], row["asked"]), []).append(row)
    head = f"{'lowest to highest':>20}{'int8' * integers:>8}{'weights':>9}{'float32':>11}{'int8':>9}  bytes"
    lines = [f"{'model':22}{'way':24}{'gone':>5}{'error':>8}{head}"]
    for (model, way, asked), same in groups.items():
        errors, sizes = [row["error"] for row in same], [mean(row["bytes"][form] for row in same) for form in ("float32", "int8")]
        left = mean(row["parameters" if "parameters" in row else "nonzero"] for row in same)
        as_integers = f"{mean(row['int8'] for row in same):8.2%}" if integers else " " * 8
        spread = f"{min(errors):.2%} to {max(errors):.2%}"
        counts = f"{left:9,.0f}{sizes[0]:11,.0f}{sizes[1]:9,.0f}"
        lines.append(f"{model:22}{way:24}{asked:5.0%}{mean(errors):8.2%}{spread:>20}{as_integers}{counts}")
    return "\n".join(lines)
