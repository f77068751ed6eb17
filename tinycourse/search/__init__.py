"""Networks designed by machine: space, costs, short trainings, the Pareto front.

Lesson 04 teaches it.
Add a choice to `space.py`, a limit to `costs.py`.
"""

from tinycourse.search.pareto import hypervolume, net_score, on_front, rank_correlation

__all__ = ["hypervolume", "net_score", "on_front", "rank_correlation"]
