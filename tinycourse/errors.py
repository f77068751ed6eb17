"""One exception for everything that a person can put right."""


class TinycourseError(Exception):
    """Bad input: the message is one sentence saying what is wrong and what to do.

    The command line prints the message alone and exits with status 1; a notebook shows it as the last line.
    """
