# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,alt,-all
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04 Machine-driven design: exercises
#
# [Lesson 04](../notebooks/04_exploration.ipynb) let a machine design networks. Here you write its parts: `pareto_front` finds the networks that no other
# one beats, `net_score` and `hypervolume` turn networks and fronts into numbers, `exceeded` checks the limits, and `evolve` is a
# complete search of your own. At the end it designs networks, on your computer, with your functions.
#
# **How it works.** Write your answer where it says `YOUR CODE HERE` and remove the line `raise NotImplementedError()`.
# Run the cell, then the check below it. The check draws new inputs each time and says *passed*, or what it expected, what it
# got, and what is probably the matter. Three hints stand below each check. If you are stuck, go on: the catch-up line puts a
# slow but right version in place, and says so.

# %%
import math
from collections.abc import Callable
from random import Random

import matplotlib.pyplot as plt
import numpy as np
import optuna

from tinycourse import check
from tinycourse.models import TINYSPEECH_DESIGNS
from tinycourse.plots import lesson04 as figures
from tinycourse.search import costs, explore, proxy, records, space
from tinycourse.studies import lesson04 as study
from tinycourse.studies import published_results

optuna.logging.set_verbosity(optuna.logging.ERROR)
rows = records.trained_rows(records.read_record(study.STUDY))  # the long search of the lesson, on real recordings
points = np.array([(row["error"], row["costs"]["parameters"]) for row in rows])  # [N, 2]
print(f"{len(points)} networks were trained; each has an error and a number of weights")

# %% [markdown]
# ## Exercise 1: the front
# <!-- card pareto_front difficulty=2 importance=5 minutes=15 points=3 -->
#
# Every network has several prices, here two: its error and its weights. **Small is good.** A network *beats* another one if it is nowhere
# larger and somewhere smaller. Those that no other one beats are the Pareto front: each of them is the right choice for somebody. **Write
# `pareto_front`.** Mind two things. To be equal in one price and smaller in the other is enough to beat. Two networks with the same prices do not beat each other.


# %%
def pareto_front(points: np.ndarray) -> np.ndarray:
    """Which points are beaten by no other.

    points: float64 [N, 2], both objectives to be small.
    Returns bool [N]: True where no other point is nowhere larger and somewhere smaller.

    >>> pareto_front(np.array([[1.0, 3.0], [2.0, 2.0], [2.0, 3.0], [2.0, 2.0]])).tolist()
    [True, True, False, True]
    """
    ### BEGIN SOLUTION
    nowhere_larger = (points[None] <= points[:, None]).all(2)  # [N, N]: row i, is j nowhere larger?
    somewhere_smaller = (points[None] < points[:, None]).any(2)
    return ~(nowhere_larger & somewhere_smaller).any(1)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson04.pareto_front(pareto_front)
### BEGIN HIDDEN TESTS
check.lesson04.pareto_front.grade(pareto_front)
assert pareto_front(np.array([[0.0, 1.0], [0.0, 0.5], [1.0, 0.5]])).tolist() == [False, True, False]
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Begin with two loops: for each point, look at every other point. A point stays if none of them beats it. For points p and q, q beats p if
# `all(q <= p)` and `any(q < p)`.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# You need not skip the point itself: it is nowhere smaller than itself, so it does not beat itself.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Without loops: `points[None] <= points[:, None]` has the shape [N, N, 2] and compares every point with every other. Take `.all(2)` of it, `.any(2)` of
# the strict comparison, and `.any(1)` of both together.
# </details>

# %%
pareto_front = check.lesson04.pareto_front.catch_up(pareto_front)

# %% [markdown]
# ### Your front of the long search
# Hundreds of networks, and only a handful of them is worth a second look.

# %% alt="Error over weights of all networks that were trained; a few on the lower left edge are joined by steps: the front."
best = pareto_front(points)
print(f"{best.sum()} of {len(points)} are on the front")
figures.front(points, best);

