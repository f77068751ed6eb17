"""Checks of lesson 04: the Pareto front, NetScore, limits, hypervolume, and a search by regularised evolution."""

import math
import zlib
from operator import itemgetter
from random import Random

import numpy as np
import optuna

from tinycourse.check.core import UNIT64, exercise, expect, expect_array, expect_close

# -------------------------------------------------------------------------------------------- pareto_front


def slow_front(points):
    """A point stays unless some other one is nowhere larger and somewhere smaller."""
    return np.array([not any(all(q <= p) and any(q < p) for q in points) for p in points])


def smaller_everywhere(points):
    """A point was kept although another one is smaller in one objective and equal in the other: that beats it, too."""
    return np.array([not any(all(q < p) for q in points) for p in points])


def equals_beat(points):
    """Of two equal points each threw out the other: to beat, a point has to be smaller somewhere."""
    return np.array([not any(all(q <= p) for j, q in enumerate(points) if j != i) for i, p in enumerate(points)])


def upside_down(points):
    """These are the points that are large in both objectives: here small is good."""
    return slow_front(-points)


def extremes(points):
    """Only the best in each objective were kept: a good compromise belongs to the front, too."""
    return (points == points.min(0)).any(1) & slow_front(points)


def best_sum(points):
    """The objectives were added up: a front needs no weights, that is its point."""
    return points.sum(1) == points.sum(1).min()


def neighbours(points):
    """Each point was compared with the one before it only: compare it with all others."""
    order = np.lexsort((points[:, 1], points[:, 0]))
    stays = np.ones(len(points), bool)
    stays[order[1:]] = points[order[1:], 1] < points[order[:-1], 1]
    return stays


@exercise(reference=slow_front, wrong=[smaller_everywhere, equals_beat, upside_down, extremes, best_sum, neighbours])
def pareto_front(candidate, random):
    """pareto_front(points float64 [N, 2]) -> bool [N]: whether no other point is nowhere larger and somewhere smaller."""
    n = int(random.integers(8, 14))
    line = np.sort(random.choice(100, n, replace=False)).astype(float)
    staircase = np.stack([line, line[::-1] ** 2], 1)  # all on the front, hollow in the middle
    both = staircase[[0, 2, 4]] + [[0.0, 1.0], [0.0, 0.0], [5.0, 1e4]]
    cases = {
        "points drawn at random": random.normal(size=(4 * n, 2)),
        "none beats another": random.permutation(staircase),
        "some share a value": random.permutation(np.concatenate([staircase, both])),
        "every point twice": random.permutation(np.concatenate([staircase, staircase])),
        "one beats all": np.concatenate([[[-1.0, -1.0]], staircase]),
        "a single point": random.normal(size=(1, 2)),
    }
    for case, points in cases.items():
        got, expected = candidate(points), slow_front(points)
        expect_array(got, (len(points),), np.dtype(bool), case)
        wrong = np.flatnonzero(got != expected)
        if len(wrong):
            i = wrong[0]
            word = {True: "on the front", False: "beaten"}
            expect(False, f"{case}: point {points[i].round(3).tolist()}", word[bool(expected[i])], word[bool(got[i])])


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


# ---------------------------------------------------------------------------------------------- hypervolume


def slow_hypervolume(points, reference):
    """A grid through all coordinates: the cells whose lower corner some point beats."""
    points = set(map(tuple, points))
    points = [(x, y) for x, y in points if not any(a <= x and b <= y for a, b in points if (a, b) != (x, y))]  # fewer cells, the same area
    xs = sorted({*(x for x, _ in points if x < reference[0]), reference[0]})
    ys = sorted({*(y for _, y in points if y < reference[1]), reference[1]})
    area = 0.0
    for left, right in zip(xs, xs[1:]):
        for low, high in zip(ys, ys[1:]):
            if any(x <= left and y <= low for x, y in points):
                area += (right - left) * (high - low)
    return area


def overlapping(points, reference):
    """What two points both beat was counted twice: the rectangles overlap."""
    return float(sum(max(0.0, reference[0] - x) * max(0.0, reference[1] - y) for x, y in points))


