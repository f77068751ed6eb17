"""Checks of lesson 08: a sigmoid from a table, and an integer cell."""

import numpy as np

from tinycourse.check.core import CheckFailed, exercise, expect_array

# ------------------------------------------------------------------------------------------ a sigmoid from a table


def slow_sigmoid(x: np.ndarray, table: np.ndarray) -> np.ndarray:
    """On straight lines between 257 entries, for int16 x from -2**15 on in steps of 2**8; rounded half up."""
    y = []
    for number in x.tolist():
        place, rest = divmod(number + 2**15, 2**8)
        y.append((int(table[place]) * (2**8 - rest) + int(table[place + 1]) * rest + 2**7) >> 8)
    return np.array(y, np.int64)


def parted(x):
    """(place, rest) of x."""
    return (x.astype(np.int64) + 2**15) >> 8, (x.astype(np.int64) + 2**15) & 255


def stairs(x, table):
    """The table was read, but between its entries nothing happens: go along the straight line to the next one."""
    return table[parted(x)[0]]


def half_forgotten(x, table):
    """The last shift rounds down: add half of 2**8 before it."""
    place, rest = parted(x)
    return (table[place] * (256 - rest) + table[place + 1] * rest) >> 8


def weights_swapped(x, table):
    """The nearer entry has to count more: where rest is 0, all of it is table[place]."""
    place, rest = parted(x)
    return (table[place] * rest + table[place + 1] * (256 - rest) + 128) >> 8


def rest_of_255(x, table):
    """The two shares have to add up to 256: 256 - rest and rest."""
    place, rest = parted(x)
    return (table[place] * (255 - rest) + table[place + 1] * rest + 128) >> 8


def zero_first(x, table):
    """Entry 0 belongs to the smallest x, -2**15: add 2**15 to x before it becomes a place."""
    place, rest = (x.astype(np.int64) >> 8) % 256, x.astype(np.int64) & 255
    return (table[place] * (256 - rest) + table[place + 1] * rest + 128) >> 8


def rounded_place(x, table):
    """The place was rounded to the nearest entry: it is the entry *below* x, and the rest says how far beyond it."""
    place, rest = parted(x)
    place = np.minimum(place + (rest >= 128), 255)
    return (table[place] * (256 - rest) + table[place + 1] * rest + 128) >> 8


@exercise(
    reference=slow_sigmoid,
    wrong=[stairs, half_forgotten, weights_swapped, rest_of_255, zero_first, rounded_place],
)
def sigmoid_from_table(candidate, random):
    """sigmoid_from_table(x int16 [N], table int64 [257]) -> int64 [N]. Integers: exact, for any table that rises."""
    edges = np.array([-(2**15), -(2**15) + 1, -1, 0, 1, 255, 256, 2**15 - 1], np.int16)
    for case in ("a sigmoid", "a table that rises somehow"):
        if case == "a sigmoid":
            table = np.rint(2**15 / (1 + np.exp(-(np.arange(257) / 16 - 8)))).astype(np.int64)
        else:
            table = np.cumsum(random.integers(20, 120, 257)).astype(np.int64)
        x = np.concatenate([edges, random.integers(-(2**15), 2**15, 200).astype(np.int16)])
        got = candidate(x, table)
        expected = slow_sigmoid(x, table)
        expect_array(got, expected.shape, np.dtype(np.int64), case)
        wrong = np.flatnonzero(got != expected)
        if len(wrong):
            i = wrong[0]
            place, rest = divmod(int(x[i]) + 2**15, 2**8)
            between = f"{expected[i]} for x = {x[i]}: {rest} / 256 of the way from {table[place]} to {table[place + 1]}"
            raise CheckFailed(case, between, str(got[i]))


# ------------------------------------------------------------------------------------------------ an integer cell


def slow_cell(f: np.ndarray, i: np.ndarray, g: np.ndarray, c: np.ndarray, bits: int, limit: int) -> np.ndarray:
    """f c + i g, unit by unit: both products with 15 + bits after the point, added, rounded to bits, and kept within the limit."""
    cells = []
    for one_f, one_i, one_g, one_c in zip(*(a.tolist() for a in (f, i, g, c))):
        left = 15 - bits  # i g has 30 bits after the point: so many more than f c
        new = (one_i * one_g + 2 ** (left - 1)) >> left
        total = (one_f * one_c + new + 2**14) >> 15
        cells.append(max(-limit, min(limit, total)))
    return np.array(cells, np.int64)


def halved(x, shift):
    """x / 2**shift, rounded half up."""
    return (x + (1 << (shift - 1))) >> shift


def not_aligned(f, i, g, c, bits, limit):
    """f c has 15 + bits after the point and i g has 30: bring i g to the same number of bits before they are added."""
    return np.clip(halved(f * c + i * g, 15), -limit, limit)


def aligned_to_the_gates(f, i, g, c, bits, limit):
    """i g was brought to 15 bits after the point, as its gates have, but f c has 15 + bits: shift i g by 15 - bits only."""
    return np.clip(halved(f * c + halved(i * g, 15), 15), -limit, limit)


def gates_swapped(f, i, g, c, bits, limit):
    """The input gate keeps the old cell here: f goes with c, and i with the new value g."""
    return np.clip(halved(i * c + halved(f * g, 15 - bits), 15), -limit, limit)


def never_kept(f, i, g, c, bits, limit):
    """The old cell is gone: the forget gate says which share of it stays."""
    return np.clip(halved(halved(i * g, 15 - bits), 15), -limit, limit)


def unlimited(f, i, g, c, bits, limit):
    """The cell left its limit: clamp it to -limit..limit, or the next frame wraps around in int16."""
    return halved(f * c + halved(i * g, 15 - bits), 15)


def limited_above(f, i, g, c, bits, limit):
    """Only large numbers were limited: a cell below -limit overflows as well."""
    return np.minimum(halved(f * c + halved(i * g, 15 - bits), 15), limit)


def cut(f, i, g, c, bits, limit):
    """The last shift rounds down: add half before it. Otherwise every cell leaks downwards, frame by frame."""
    return np.clip((f * c + halved(i * g, 15 - bits)) >> 15, -limit, limit)


@exercise(
    reference=slow_cell,
    wrong=[
        not_aligned,
        aligned_to_the_gates,
        gates_swapped,
        never_kept,
        unlimited,
        limited_above,
        cut,
    ],
)
def integer_cell(candidate, random):
    """integer_cell(f, i, g, c int64 [units], bits, limit) -> int64 [units]. Integers: exact."""
    for case, bits, limit in (("cells up to 8", 12, 2**15 - 1), ("cells clipped at 10", 11, 10 * 2**11), ("cells up to 64", 9, 2**15 - 1)):
        units = 200
        f, i = (random.integers(0, 2**15, units) for _ in range(2))
        g = random.integers(-(2**15) + 1, 2**15, units)
        c = random.integers(-limit, limit + 1, units)
        f[:4], i[:4], g[:4], c[:4] = 2**15 - 1, 2**15 - 1, [2**15 - 1, -(2**15) + 1] * 2, [limit, -limit] * 2  # full cells, filled further
        said = f"{case}: bits = {bits}, limit = {limit}"
        expected = slow_cell(f, i, g, c, bits, limit)
        got = candidate(f, i, g, c, bits, limit)
        expect_array(got, expected.shape, np.dtype(np.int64), said)
        wrong = np.flatnonzero(got != expected)
        if len(wrong):
            n = wrong[-1]
            given = f"f = {f[n]}, i = {i[n]}, g = {g[n]}, c = {c[n]}"
            raise CheckFailed(said, f"{expected[n]} for {given}", str(got[n]))
