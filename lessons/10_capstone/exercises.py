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
# # 10 Capstone: exercises
#
# [Lesson 10](../notebooks/10_capstone.ipynb) builds a device that waits for words of your own. Whether anybody should believe its numbers is decided by four small functions, and here you write them: `fair_split`
# sets voices aside, `threshold_for` decides when to fire, `at_most` says what a quiet hour proves, and `winners` judges a class.
#
# **How it works.** Write your answer where it says `YOUR CODE HERE` and remove the line `raise NotImplementedError()`.
# Run the cell, then the check below it. The check draws new inputs each time and says *passed*, or what it expected, what it
# got, and what is probably the matter. Three hints stand below each check. If you are stuck, go on: the catch-up line puts a
# slow but right version in place, and says so.

# %%
import math

import numpy as np

from tinycourse import check

random = np.random.default_rng(10)

# %% [markdown]
# ## Exercise 1: a fair split
# <!-- card fair_split difficulty=2 importance=5 minutes=15 points=3 -->
#
# Your friends have recorded your words, some of them twice, some twenty times. Testing shall tell how well *strangers* are understood. So nobody may speak in both parts: **whole speakers go to testing.** And since training needs every recording, those
# go who spoke least. **Write `fair_split`**: take the speakers by their number of recordings, fewest first, and among equals by name; add one after the other to testing, as long as testing has less than `share` of all *recordings*.


# %%
def fair_split(speakers: list[str], share: float) -> list[bool]:
    """Which recordings are for testing.

    speakers: who speaks in each recording. share: of all recordings, testing needs at least this much.
    Returns True for testing, False for training, in the order of the recordings.

    >>> fair_split(["ida", "bo", "ida", "cy", "ida", "bo"], share=0.3)  # cy has one, bo two: together three of six
    [False, True, False, True, False, True]
    """
    ### BEGIN SOLUTION
    counts = {name: speakers.count(name) for name in speakers}
    testing, had = set(), 0
    for name in sorted(counts, key=lambda name: (counts[name], name)):
        if had >= share * len(speakers):
            break
        testing.add(name)
        had += counts[name]
    return [name in testing for name in speakers]
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson10.fair_split(fair_split)
### BEGIN HIDDEN TESTS
check.lesson10.fair_split.grade(fair_split)
assert fair_split(["b", "a"], 0.5) == [False, True]
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# You need three things: how many recordings each speaker has, the order in which to take speakers, and the set of those who have been taken.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# `sorted(counts, key=lambda name: (counts[name], name))` gives the order: pairs are compared by their first part, and by the second where the first are equal.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Go through them. Stop *before* adding one if testing already has `share * len(speakers)` recordings. At the end, `[name in testing for name in speakers]`.
# </details>

# %%
fair_split = check.lesson10.fair_split.catch_up(fair_split)

# %% [markdown]
# ### What it is good for
# What happens if single recordings are drawn instead? Here are twenty friends. Count how many of the test recordings come from a voice that was practised on.

# %%
friends = [f"friend {i}" for i in range(20) for _ in range(random.integers(2, 15))]
drawn = random.random(len(friends)) < 0.2
for way, testing in (("by recording", drawn.tolist()), ("by speaker", fair_split(friends, 0.2))):
    practised = {who for who, test in zip(friends, testing) if not test}
    known = [who in practised for who, test in zip(friends, testing) if test]
    print(f"{way:14}{sum(testing):4} test recordings, {np.mean(known):5.0%} of them by a voice that was practised on")

# %% [markdown]
# ## Exercise 2: when to fire
# <!-- card threshold_for difficulty=3 importance=5 minutes=15 points=3 -->
#
# A long recording was scored. Each wake word that was said got a score, the highest around it, and so did everything else that sounded like one for a moment. The device **fires where a score is at least the threshold**. Somebody decides how many false
# alarms an hour are bearable; then as few wake words as possible should be missed. **Write `threshold_for`**: among all scores as thresholds, the lowest that has at most `allowed` false alarms *an hour*, and the share of wake words that is missed
# with it. If none will do, the threshold is `math.inf`, and all are missed.