def swept(points, reference, counts):
    """What the wrong answers share: a strip for each point (x, y) that `counts`, from the height of the one before down to its own."""
    area, height = 0.0, reference[1]
    for x, y in points:
        if counts(x, y, height):
            area += (reference[0] - x) * (height - y)
            height = y
    return float(area)


def unsorted(points, reference):
    """The points were taken in the order given: sort them by their first objective."""
    return swept(points, reference, lambda x, y, height: x < reference[0] and y < height)


def beyond_counts(points, reference):
    """A point that does not beat the reference counts nothing: its rectangle has no area, not a negative one, nor one outside."""
    return swept(sorted(map(tuple, points)), reference, lambda x, y, height: y < height)


def beaten_counts(points, reference):
    """Beaten points take area away here: skip them, for the point that beats one covers all of its area."""
    return swept(sorted(map(tuple, points)), reference, lambda x, y, height: x < reference[0] and y < reference[1])


def best_alone(points, reference):
    """This is the largest single rectangle: the points of a front beat more together."""
    return float(max([max(0.0, reference[0] - x) * max(0.0, reference[1] - y) for x, y in points], default=0.0))


def left_over(points, reference):
    """This is the part of the rectangle from 0 to the reference that no point beats: the other part is asked for."""
    return reference[0] * reference[1] - slow_hypervolume(points, reference)


@exercise(
    reference=slow_hypervolume,
    wrong=[overlapping, unsorted, beyond_counts, beaten_counts, best_alone, left_over],
)
def hypervolume(candidate, random):
    """hypervolume(points float64 [N, 2], reference) -> float. Bound: a product and a sum for every point."""
    n = int(random.integers(5, 9))
    line = np.sort(random.choice(np.arange(1, 40), n, replace=False)) / 40
    staircase = random.permutation(np.stack([line, line[::-1]], 1))
    staircase = staircase if (np.diff(staircase[:, 0]) < 0).any() else staircase[::-1].copy()
    outside = np.array([[1.4, 0.01], [0.01, 1.7], [2.0, 2.0]])
    inside = staircase[:3] + (1 - staircase[:3]) * random.uniform(0.2, 0.6, (3, 2))
    cases = {
        "a single point": staircase[:1],
        "a front, not in order": staircase,
        "with points that are beaten": random.permutation(np.concatenate([staircase, inside])),
        "with points that do not beat the reference": np.concatenate([staircase, outside]),
        "no point": np.empty((0, 2)),
    }
    reference = (1.0, 1.0 + float(random.integers(0, 3)) / 4)
    for case, points in cases.items():
        said, expected = f"{case}: {points.round(3).tolist()}, reference {reference}", slow_hypervolume(points, reference)
        got = candidate(points, reference)
        expect(isinstance(got, float), said, "a float", type(got).__name__)
        expect_close(got, expected, 100 * (len(points) + 1) * UNIT64, said)  # the grid of the reference has up to a hundred cells


# --------------------------------------------------------------------------------------------------- evolve
# Designs are lineages here: a founder is (number,), a child its parent's design and one number more.


def found(random):
    """A founder."""
    return (random.randrange(10**6),)


def change(design, random):
    """A child."""
    return (*design, random.randrange(10**6))


def price(design):
    """A number in 0 .. 1 that looks random and is always the same."""
    return zlib.crc32(repr(design).encode()) / 2**32


def slow_evolve(open_study, draw, mutate, judge, population, sample, trials, seed, choose=min, forget="oldest", of="alive", told=True):
    """Regularised evolution: the best of a few has a child, the oldest dies. With other options it is a wrong answer."""
    random, study, alive, everybody = Random(seed), open_study(), [], []
    for i in range(trials):
        if i < population or of == "nobody":
            design = draw(random)
        else:
            there = alive if of == "alive" else everybody
            design = mutate(choose(random.sample(there, sample), key=itemgetter(0))[1], random)
        trial, value = study.ask(), judge(design)
        trial.set_user_attr("design", design)
        if told:
            study.tell(trial, value)
        alive.append((value, design))
        everybody.append((value, design))
        if len(alive) > population:
            alive.remove(alive[0] if forget == "oldest" else max(alive, key=itemgetter(0)))
    return [(t.value, t.user_attrs["design"]) for t in study.trials]


