"""Checks of lesson 09: the peak of a schedule, a first-fit planner, the SMLAD instruction, and prices from counted instructions."""

import itertools

import numpy as np

from tinycourse.check.core import UNIT64, CheckFailed, exercise, expect, expect_array, expect_close

# ------------------------------------------------------------------------------------------- the peak of a schedule


def slow_peak(sizes: dict[str, int], operations: list[tuple[tuple[str, ...], str]], given: str) -> int:
    """Step by step: a tensor lives from when it is written to when nobody reads it any more; the last output stays."""
    result, peak = operations[-1][1], 0
    for step, (_, output) in enumerate(operations):
        written = {given, *(out for _, out in operations[:step])}
        needed = {name for later, _ in operations[step:] for name in later}
        alive = (written & needed) | {output} | ({result} & written)
        peak = max(peak, sum(sizes[name] for name in alive))
    return peak


def all_at_once(sizes, operations, given):
    """These are all tensors together. Only those count that live at the same time."""
    return sum(sizes[name] for name in {given, *(out for _, out in operations)})


def largest_alone(sizes, operations, given):
    """That is the largest tensor. While an operation runs, its inputs and its output have to be there together."""
    return max(sizes[name] for name in {given, *(out for _, out in operations)})


def output_forgotten(sizes, operations, given):
    """The output needs its bytes while the operation still reads its inputs: count it in the step that writes it."""
    peak = 0
    for step in range(len(operations)):
        written = {given, *(out for _, out in operations[:step])}
        needed = {name for later, _ in operations[step:] for name in later}
        peak = max(peak, sum(sizes[name] for name in written & needed))
    return peak


def neighbours_only(sizes, operations, given):
    """A tensor that only a later operation reads waits, and needs its bytes too: that is what a skip costs."""
    return max(sum(sizes[name] for name in {*inputs, output}) for inputs, output in operations)


def read_once(sizes, operations, given):
    """A tensor was dropped after it was read for the first time: it lives until the last operation that reads it."""
    first = {}
    for step, (inputs, _) in enumerate(operations):
        for name in inputs:
            first.setdefault(name, step)
    born = {given: -1} | {out: step for step, (_, out) in enumerate(operations)}
    steps = range(len(operations))
    return max(sum(sizes[n] for n in born if born[n] <= step <= first.get(n, born[n])) for step in steps)


def counted_twice(sizes, operations, given):
    """A tensor that is read twice by one operation, or that waits and is read, still has its bytes only once: use a set."""
    peak, written = 0, [given]
    for step, (inputs, output) in enumerate(operations):
        needed = {name for later, _ in operations[step + 1 :] for name in later}
        waiting = [name for name in written if name in needed]
        peak = max(peak, sum(sizes[name] for name in [*waiting, *inputs, output]))
        written.append(output)
    return peak


def a_schedule(random: np.random.Generator) -> tuple[dict[str, int], list, str]:
    """A product of a tensor with itself, and a skip around two operations; the peak lies in the middle of the skip, and only there."""
    wide, narrow = 4 * int(random.integers(300, 400)), 4 * int(random.integers(20, 40))
    names = "xabcdefg"
    called = {name: f"t{number}" for name, number in zip(names, random.permutation(len(names)))}
    operations = [("x", "a"), ("aa", "b"), ("b", "c"), ("ac", "d"), ("d", "e"), ("e", "f"), ("f", "g")]  # a waits while b becomes c
    sizes = {"x": wide, "a": wide + 4 * int(random.integers(1, 9)), "b": wide + 4 * int(random.integers(10, 19))}
    sizes |= {"c": wide + 4 * int(random.integers(20, 29)), "d": narrow, "e": narrow + 4, "f": narrow + 8, "g": narrow + 12}
    renamed = [(tuple(called[n] for n in inputs), called[output]) for inputs, output in operations]
    return {called[n]: size for n, size in sizes.items()}, renamed, called["x"]