# %%
def threshold_for(spoken: np.ndarray, others: np.ndarray, hours: float, allowed: float) -> tuple[float, float]:
    """The lowest score that has few enough false alarms as a threshold, and what it misses.

    spoken: float64 [N], the scores of wake words that were said. others: float64 [M], of everything else, in so many `hours`.
    Returns (threshold, share of wake words below it).

    >>> threshold_for(np.array([0.9, 0.6, 0.8, 0.4]), np.array([0.7, 0.3, 0.5]), hours=2.0, allowed=0.5)  # one alarm in two hours
    (0.6, 0.25)
    """
    ### BEGIN SOLUTION
    for threshold in [*sorted({*spoken.tolist(), *others.tolist()}), math.inf]:
        if (others >= threshold).sum() / hours <= allowed:
            break
    return threshold, float((spoken < threshold).mean())
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson10.threshold_for(threshold_for)
### BEGIN HIDDEN TESTS
check.lesson10.threshold_for.grade(threshold_for)
assert threshold_for(np.array([0.5]), np.array([0.9, 0.9]), 1.0, 1.0) == (math.inf, 1.0)
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# The candidates are all scores of both arrays, and infinity behind them. Sort them, and take the first that passes.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# False alarms an hour at a threshold: `(others >= threshold).sum() / hours`.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# The more the threshold rises, the fewer alarms, so the first that passes is the lowest. Missed is what lies *below* it: `(spoken < threshold).mean()`, as a Python float.
# </details>

# %%
threshold_for = check.lesson10.threshold_for.catch_up(threshold_for)

# %% [markdown]
# ### What it is good for
# The price of quiet, on scores that were made up: how many wake words are missed, if ten alarms an hour are allowed, or one, or one a day?

# %%
spoken, others = random.beta(8, 2, 400), random.beta(1.2, 5, 3_000)
for said, allowed in (("ten an hour", 10.0), ("one an hour", 1.0), ("one a day", 1 / 24)):
    threshold, missed = threshold_for(spoken, others, hours=24.0, allowed=allowed)
    print(f"{said:12} threshold {threshold:.3f}, {missed:4.0%} missed")

# %% [markdown]
# ## Exercise 3: what a quiet hour proves
# <!-- card at_most difficulty=4 importance=4 minutes=20 points=4 -->
#
# Your device was silent for a quarter of an hour. Has it no false alarms? You do not know; there was only none yet. If alarms come independently of each other, at a rate of $r$ an hour, then in $h$ hours there are $k$ of them with probability
#
# $$p(k) = e^{-rh}\,\frac{(rh)^k}{k!} \qquad \text{(Poisson)}.$$
#
# There were `alarms` of them. **Write `at_most`**: the rate at which so few alarms *or fewer* would come with probability 0.05. A higher rate would make so few less likely than that, so you can exclude it, with ninety-five percent confidence.
# There is no formula for it in general; search for it.


# %%
def at_most(alarms: int, hours: float) -> float:
    """The rate, in alarms an hour, at which `alarms` or fewer in so many `hours` have probability 0.05, to a thousandth.

    >>> round(at_most(0, hours=1.0), 3)  # the "rule of three": nothing in an hour says, fewer than three an hour
    2.996
    """
    ### BEGIN SOLUTION

    def so_few(mean):
        terms = [math.exp(-mean)]
        for k in range(1, alarms + 1):
            terms.append(terms[-1] * mean / k)
        return sum(terms)

    low, high = 0.0, 10.0 * (alarms + 1)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if so_few(middle) > 0.05 else (low, middle)
    return high / hours
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson10.at_most(at_most)
### BEGIN HIDDEN TESTS
check.lesson10.at_most.grade(at_most)
assert abs(at_most(3, 2.0) - 7.7537 / 2) < 0.01
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Write a helper first: the probability of at most `alarms` events where `mean` are expected. It is a sum; each term is the one before, times mean, over k.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# That probability falls as the mean grows. Halve an interval: if the probability in its middle is still above 0.05, the mean you look for is larger.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Begin with 0 and `10 * (alarms + 1)`, halve sixty times. You have found a *mean*, the alarms of the whole recording: divide it by the hours.
# </details>

