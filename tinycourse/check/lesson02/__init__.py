"""Checks of lesson 02: a layer's cost, a separable layer, what a stack sees, batch norm folded, misses and false alarms."""

from tinycourse.check.lesson02.costs import conv_cost, receptive_field
from tinycourse.check.lesson02.detection import operating_point
from tinycourse.check.lesson02.layers import fold_norm, separable

__all__ = ["conv_cost", "fold_norm", "operating_point", "receptive_field", "separable"]
