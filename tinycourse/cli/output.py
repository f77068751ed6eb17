"""What a verb says and shows: figures go to standard output (one JSON object with --json), progress and words to standard error."""

import json
import sys


def say(*words) -> None:
    """To the person, not to the pipe."""
    print(*words, file=sys.stderr, flush=True)


def show(figures: dict, as_json: bool, text: str) -> None:
    """The result of a verb, for a program or for a person."""
    print(json.dumps(figures, indent=1) if as_json else text)


def table(rows: list[list], header: list[str]) -> str:
    """Aligned columns."""
    cells = [[str(c) for c in row] for row in [header, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in cells)


def quality(figures: dict) -> str:
    """Accuracy of a recogniser of words, word error rate of one that writes."""
    return f"{figures['accuracy']:.2%}" if "accuracy" in figures else f"{figures['word_error_rate']:.2%} wrong"