# %%
at_most = check.lesson10.at_most.catch_up(at_most)

# %% [markdown]
# ### What it is good for
# How long must a device be tested before "less than one false alarm a day" may be said, if it stays silent throughout?

# %%
for hours, said in ((1 / 60, "a minute"), (1.0, "an hour"), (24.0, "a day"), (72.0, "three days")):
    print(f"silent for {said:12} at most {24 * at_most(0, hours):8.1f} alarms a day")

# %% [markdown]
# ## Exercise 4: a leaderboard for a class
# <!-- card winners difficulty=2 importance=4 minutes=15 points=3 -->
#
# Every team has an entry: its error, its flash, its RAM, its false alarms an hour. Who has won? First, **limits**: an entry that exceeds one is out, however good the rest. Then, among the others, **those that no other one beats**: an entry beats another where it is nowhere
# worse and somewhere better in *error, flash and RAM*. **Write `winners`.**


# %%
def winners(entries: list[dict], limits: dict[str, float]) -> list[str]:
    """The names of those within the limits who are beaten by nobody within the limits, sorted.

    entries: dicts with the keys name, error, flash, ram, alarms; the last four are all better when smaller.
    limits: for some of these keys, the most that is allowed; to reach it is allowed, too.

    >>> a = {"name": "a", "error": 0.1, "flash": 20, "ram": 9, "alarms": 1}
    >>> winners([a, a | {"name": "b", "flash": 30}, a | {"name": "c", "error": 0.0, "alarms": 7}], {"alarms": 2})
    ['a']
    """
    ### BEGIN SOLUTION
    inside = [e for e in entries if all(e[key] <= limit for key, limit in limits.items())]
    points = np.array([[e["error"], e["flash"], e["ram"]] for e in inside])
    beaten = [((points <= p).all(1) & (points < p).any(1)).any() for p in points]
    return sorted(e["name"] for e, lost in zip(inside, beaten) if not lost)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson10.winners(winners)
### BEGIN HIDDEN TESTS
check.lesson10.winners.grade(winners)
assert winners([], {"ram": 1}) == []
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Two steps: a list of those within the limits, and from then on forget the others. A device that fires all day long misses nothing, and must not beat anybody with that.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# `all(e[key] <= limit for key, limit in limits.items())` says whether an entry is within the limits.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# One beats another: `all(a <= b)` *and* `any(a < b)` over the three numbers of both. Then two equal entries do not beat each other, and nobody beats itself.
# </details>

# %%
winners = check.lesson10.winners.catch_up(winners)

# %% [markdown]
# ### What it is good for
# The shipped networks of the course, by what their checkpoints say about real recordings and by what they store: which of them does no other one beat, and which are left if RAM is short? (A byte for each stored number stands for flash here, one for each element of the hungriest layer's maps for RAM.)

# %%
import torch

from tinycourse.training import checkpoint, profiling

board = []
for name in ("ds-cnn-s", "found-325", "found-337", "res8-narrow", "tinyspeech-m", "tinyspeech-x", "tinyspeech-z"):
    one = checkpoint.load(name)
    cost = profiling.profile(one.network, one.frontend(torch.zeros(1, 16_000)))
    error = 1 - one.info["testing"]["accuracy"]
    board.append({"name": name, "error": error, "flash": cost.stored_parameters, "ram": cost.activation_bytes // 4, "alarms": 0})
print("all:         ", ", ".join(winners(board, {})))
print("RAM is short:", ", ".join(winners(board, {"ram": sorted(e["ram"] for e in board)[2]})))

# %% [markdown]
# ## Done
# With these four you can say what your device proves, and judge those of others. [The solutions](../solutions/10_capstone.ipynb) show one way to write each. Now record your words.