@exercise(
    reference=slow_peak,
    wrong=[all_at_once, largest_alone, output_forgotten, neighbours_only, read_once, counted_twice],
)
def peak(candidate, random):
    """peak(sizes, operations, given) -> int. Integers: exact."""
    cases = [("a chain with a skip", *a_schedule(random)) for _ in range(4)]
    chain = {f"m{i}": 4 * int(random.integers(10, 400)) for i in range(8)}
    cases.append(("a chain without skips", chain, [((f"m{i}",), f"m{i + 1}") for i in range(7)], "m0"))
    for case, sizes, operations, given in cases:
        said = f"{case}: sizes = {sizes}, operations = {operations}, given = {given!r}"
        expected, got = slow_peak(sizes, operations, given), candidate(sizes, operations, given)
        expect(isinstance(got, int | np.integer), said, "an integer", type(got).__name__)
        expect(int(got) == expected, said, f"{expected:,} bytes", f"{int(got):,} bytes")


# -------------------------------------------------------------------------------------------------- a planner


def meet(one: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    """Whether two buffers (bytes, first, last) live at the same time."""
    return one[1] <= other[2] and other[1] <= one[2]


def slow_first_fit(buffers: list[tuple[int, int, int]]) -> list[int]:
    """Try 0, 4, 8, ... for each buffer in turn, until it meets nobody who lives at the same time."""
    offsets = []
    for i, new in enumerate(buffers):
        neighbours = [(offsets[j], offsets[j] + buffers[j][0]) for j in range(i) if meet(new, buffers[j])]
        offset = 0
        while any(offset < end and start < offset + new[0] for start, end in neighbours):
            offset += 4
        offsets.append(offset)
    return offsets


def stacked(buffers):
    """Every buffer has a place of its own: those that never live at the same time may share theirs."""
    return [sum(b[0] for b in buffers[:i]) for i in range(len(buffers))]


def ends_apart(buffers):
    """A buffer is still read in its last step. One that is written in that very step must not lie there: `last` belongs to its life."""
    offsets = []
    for i, (size, first, last) in enumerate(buffers):
        taken = [(offsets[j], offsets[j] + buffers[j][0]) for j in range(i) if first < buffers[j][2] and buffers[j][1] < last]
        tries = sorted({0, *(end for _, end in taken)})
        offsets.append(next(at for at in tries if all(at >= end or at + size <= start for start, end in taken)))
    return offsets


def on_top(buffers):
    """Each was put above all that live at the same time, but there may be a gap below them that is large enough: try every gap."""
    offsets = []
    for i, new in enumerate(buffers):
        offsets.append(max((offsets[j] + buffers[j][0] for j in range(i) if meet(new, buffers[j])), default=0))
    return offsets


def gap_too_small(buffers):
    """A gap was used for what does not fit in: the end of the new buffer has to lie below the next one's beginning."""
    offsets = []
    for i, new in enumerate(buffers):
        taken = [(offsets[j], offsets[j] + buffers[j][0]) for j in range(i) if meet(new, buffers[j])]
        offset = 0
        while any(start <= offset < end for start, end in taken):
            offset = min(end for start, end in taken if start <= offset < end)
        offsets.append(offset)
    return offsets


def largest_first(buffers):
    """They are to be placed in the order in which they are given; sorting them is left to the caller."""
    order = sorted(range(len(buffers)), key=lambda i: -buffers[i][0])
    placed = slow_first_fit([buffers[i] for i in order])
    return [placed[order.index(i)] for i in range(len(buffers))]


def neighbour_in_time(buffers):
    """Only the buffer just before was looked at: a new one may meet any of those that have a place."""
    offsets = [0]
    for one, new in zip(buffers, buffers[1:]):
        offsets.append(offsets[-1] + one[0] if meet(one, new) else 0)
    return offsets


def some_buffers(random: np.random.Generator) -> list[tuple[int, int, int]]:
    """Lifetimes with all that can go wrong: a touch in one step, a gap that fits, a gap that is too small; and some more."""
    unit = 4 * int(random.integers(5, 20))
    fixed = [
        (2 * unit, 0, 1),  # below, and gone after step 1
        (3 * unit, 0, 6),  # stays
        (unit, 1, 3),  # is written while the first is still read
        (unit + 4, 2, 4),  # fits into the gap that the first left
        (4 * unit, 3, 5),  # does not
        (8 * unit, 5, 7),
        (unit, 8, 9),  # alone
        (unit, 0, 9),  # meets everybody
    ]
    more = [(4 * int(random.integers(1, 40)), a := int(random.integers(0, 12)), a + int(random.integers(0, 5))) for _ in range(8)]
    return fixed + more


@exercise(
    reference=slow_first_fit,
    wrong=[stacked, ends_apart, on_top, gap_too_small, largest_first, neighbour_in_time],
)
def first_fit(candidate, random):
    """first_fit(buffers [(bytes, first, last)]) -> offsets. No two that live at the same time overlap; each place is the lowest: exact."""
    for case in range(4):
        buffers = some_buffers(random)
        said = f"list {case + 1}: {buffers}"
        got, right = candidate(buffers), slow_first_fit(buffers)
        expect(isinstance(got, list) and len(got) == len(buffers), said, f"a list of {len(buffers)} offsets", f"{got!r:.80}")
        whole = all(isinstance(at, int | np.integer) and at >= 0 for at in got)
        expect(whole, said, "offsets that are integers, 0 or above", f"{got!r:.80}")
        for i, j in itertools.combinations(range(len(buffers)), 2):
            clash = meet(buffers[i], buffers[j]) and got[i] < got[j] + buffers[j][0] and got[j] < got[i] + buffers[i][0]
            both = f"{buffers[j]} at {got[j]} and {buffers[i]} at {got[i]}"
            expect(not clash, said, "no overlap of two that live at the same time", f"{both} overlap")
        for i, (at, lower) in enumerate(zip(got, right)):
            expect(at == lower, said, f"{buffers[i]} at {lower}, the lowest place that is free for it", f"at {at}")


# ------------------------------------------------------------------------------------------------------- SMLAD


def signed(number: int, bits: int) -> int:
    """The low bits of a number as a signed integer of so many bits."""
    number &= 2**bits - 1
    return number - 2**bits if number >= 2 ** (bits - 1) else number


def packed(low: int, high: int) -> int:
    """Two int16 in one word."""
    return (low & 0xFFFF) | (high & 0xFFFF) << 16


def slow_smlad(a: int, b: int, total: int) -> int:
    """total + low half x low half + high half x high half, halves signed; what is left of it in 32 bits."""
    products = (signed(a >> at, 16) * signed(b >> at, 16) for at in (0, 16))
    return signed(total + sum(products), 32)


def halves_unsigned(a, b, total):
    """The halves are signed: from 2**15 on a half stands for a negative number, the half minus 2**16."""
    return signed(total + (a & 0xFFFF) * (b & 0xFFFF) + (a >> 16) * (b >> 16), 32)


def low_unsigned(a, b, total):
    """The high halves are signed, the low ones are not: both have a sign of their own."""
    return signed(total + (a & 0xFFFF) * (b & 0xFFFF) + signed(a >> 16, 16) * signed(b >> 16, 16), 32)


def crossed(a, b, total):
    """The low half was multiplied with the high one: low goes with low, high with high. (The crossed one exists, too: SMLADX.)"""
    return signed(total + signed(a, 16) * signed(b >> 16, 16) + signed(a >> 16, 16) * signed(b, 16), 32)


def total_forgotten(a, b, total):
    """Both products are there, but the total is not: SMLAD adds them to it."""
    return signed(signed(a, 16) * signed(b, 16) + signed(a >> 16, 16) * signed(b >> 16, 16), 32)


def one_product(a, b, total):
    """One of the two products is missing: the words hold two numbers each."""
    return signed(total + signed(a, 16) * signed(b, 16), 32)


def difference(a, b, total):
    """The products were subtracted from one another. (That is SMLSD, for complex numbers.)"""
    return signed(total + signed(a, 16) * signed(b, 16) - signed(a >> 16, 16) * signed(b >> 16, 16), 32)


def no_register(a, b, total):
    """A register has 32 bits: what goes beyond them is lost, and a result from 2**31 on is a negative number."""
    return total + signed(a, 16) * signed(b, 16) + signed(a >> 16, 16) * signed(b >> 16, 16)


def saturated(a, b, total):
    """The result was kept at the largest number. SMLAD does not saturate: the sum wraps around, as the exporter knows."""
    return max(-(2**31), min(2**31 - 1, no_register(a, b, total)))


@exercise(
    reference=slow_smlad,
    wrong=[halves_unsigned, low_unsigned, crossed, total_forgotten, one_product, difference, no_register, saturated],
)
def smlad(candidate, random):
    """smlad(a, b, total) -> int. Integers: exact."""
    cases = [(packed(300 + i, 500), packed(700, 900 + i), int(random.integers(1000, 9000))) for i in range(2)]
    cases += [(packed(*random.integers(-(2**15), 0, 2).tolist()), packed(*random.integers(1, 2**15, 2).tolist()), 77) for _ in range(4)]
    cases += [(packed(*random.integers(-128, 128, 2).tolist()), packed(*random.integers(-128, 128, 2).tolist()), -5) for _ in range(6)]
    cases.append((packed(-(2**15), -(2**15)), packed(-(2**15), -(2**15)), int(random.integers(2**28, 2**30))))  # beyond 2**31: wraps around
    for a, b, total in cases:
        halves = ", ".join(f"{name} = {signed(x, 16)} and {signed(x >> 16, 16)}" for name, x in (("a", a), ("b", b)))
        said = f"a = {a:#010x}, b = {b:#010x}, total = {total}; low and high: {halves}"
        got, expected = candidate(a, b, total), slow_smlad(a, b, total)
        expect(isinstance(got, int | np.integer), said, "an integer", type(got).__name__)
        expect(int(got) == expected, said, str(expected), str(got))


# ------------------------------------------------------------------------------------------------------ prices


def slow_prices(products: np.ndarray, outputs: np.ndarray, instructions: np.ndarray) -> tuple[float, float]:
    """The two numbers whose sum of squared errors is smallest: both derivatives are zero, two equations, solved by Cramer's rule."""
    pp, oo, po = (products * products).sum(), (outputs * outputs).sum(), (products * outputs).sum()
    pi, oi = (products * instructions).sum(), (outputs * instructions).sum()
    whole = pp * oo - po * po
    return float((pi * oo - oi * po) / whole), float((oi * pp - pi * po) / whole)


def products_only(products, outputs, instructions):
    """All instructions were put down to the products: an output costs some of its own, for its bias, its rescaling and its place."""
    return float((products * instructions).sum() / (products * products).sum()), 0.0


def one_after_the_other(products, outputs, instructions):
    """The price of a product was fitted first, and the outputs got what was left. Both have to be fitted together."""
    each = float((products * instructions).sum() / (products * products).sum())
    return each, float((outputs * (instructions - each * products)).sum() / (outputs * outputs).sum())


def with_a_constant(products, outputs, instructions):
    """A third price, for a call, was fitted as well. It is worth having, but only two are asked for here: no column of ones."""
    columns = np.stack([products, outputs, np.ones_like(products)], 1)
    found = np.linalg.lstsq(columns, instructions, rcond=None)[0]
    return float(found[0]), float(found[1])


def prices_swapped(products, outputs, instructions):
    """The two prices are in the wrong order: first a product's, then an output's."""
    return slow_prices(products, outputs, instructions)[::-1]


def mean_of_ratios(products, outputs, instructions):
    """These are instructions for each product and for each output, every one of them with all instructions. They share them."""
    return float((instructions / products).mean()), float((instructions / outputs).mean())


@exercise(
    reference=slow_prices,
    wrong=[products_only, one_after_the_other, with_a_constant, prices_swapped, mean_of_ratios],
)
def prices(candidate, random):
    """prices(products, outputs, instructions float64 [N]) -> (each product, each output).

    The two columns have a condition below 1e4, for the products for each output differ twentyfold; so the two equations have one below
    1e8, and float64 solves them to within 1e8 x 2**-53 of the result."""
    for case in ("a handful of layers", "many layers"):
        count = 6 if case == "a handful of layers" else 40
        outputs = random.integers(200, 4000, count).astype(np.float64)
        products = outputs * np.concatenate([[4, 80], random.integers(4, 90, count - 2)])
        product, output = float(random.uniform(1.5, 6)), float(random.uniform(20, 90))
        instructions = np.rint(product * products + output * outputs + random.uniform(2000, 9000, count))
        got, right = candidate(products, outputs, instructions), slow_prices(products, outputs, instructions)
        said = f"{case}: {count} layers, made with about {product:.3f} for a product and {output:.1f} for an output"
        if not isinstance(got, tuple) or len(got) != 2:
            raise CheckFailed(said, "(price of a product, price of an output)", f"{got!r:.60}", "Two numbers are asked for, as a tuple.")
        numbers = np.array([float(x) for x in got])
        expect_array(numbers, (2,), np.dtype(np.float64), said)
        expect_close(numbers, np.array(right), 1e8 * UNIT64 * np.abs(right), said)
