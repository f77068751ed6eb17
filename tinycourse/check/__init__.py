"""The checks that learner, continuous integration and grader share: a module, or a folder of modules, for each lesson.

`check.lesson00.softmax(softmax)` in a notebook; `tinycourse.check.core` says how a check is written.
"""

import importlib
import re


def __getattr__(name: str):
    """Load `lesson00`, `lesson01`, ... when first asked for, so that no lesson waits for another's imports."""
    if re.fullmatch(r"lesson\d\d", name):
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
