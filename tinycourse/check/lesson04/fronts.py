"""Checks of lesson 04: the Pareto front, and its hypervolume."""

import numpy as np

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
