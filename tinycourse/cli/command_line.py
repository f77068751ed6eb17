"""The command line: its verbs, in the order of its help. What each takes and does is in the file of its group."""

import argparse

from tinycourse.cli.course_commands import BUILD, DOCTOR, GRADE, SERVE
from tinycourse.cli.data_commands import DATA
from tinycourse.cli.export_commands import EXPORT, RUN
from tinycourse.cli.network_commands import CALIBRATE, CHECKPOINTS, EVALUATE, MODELS, PROFILE, QUANTIZE
from tinycourse.cli.options import Parser, need_places
from tinycourse.cli.output import say
from tinycourse.cli.search_commands import EXPLORE
from tinycourse.cli.training_commands import PRUNE, TRAIN
from tinycourse.errors import TinycourseError

VERBS = (
    DOCTOR, DATA, MODELS, CHECKPOINTS, PROFILE, TRAIN, PRUNE, EVALUATE, CALIBRATE, QUANTIZE,
    EXPORT, RUN, EXPLORE, BUILD, GRADE, SERVE,
)  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """Every verb with its options. Raises TinycourseError for a command line that it does not understand."""
    p = Parser("tinycourse", description="Tiny speech recognition: from a recording to a chip.")
    verbs = p.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in VERBS:
        verb.add_to(verbs)
    return p


def main(argv: list[str] | None = None) -> int:
    """Do what the command line asks (without `argv`: that of this process), and return the exit status.

    What is wrong is one sentence on standard error, and status 1; Ctrl-C is status 130.
    """
    try:
        a = parser().parse_args(argv)
        need_places(a)
        return a.run(a) or 0
    except TinycourseError as error:
        say(f"tinycourse: {error}")
        return 1
    except KeyboardInterrupt:
        say("tinycourse: stopped.")
        return 130
