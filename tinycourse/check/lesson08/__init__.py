"""Checks of lesson 08: scale and zero point, requantization, a scale for each row, a sigmoid from a table, and an integer cell."""

from tinycourse.check.lesson08.recurrent import integer_cell, sigmoid_from_table
from tinycourse.check.lesson08.requantization import requantize
from tinycourse.check.lesson08.scales import affine, round_rows

__all__ = ["affine", "integer_cell", "requantize", "round_rows", "sigmoid_from_table"]