def worst_dies(*a):
    """The worst member dies instead of the oldest: a lucky measurement then lives forever, which is what ageing prevents."""
    return slow_evolve(*a, forget="worst")


def worst_has_children(*a):
    """The largest value of the sample was chosen as parent: the values are errors, the smallest is best."""
    return slow_evolve(*a, choose=max)


def first_has_children(*a):
    """The parent is a member drawn at random: it has to be the best one of the sample."""
    return slow_evolve(*a, choose=lambda those, key: those[0])


def from_everybody(*a):
    """The sample was drawn from all designs so far: only the youngest `population` of them are alive."""
    return slow_evolve(*a, of="everybody")


def never_mutates(*a):
    """Every design was drawn anew, which is random search: after the founders each one is a mutated parent."""
    return slow_evolve(*a, of="nobody")


def never_tells(*a):
    """Trials were asked for and their values never told: study.tell(trial, value)."""
    return slow_evolve(*a, told=False)


def too_many(open_study, draw, mutate, judge, population, sample, trials, seed):
    """The founders count as trials, too: there are `trials` designs in all."""
    return slow_evolve(open_study, draw, mutate, judge, population, sample, trials + population, seed)


@exercise(
    reference=slow_evolve,
    wrong=[worst_dies, worst_has_children, first_has_children, from_everybody, never_mutates, never_tells, too_many],
)
def evolve(candidate, random):
    """evolve(open_study, draw, mutate, judge, population, sample, trials, seed) -> [(value, design), ...].

    What is asserted follows from the definition for every draw: who may be a parent, and who must be.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    studies = []

    def open_study():
        studies.append(optuna.create_study())
        return studies[-1]

    population = int(random.integers(5, 8))
    cases = {"a sample of all who are alive": population, "a sample of two": 2}
    for case, sample in cases.items():
        trials = 8 * population
        seed = int(random.integers(2**31))
        said = f"{case}: population {population}, {trials} trials, seed {seed}"
        studies.clear()
        got = candidate(open_study, found, change, price, population, sample, trials, seed)
        expect(len(studies) == 1, said, "one study opened", f"{len(studies)}")
        finished = [t for t in studies[0].trials if t.state == optuna.trial.TrialState.COMPLETE]
        expect(len(finished) == trials, said, f"{trials} trials told", f"{len(finished)}")
        judge_lineages(said, finished, population, sample)
        told = [(t.value, tuple(t.user_attrs["design"])) for t in finished]
        cause = "Return value and design of every trial, in the order of the trials."
        expect([(v, tuple(d)) for v, d in got] == told, said, "(value, design) of every trial", "something else", cause)


def judge_lineages(said: str, trials: list, population: int, sample: int) -> None:
    """Every child's parent has to be alive, and as good as the sample demands."""
    cause = 'Keep every design with its trial: trial.set_user_attr("design", design).'
    expect(all("design" in t.user_attrs for t in trials), said, "a design in every trial", "none", cause)
    designs = [tuple(t.user_attrs["design"]) for t in trials]
    for i, (design, trial) in enumerate(zip(designs, trials)):
        case = f"{said}, trial {i}"
        expect_close(trial.value, price(design), UNIT64, f"{case}: the value told")
        founder = len(design) == 1
        expect(founder == (i < population), case, "a founder" if i < population else "a child", "a founder" if founder else "a child")
        if founder:
            continue
        alive = sorted(designs[i - population : i], key=price)
        place = alive.index(design[:-1]) if design[:-1] in alive else None
        words = "nobody who is alive" if place is None else f"number {place + 1} by value"
        wanted = f"a parent among the best {population - sample + 1} of {population}"
        expect(place is not None and place <= population - sample, case, wanted, words)
