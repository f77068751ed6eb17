"""Workers of a study that train nothing: threads, each with a storage of its own, that ask, judge and tell as real ones do.

As a program, `python searchers.py PLACE COUNT HANGING`: HANGING of COUNT workers hang in the middle of their last candidate. Once these
do, and all others are done, it prints the numbers of the trials that were told, as JSON, and waits to be killed.
"""

import json
import sys
import threading
from collections.abc import Callable

from tinycourse.search import explore, space

SETTINGS = explore.Settings(sampler="random", objectives=("error",))
CANDIDATES = 2  # for each worker
here = threading.local()


def judge(trial, point: float, *_) -> list[float]:
    """The error is the point itself."""
    here.number, here.left = trial.number, here.left - 1
    if not here.left:
        here.hindrance()
    return [point]


def train_nothing(patch: Callable) -> None:
    """Let `explore.step` work on one number; `patch(module, name, value)` replaces what it calls."""
    patch(space, "suggest", lambda trial: {"x": trial.suggest_float("x", 0, 1)})
    patch(space, "design_of", lambda choices: choices["x"])
    patch(explore, "judge", judge)


def search(place: str, count: int, unfortunate: int, hindrance: Callable) -> tuple[list[threading.Thread], list[int]]:
    """Start `count` workers, of which `unfortunate` meet a hindrance in the middle of their last candidate: threads, numbers told."""
    told = []

    def work(index: int) -> None:
        here.left, here.hindrance = CANDIDATES, hindrance if index < unfortunate else lambda: None
        study = explore.open_study("s", place)
        try:
            while here.left:
                explore.step(study, SETTINGS, None)
                told.append(here.number)
        except KeyboardInterrupt:
            pass

    threads = [threading.Thread(target=work, args=(index,), daemon=True) for index in range(count)]
    for thread in threads:
        thread.start()
    return threads, told


def main(place: str, count: int, hanging: int) -> None:
    train_nothing(setattr)
    hang = threading.Semaphore(0)

    def hindrance() -> None:
        hang.release()
        threading.Event().wait()

    threads, told = search(place, count, hanging, hindrance)
    for _ in range(hanging):
        hang.acquire()
    for thread in threads[hanging:]:
        thread.join()
    print(json.dumps(told), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
