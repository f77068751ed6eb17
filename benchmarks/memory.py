"""Peak memory and time of every notebook, kernel and all of its processes together: Binder gives one to two gigabytes.

    python benchmarks/memory.py                     # with short trainings, as Binder's visitors will not wait either
    python benchmarks/memory.py --full 05 08        # some lessons, as a learner runs them

Resident memory is added up over processes, so what two of them share counts twice: the truth is no larger. Exits with 1 if a
notebook fails or needs more than the limit.
"""

import argparse
import os
import subprocess
import sys
import time
from collections import Counter

import psutil

from tinycourse.authoring import course
from tinycourse.authoring.sources import targets
from tinycourse.cli.output import table

LIMIT_MB = 1500
EVERY = 0.1  # seconds between two looks
RUN = """
import sys, nbformat
from pathlib import Path
from tinycourse.authoring.outputs import execute
path = Path(sys.argv[1])
execute(nbformat.read(path, as_version=4), path.parent, fast=sys.argv[2] == "fast")
"""


def resident(process: psutil.Process) -> int:
    """Bytes of all processes below this one, which itself only feeds the kernel."""
    total = 0
    for child in process.children(recursive=True):
        try:
            total += child.memory_info().rss
        except psutil.NoSuchProcess:  # it ended between the two lines
            continue
    return total


def measure(path, fast: bool) -> tuple[float, float, bool]:
    """(peak MB, seconds, whether it ran through) of one notebook."""
    begin, peak = time.perf_counter(), 0
    running = subprocess.Popen([sys.executable, "-c", RUN, str(path), "fast" if fast else "full"], env=os.environ | {"MPLBACKEND": "agg"})
    while running.poll() is None:
        peak = max(peak, resident(psutil.Process(running.pid)))
        time.sleep(EVERY)
    return peak / 1e6, time.perf_counter() - begin, running.returncode == 0


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    p.add_argument("lessons", nargs="*", help="(default: all)")
    p.add_argument("--full", action="store_true", help="with trainings as long as learners have them")
    a = p.parse_args()
    root = course.repository_root()
    lessons = [course.find(name) for name in a.lessons] or course.written(root)
    rows, wrong, minutes = [], 0, Counter()
    for target in targets(root, lessons):
        if target.folder != "exercises" and target.path.is_file():
            peak, seconds, passed = measure(target.path, not a.full)
            verdict = ("too much" if peak > LIMIT_MB else "ok") if passed else "failed"
            wrong += verdict != "ok"
            minutes[target.folder] += seconds / 60
            rows.append([target.name, f"{peak:,.0f}", f"{seconds:.0f}", verdict])
            print(*rows[-1], file=sys.stderr, flush=True)
    print(table(rows, ["notebook", "peak MB", "seconds", f"below {LIMIT_MB:,} MB"]))
    print(", ".join(f"{folder}: {spent:.1f} minutes in all" for folder, spent in minutes.items()))
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