# %% [markdown]
# ## Exercise 2: NetScore
# <!-- card net_score difficulty=1 importance=3 minutes=5 points=2 -->
#
# A front is a set, and sometimes one number is wanted. The paper's search maximised NetScore (TinySpeech paper, section 3.1):
#
# $$20 \log_{10} \frac{\text{accuracy}^2}{\sqrt{\text{parameters}} \, \sqrt{\text{multiply-adds}}}.$$
#
# **Write `net_score`.** The accuracy is in percent, the other two are plain numbers. Other units would add the same amount to all scores.


# %%
def net_score(accuracy: float, parameters: float, multiply_adds: float) -> float:
    """NetScore in decibels.

    accuracy: percent. parameters, multiply_adds: how many.

    >>> round(net_score(90.0, 10_000, 1_000_000), 3)
    -21.83
    """
    ### BEGIN SOLUTION
    return 20 * math.log10(accuracy**2 / math.sqrt(parameters * multiply_adds))
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson04.net_score(net_score)
### BEGIN HIDDEN TESTS
check.lesson04.net_score.grade(net_score)
assert abs(net_score(100.0, 100, 100) - 40) < 1e-9
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# `math.sqrt`, `math.log10`, and `accuracy**2`.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# The product of two roots is the root of the product.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# `20 * math.log10(accuracy**2 / math.sqrt(parameters * multiply_adds))`
# </details>

# %%
net_score = check.lesson04.net_score.catch_up(net_score)

# %% [markdown]
# ### What it likes
# The networks of the paper's table 1, and others, by your score. Half the weights are worth as much as a fifth more accuracy, so it prefers small networks: whoever
# needs a certain accuracy has to ask for it with a constraint, as the paper did.

# %% tags=["nbval-check-output"]
table = {n.name: net_score(n.accuracy, n.parameters, n.multiply_adds) for n in published_results.PUBLISHED}
for name in sorted(table, key=table.get, reverse=True)[:8]:
    network = next(n for n in published_results.PUBLISHED if n.name == name)
    print(f"{name:16}{table[name]:7.1f} dB{network.accuracy:7.1f} % accuracy, {network.parameters:10,.0f} weights")

# %% [markdown]
# ## Exercise 3: limits
# <!-- card exceeded difficulty=2 importance=5 minutes=10 points=2 -->
#
# A network that does not fit the chip is not worth a second of training. Its costs are known before: weights, multiply-adds, flash and RAM. **Write
# `exceeded`:** which limits does it exceed, and by what share of the limit? A share, because a search that is told *how far* it is off can
# do better next time, and because bytes and multiply-adds cannot be compared otherwise. To spend exactly the limit is allowed. A cost that is not known yet cannot be
# judged, and a cost that nobody limits is free.


# %%
def exceeded(costs: dict[str, int], limits: dict[str, int]) -> dict[str, float]:
    """Of the limits that are exceeded: by what share of the limit.

    costs, limits: numbers by name; a name may be missing in either.

    >>> exceeded({"ram": 48_000, "flash": 900}, {"ram": 32_000, "flash": 1_000, "instructions": 5})
    {'ram': 0.5}
    """
    ### BEGIN SOLUTION
    excess = {name: costs[name] / limit - 1 for name, limit in limits.items() if name in costs}
    return {name: share for name, share in excess.items() if share > 0}
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson04.exceeded(exceeded)
### BEGIN HIDDEN TESTS
check.lesson04.exceeded.grade(exceeded)
assert exceeded({"ram": 10}, {"ram": 10, "flash": 5}) == {}
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Go through the limits, not through the costs: what has no limit never comes up.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# `if name in costs and costs[name] > limits[name]`
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# The share is `costs[name] / limits[name] - 1`.
# </details>

# %%
exceeded = check.lesson04.exceeded.catch_up(exceeded)

# %% [markdown]
# ### Does TinySpeech fit?
# The paper's networks, and one of them without its second pooling: what a chip with 32 KB of RAM says <!-- definition -->. The RAM is planned by the exporter, as in lesson 00.

# %% tags=["nbval-check-output"]
from dataclasses import asdict, replace

