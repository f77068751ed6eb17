"""The command line: one function for each verb, which says what it does and shows figures.

Lesson 00 starts it; every lesson names the verbs that do the same.
Each file has a group of verbs: the work, the options, and the `Verb` that `command_line.py` collects.
"""

from tinycourse.cli.command_line import main, parser

__all__ = ["main", "parser"]
