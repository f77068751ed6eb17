"""Weights that leave while a network is trained: schedule, masks, pruner.

Lesson 07 teaches it.
Change who leaves in `masks.py`, when in `schedule.py`.
"""

from tinycourse.pruning.masks import choose, prunable
from tinycourse.pruning.pruner import Pruner
from tinycourse.pruning.schedule import PruneConfig, Schedule

__all__ = ["PruneConfig", "Pruner", "Schedule", "choose", "prunable"]
