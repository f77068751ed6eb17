"""Checks of lesson 05: the steps of a transducer's lattice, its alignments, alpha, how often steps are taken, and greedy search."""

from tinycourse.check.lesson05.alignments import alpha, step_shares, two_frames
from tinycourse.check.lesson05.decoding import greedy
from tinycourse.check.lesson05.steps import transitions

__all__ = ["alpha", "greedy", "step_shares", "transitions", "two_frames"]