limits = {name: limit for name, limit in asdict(costs.PRESETS["cortex-m0plus"]).items() if limit}
guests = {f"TinySpeech-{letter.upper()}": design for letter, design in TINYSPEECH_DESIGNS.items()}
guests["M without a pool"] = replace(TINYSPEECH_DESIGNS["m"], stem_pool=(1, 1))
for name, design in guests.items():
    spent = asdict(costs.plan(design))
    verdict = ", ".join(f"{what} over by {share:.0%}" for what, share in exceeded(spent, limits).items())
    print(f"{name:18}{spent['parameters']:7,} weights, {spent['ram']:7,} bytes of RAM: {verdict or 'fits'}")

# %% [markdown]
# ## Exercise 4: how good is a front?
# <!-- card hypervolume difficulty=3 importance=4 minutes=15 points=3 -->
#
# Two searches give two fronts. Which one is better? If they cross, neither. A fair number is the **hypervolume**: the area of all that the front beats, up to a
# reference point that is worse than everything of interest. It grows whenever a front gets better anywhere. **Write `hypervolume`** for two
# objectives. The area is a staircase; do not count a step twice.


# %%
def hypervolume(points: np.ndarray, reference: tuple[float, float]) -> float:
    """The area that points beat, up to `reference`.

    points: float64 [N, 2], both objectives to be small, in any order, perhaps beaten by each other, perhaps beyond the reference.
    Returns the area of all (x, y) with x < reference[0], y < reference[1] and some point (a, b) with a <= x and b <= y.

    >>> hypervolume(np.array([[1.0, 3.0], [2.0, 1.0]]), (4.0, 4.0))
    7.0
    """
    ### BEGIN SOLUTION
    area, height = 0.0, reference[1]
    for x, y in sorted(map(tuple, points)):
        if x < reference[0] and y < height:
            area += float((reference[0] - x) * (height - y))
            height = y
    return area
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson04.hypervolume(hypervolume)
### BEGIN HIDDEN TESTS
check.lesson04.hypervolume.grade(hypervolume)
assert hypervolume(np.array([[0.0, 2.0], [1.0, 1.0], [3.0, 0.0], [1.5, 1.5]]), (2.0, 2.0)) == 1.0
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Draw the docstring's example. Point (1, 3) beats a rectangle of 3 by 1, point (2, 1) one of 2 by 3, and they share 2 by 1.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# Go through the points from small to large x. Each one adds a slab that reaches from its own y up to the lowest y so far, and from its x to the reference.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Keep `height`, at first `reference[1]`. For each (x, y) in sorted order with `x < reference[0]` and `y < height`: add `(reference[0] - x) * (height - y)`, then
# let y be the new height.
# </details>

# %%
hypervolume = check.lesson04.hypervolume.catch_up(hypervolume)

# %% [markdown]
# ### The long search, network by network
# Your function, after every training of the long search: how fast does it learn where to look? A steep step is a lucky find.

# %% alt="Hypervolume over the number of networks trained: it rises steeply at first, and by small steps later."
found = [hypervolume(points[: n + 1], records.REFERENCE) / math.prod(records.REFERENCE) for n in range(len(points))]
figure, axes = plt.subplots(figsize=(7, 2.6))
axes.plot(range(1, len(found) + 1), found)
axes.set_xlabel("networks trained")
axes.set_ylabel("hypervolume")
plt.show()

# %% [markdown]
# ## Exercise 5: a search of your own
# <!-- card evolve difficulty=4 importance=5 minutes=30 points=5 -->
#
# Regularised evolution (Real et al. 2019, arXiv 1802.01548) is a search that fits on a card:
#
# 1. The first `population` designs are drawn at random.
# 2. From then on: take `sample` different members of the living population at random, and the best of *them* has a child, which is a mutated copy.
# 3. The child joins the population, and **the oldest member dies**, however good it is. A design that was measured too well by luck is gone soon; its children have to prove themselves.
#
# Use Optuna as the book-keeper. `study.ask()` opens a trial, its `set_user_attr` notes what was tried, here as `"design"`, and
# `study.tell` closes it with its value. That is Optuna's ask-and-tell interface, and it carries any search that you can think of. **Write `evolve`.** Small values are good.


