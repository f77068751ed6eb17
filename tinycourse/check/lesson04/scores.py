"""Checks of lesson 04: NetScore, and limits."""

import math

from tinycourse.check.core import UNIT64, exercise, expect, expect_close

# ------------------------------------------------------------------------------------------------ net_score


def slow_score(accuracy, parameters, multiply_adds):
    """In decibels, as a sum of logarithms."""
    return 40 * math.log10(accuracy) - 10 * math.log10(parameters) - 10 * math.log10(multiply_adds)


def natural(accuracy, parameters, multiply_adds):
    """This is the natural logarithm: decibels take the one to base 10, math.log10."""
    return 20 * math.log(accuracy**2 / math.sqrt(parameters * multiply_adds))


def not_squared(accuracy, parameters, multiply_adds):
    """The accuracy counts squared: without it halving a network would excuse almost any loss."""
    return 20 * math.log10(accuracy / math.sqrt(parameters * multiply_adds))


def no_roots(accuracy, parameters, multiply_adds):
    """The roots are missing: parameters and multiply-adds weigh half as much as they do here."""
    return 20 * math.log10(accuracy**2 / (parameters * multiply_adds))


def ten(accuracy, parameters, multiply_adds):
    """The factor in front of the logarithm is 20, not 10."""
    return 10 * math.log10(accuracy**2 / math.sqrt(parameters * multiply_adds))


def without_work(accuracy, parameters, multiply_adds):
    """The multiply-adds were left out."""
    return 20 * math.log10(accuracy**2 / math.sqrt(parameters))


def upside_down_score(accuracy, parameters, multiply_adds):
    """The fraction is upside down: a better network has a higher score."""
    return -slow_score(accuracy, parameters, multiply_adds)


@exercise(reference=slow_score, wrong=[natural, not_squared, no_roots, ten, without_work, upside_down_score])
def net_score(candidate, random):
    """net_score(accuracy in percent, parameters, multiply_adds) -> float.

    Bound: some ten roundings, each of a number below 400.
    """
    for _ in range(5):
        accuracy = float(random.uniform(50, 99))
        parameters, multiply_adds = (int(10**e) for e in (random.uniform(3, 6), random.uniform(5, 8)))
        case = f"accuracy {accuracy:.2f}, {parameters:,} parameters, {multiply_adds:,} multiply-adds"
        got = candidate(accuracy, parameters, multiply_adds)
        expect(isinstance(got, float), case, "a float", type(got).__name__)
        expect_close(got, slow_score(accuracy, parameters, multiply_adds), 10 * 400 * UNIT64, case)


# ------------------------------------------------------------------------------------------------- exceeded


def slow_exceeded(costs, limits):
    """Costs beyond their limit, by what share of it."""
    over = {}
    for name in limits:
        if name in costs and costs[name] > limits[name]:
            over[name] = (costs[name] - limits[name]) / limits[name]
    return over


def all_of_them(costs, limits):
    """Limits that are kept are listed, too: only those that are exceeded are asked for."""
    return {name: costs[name] / limit - 1 for name, limit in limits.items() if name in costs}


def at_the_limit(costs, limits):
    """A cost that is just at its limit was turned away: that is allowed."""
    return {name: costs[name] / limit - 1 for name, limit in limits.items() if name in costs and costs[name] >= limit}


def in_units(costs, limits):
    """These are bytes and counts: asked for is the share of the limit, so that limits of all kinds can be compared."""
    return {name: float(costs[name] - limits[name]) for name in slow_exceeded(costs, limits)}


def of_the_cost(costs, limits):
    """The excess was divided by the cost: divide by the limit."""
    return {name: (costs[name] - limits[name]) / costs[name] for name in slow_exceeded(costs, limits)}


def whole_ratio(costs, limits):
    """This is how many times the limit was spent: a cost that is over by a tenth has an excess of 0.1, not 1.1."""
    return {name: costs[name] / limits[name] for name in slow_exceeded(costs, limits)}


def unknown_is_forbidden(costs, limits):
    """A cost that is not known yet was counted as too high: it cannot be judged yet."""
    return slow_exceeded({name: costs.get(name, math.inf) for name in limits}, limits)


def no_limit_is_zero(costs, limits):
    """A cost without a limit was turned away: a cost that has no limit is free."""
    return {name: cost / limits.get(name, 1) - 1 for name, cost in costs.items() if cost > limits.get(name, 1)}


@exercise(
    reference=slow_exceeded,
    wrong=[all_of_them, at_the_limit, in_units, of_the_cost, whole_ratio, unknown_is_forbidden, no_limit_is_zero],
)
def exceeded(candidate, random):
    """exceeded(costs, limits) -> by what share each limit is exceeded, of those that are. Bound: three roundings."""
    parameters, ram, flash = (int(n) for n in random.integers(1_000, 50_000, 3))
    limits = {"parameters": parameters, "ram": ram, "flash": flash}
    over, under = 1 + float(random.uniform(0.05, 3)), float(random.uniform(0.1, 0.9))
    cases = {
        "everything fits": {name: int(under * limit) for name, limit in limits.items()},
        "just at the limits": dict(limits),
        "one is exceeded": limits | {"ram": int(over * ram) + 1},
        "two are exceeded": limits | {"ram": int(over * ram) + 1, "parameters": 2 * parameters, "flash": 1},
        "RAM is not known yet": {"parameters": int(over * parameters) + 1, "flash": flash},
        "a cost that nobody limits": {"parameters": parameters, "ram": 1, "flash": 1, "instructions": 10**8},
    }
    for case, costs in cases.items():
        said, expected = f"{case}: {costs}, limits {limits}", slow_exceeded(costs, limits)
        got = candidate(costs, limits)
        expect(isinstance(got, dict), said, "a dict", type(got).__name__)
        expect(set(got) == set(expected), said, f"{sorted(expected)} exceeded", f"{sorted(got)}")
        for name, share in expected.items():
            expect_close(got[name], share, 3 * UNIT64 * (1 + share), f"{said}: {name}")
