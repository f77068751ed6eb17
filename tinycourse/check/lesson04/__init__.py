"""Checks of lesson 04: the Pareto front, NetScore, limits, hypervolume, and a search by regularised evolution."""

from tinycourse.check.lesson04.evolution import evolve
from tinycourse.check.lesson04.fronts import hypervolume, pareto_front
from tinycourse.check.lesson04.scores import exceeded, net_score

__all__ = ["evolve", "exceeded", "hypervolume", "net_score", "pareto_front"]