# %%
def evolve(
    open_study: Callable, draw: Callable, mutate: Callable, judge: Callable, population: int, sample: int, trials: int, seed: int
) -> list[tuple[float, object]]:
    """Regularised evolution, `trials` designs in all, the founders among them.

    open_study: () -> an Optuna study; open one. draw: (random) -> a design. mutate: (design, random) -> another design.
    judge: (design) -> its value, to be small. population: how many are alive. sample: of how many the best has a child.
    seed: of the one random.Random that draws, samples and mutates. Returns (value, design) of every trial, in order.

    >>> numbers = evolve(optuna.create_study, lambda r: r.randint(50, 99), lambda n, r: n - 1, float, 3, 3, 8, seed=0)
    >>> [value for value, _ in numbers[3:]] == [min(value for value, _ in numbers[:3]) - i for i in range(1, 6)]
    True
    """
    ### BEGIN SOLUTION
    random, study, alive = Random(seed), open_study(), []
    for i in range(trials):
        if i < population:
            design = draw(random)
        else:
            _, parent = min(random.sample(alive, sample), key=lambda member: member[0])
            design = mutate(parent, random)
        trial, value = study.ask(), judge(design)
        trial.set_user_attr("design", design)
        study.tell(trial, value)
        alive = [*alive, (value, design)][-population:]
    return [(trial.value, trial.user_attrs["design"]) for trial in study.trials]
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson04.evolve(evolve)
### BEGIN HIDDEN TESTS
check.lesson04.evolve.grade(evolve)
assert len(evolve(optuna.create_study, lambda r: r.random(), lambda n, r: n / 2, float, 4, 2, 10, 1)) == 10
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# One loop over `range(trials)`, and one list `alive` of (value, design). In the loop: choose a design, ask, note, judge, tell, append; then forget
# the first member if there are more than `population`.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# `random.sample(alive, sample)` draws different members. `min(those, key=lambda member: member[0])` is the best of them. The oldest one stands first in the list, because you append at
# the end.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Append the child to `alive`, and keep the last `population` of that list: birth and death in one line. At the end read the result out of `study.trials`: each has `.value` and
# `.user_attrs["design"]`.
# </details>

# %%
evolve = check.lesson04.evolve.catch_up(evolve)

# %% [markdown]
# ### Let it design
# Everything together: your evolution draws and mutates networks of attention condensers, your limits turn away what is too large, and what remains is trained on the bundled words for a
# moment. A design that is turned away gets an error above all others, by how far it is off: so evolution learns the limits as well.


# %%
heard = proxy.Proxy(data="tinywords", extra_unknown=(), training_clips=400, validation_clips=200, epochs=1 if session.fast else 2)
sounds = proxy.sounds_of(heard, explore.cache())
allowed = {"parameters": 10_800, "multiply_adds": 1_878_571}  # what TinySpeech-X spends


def judge(design) -> float:
    """Error after a moment of training; 1 and more for a design that exceeds a limit."""
    excess = exceeded(asdict(costs.count(design)), allowed)
    return 1 + max(excess.values()) if excess else explore.measure(design, sounds, heard)["error"]


def drawn(random: Random):
    """Any design of the lesson's space."""
    return space.design_of(space.draw(random))


trials, population = (12, 6) if session.fast else (30, 8)
history = evolve(optuna.create_study, drawn, space.mutate, judge, population, 2, trials, seed=0)
trained = [value for value, _ in history if value < 1]
print(f"{trials} designs, {len(trained)} of them small enough to be trained; least error {min(trained):.1%}")

# %% [markdown]
# ### What did it do?
# Every design in the order in which it was tried. On so few bundled words, and in so short a time, errors are high and noisy; watch where the crosses become rare.
# The long search of the lesson had another sampler, real recordings and more time.

# %% alt="Error of every design in the order tried; those above the dashed line were turned away untrained."
figure, axes = plt.subplots(figsize=(7, 2.6))
for i, (value, _) in enumerate(history):
    axes.plot(i, min(value, 1.1), "o" if value < 1 else "x", color="C0" if value < 1 else "0.5")
axes.axhline(1, linestyle="--", color="grey")
axes.set_xlabel("design")
axes.set_ylabel("error")
plt.show()

# %% [markdown]
# ## Done
# You have written a search for networks from end to end: what it wants, what it may not do, how it moves, and how to tell whether it is any
# good. [The solutions](../solutions/04_exploration.ipynb) show one way to write each function. There are others: the checks accept every one that is right.
