"""What a long command is at, on standard error: `stages` shows it, and `stage` names what begins, wherever that is.

Where nobody shows stages, as in a notebook, `stage` does nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tqdm.auto import tqdm

SHOWN: ContextVar[tqdm | None] = ContextVar("SHOWN", default=None)


@contextmanager
def stages(title: str, count: int) -> Iterator[None]:
    """Show the stages that begin inside, `count` of them."""
    with tqdm(total=count, leave=False, bar_format=title + " {n}/{total} {desc}") as bar:
        before = SHOWN.set(bar)
        try:
            yield
        finally:
            SHOWN.reset(before)


def stage(name: str) -> None:
    """The next stage begins."""
    if bar := SHOWN.get():
        bar.n += 1
        bar.set_description_str(name)
