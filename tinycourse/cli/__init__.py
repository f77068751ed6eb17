"""The command line: one function for each verb, which says what it does and shows figures.

Lesson 00 starts it; every lesson names the verbs that do the same.
A new verb has its options in `command_line.py` and its work in `commands.py`.
"""

from tinycourse.cli.command_line import main, parser

__all__ = ["main", "parser"]
