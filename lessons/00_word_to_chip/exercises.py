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
# # 00 From a spoken word to a chip: exercises
#
# Two small functions stand at the two ends of the path you saw in
# [lesson 00](../notebooks/00_word_to_chip.ipynb): `to_int8` turns real numbers into the integers that a chip computes with,
# and `softmax` turns the scores that come out into probabilities.
#
# **How it works.** Write your answer where it says `YOUR CODE HERE` and remove the line `raise NotImplementedError()`.
# Run the cell, then the check below it. The check draws new inputs each time and says *passed*, or what it expected, what it
# got, and what is probably the matter. Three hints stand below each check. If you are stuck, go on: the catch-up line puts a
# slow but right version in place, and says so.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Audio, display

from tinycourse import check, data
from tinycourse.training import checkpoint

recogniser = checkpoint.load("tinyspeech-m")  # trained on real recordings, shipped with the course
clips, _ = data.open_dataset("tinywords").clips("testing").restrict(recogniser.classes)  # synthetic voices, bundled
scores = checkpoint.in_batches(recogniser, clips.audio)  # [N, K]
print(f"{len(clips)} clips, {len(recogniser.classes)} scores each, from {scores.min():.1f} to {scores.max():.1f}")

# %% [markdown]
# ## Exercise 1: from scores to probabilities
# <!-- card softmax difficulty=2 importance=4 minutes=10 points=2 -->
#
# The network ends in one score per word. A score may be any number, so it does not say how sure the network is. The *softmax*
# of the scores $s_1, \dots, s_K$ does: it makes every number positive and lets them add up to 1,
#
# $$p_k = \frac{e^{s_k}}{e^{s_1} + \dots + e^{s_K}}.$$
#
# Written down just so, it fails: in float32, $e^{100}$ is already infinite, and infinity divided by infinity is not a number.
# Yet the probabilities of (1000, 1001) are the same as those of (0, 1): only differences between scores count. **Write a softmax
# that is right for scores of any size.** Use `exp` and sums; the ready-made softmax of torch would teach you nothing.

# %%
def softmax(logits: torch.Tensor) -> torch.Tensor:
    """Probabilities of each clip's classes.

    logits: float32 [N, K], N clips with K scores each, of any size.
    Returns float32 [N, K]: positive, and each row adds up to 1.

    >>> softmax(torch.tensor([[0.0, 0.0], [1000.0, 1000.0]]))
    tensor([[0.5000, 0.5000],
            [0.5000, 0.5000]])
    """
    ### BEGIN SOLUTION
    largest = logits.max(dim=1, keepdim=True).values  # [N, 1]
    powers = torch.exp(logits - largest)  # [N, K], the largest of each row is 1
    return powers / powers.sum(dim=1, keepdim=True)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson00.softmax(softmax)
### BEGIN HIDDEN TESTS
check.lesson00.softmax.grade(softmax)
assert softmax(torch.tensor([[-1e4, 1e4]])).tolist() == [[0.0, 1.0]]
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# You may subtract the same number from all scores of a clip: numerator and denominator shrink by the same factor. Which
# number makes sure that no power is larger than 1?
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# The largest score of *each row*. `logits.max(dim=1)` returns values and places, `.values` picks the values. With
# `keepdim=True` they keep the shape [N, 1], so that they can be subtracted from [N, K].
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Three lines: the largest score of every row, [N, 1]; `torch.exp` of the differences, [N, K]; and these divided by their sum
# over the same dimension, again with `keepdim=True`.
# </details>

# %%
softmax = check.lesson00.softmax.catch_up(softmax)

# %% [markdown]
# ### What it is good for
# One clip, its scores and its probabilities. The order is the same in both: the largest score has the largest probability. That
# is why the program on the chip ends with scores. It only needs to know which one is largest.

# %% alt="Two bar charts side by side: the scores of one clip for each word, and the probabilities that softmax makes of them."
probabilities = softmax(scores)  # [N, K]
one = int(probabilities.max(dim=1).values.argmin())  # the clip that the network is least sure of
figure, axes = plt.subplots(1, 2, figsize=(8, 3), sharey=True)
for axis, values, name in zip(axes, (scores[one], probabilities[one]), ("score", "probability"), strict=True):
    axis.barh(recogniser.classes, values.numpy())
    axis.set_xlabel(name)
plt.show()
same = (scores.argmax(dim=1) == probabilities.argmax(dim=1)).sum()
print(f"Spoken: {clips.classes[clips.labels[one]]}.")
print(f"With and without softmax, the label is the same for {same} of {len(clips)} clips.")

# %% [markdown]
# What probabilities add is a measure of doubt. A device that acts only when it is sure makes fewer mistakes, but more often
# has to be told twice. Here is that trade: the smallest probability at which the device acts, against what it then gets right and
# how often it stays silent.

# %% alt="Two curves over the smallest probability at which a device acts: the share it gets right and the share it acts on."
sure, label = probabilities.max(dim=1)  # [N] each
right = label == clips.labels
thresholds = np.linspace(0.1, 0.99, 60)
acts = [float((sure >= t).float().mean()) for t in thresholds]
correct = [float(right[sure >= t].float().mean()) if (sure >= t).any() else np.nan for t in thresholds]
figure, axes = plt.subplots(figsize=(7, 3))
axes.plot(thresholds, correct, label="right, where it acts")
axes.plot(thresholds, acts, "--", label="acts")
axes.set_xlabel("acts from this probability on")
axes.set_ylabel("share of clips")
axes.legend()
plt.show()

# %% [markdown]
# ## Exercise 2: from real numbers to int8
# <!-- card to_int8 difficulty=2 importance=5 minutes=10 points=3 -->
#
# On the chip every activation is an integer from -128 to 127. A real number $x$ is written as $q$ and read back as $\hat x$:
#
# $$q = \mathrm{clamp}\left(\mathrm{round}(x / \mathit{scale}) + \mathit{zero\ point},\ -128,\ 127\right) \qquad
# \hat x = \mathit{scale} \cdot (q - \mathit{zero\ point})$$
#
# The *scale* is the size of one step. The *zero point* is the integer that stands for 0.0, exactly: it lets the 256 steps
# cover a range that is not centred on zero, as after a ReLU. Inside the range $\hat x$ is at most half a step from $x$.
# Outside, it *saturates*: it stays at the end of the range. **Write `to_int8`**, and keep that promise.

# %%
def to_int8(x: torch.Tensor, scale: float, zero_point: int) -> torch.Tensor:
    """Quantize: real numbers to int8.

    x: float32, any shape. scale: size of one step, above 0. zero_point: the integer that stands for 0.0, -128..127.
    Returns int8, the shape of x: x / scale rounded to the nearest integer, plus zero_point, saturated at -128 and 127.

    >>> to_int8(torch.tensor([-9.0, 0.0, 0.24, 0.26, 99.0]), scale=0.5, zero_point=10)
    tensor([ -8,  10,  10,  11, 127], dtype=torch.int8)
    """
    ### BEGIN SOLUTION
    steps = torch.round(x / scale) + zero_point
    return steps.clamp(-128, 127).to(torch.int8)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson00.to_int8(to_int8)
### BEGIN HIDDEN TESTS
check.lesson00.to_int8.grade(to_int8)
assert to_int8(torch.tensor([-1e6, 0.0, 1e6]), 0.1, -128).tolist() == [-128, -128, 127]
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Three things happen, in this order: count the steps to the nearest whole one, move by the zero point, and keep inside -128..127.
# Only then can the numbers become int8.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# Turning a float into an integer with `.to(torch.int8)` cuts its digits off, and wraps around outside of the range. So
# `torch.round` has to come before it, and so does `.clamp`.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Two lines: the first rounds `x / scale` and adds the zero point, the second clamps that and changes its type.
# </details>

# %%
to_int8 = check.lesson00.to_int8.catch_up(to_int8)

# %% [markdown]
# ### What a bit is worth
# Take the loudest quarter second of a clip and quantize its samples with 8 bits, then with larger steps, as if there were fewer
# bits. Rounding errors spread evenly between minus and plus half a step, and such errors have a root mean square of
# $\mathit{scale} / \sqrt{12}$. From that we can predict the noise, in decibels below the word, before we measure it.

# %%
word = clips.waveforms()[clips.labels == clips.classes.index("yes")][0]  # float32 [16000]
windows = word.unfold(0, data.RATE // 4, data.RATE // 40)  # [31, 4000]
loud = windows[windows.square().mean(dim=1).argmax()]  # [4000]


def there_and_back(x: torch.Tensor, scale: float) -> torch.Tensor:
    """Quantize with zero point 0, and back to real numbers."""
    return to_int8(x, scale, 0).float() * scale


def decibels(signal: torch.Tensor, error: torch.Tensor) -> float:
    """How far the error lies below the signal."""
    return float(10 * torch.log10(signal.square().mean() / error.square().mean()))


peak = float(word.abs().max())
print("bits   step      predicted  measured")
for bits in (8, 7, 6, 5, 4, 3):
    scale = peak / (2 ** (bits - 1) - 1)
    predicted = decibels(loud, torch.tensor(scale / 12**0.5))
    print(f"{bits}      {scale:.5f}   {predicted:5.1f} dB   {decibels(loud, there_and_back(loud, scale) - loud):5.1f} dB")

# %% [markdown]
# Compare neighbouring rows: every bit is worth the same number of decibels. Where prediction and measurement part, the steps
# have become so large that many samples are smaller than half a step. They are rounded to zero, and their error is as small as
# they are. Listen to the whole clip with many bits and with few:

# %%
for bits in (8, 4):
    print(f"{bits} bits")
    display(Audio(there_and_back(word, peak / (2 ** (bits - 1) - 1)).numpy(), rate=data.RATE))

# %% [markdown]
# ### Steps too small, steps too large
# Nobody says that the scale must reach the loudest sample. A smaller one has finer steps, and cuts off the peaks. Somewhere in
# between lies the best scale. Choosing it for every tensor of a network is called *calibration*: lesson 08 is about that.

# %% alt="Signal to noise ratio over the scale, 4 bits: it rises while fewer peaks are cut off, then falls as the steps grow."
whole = peak / 7  # 4 bits that reach the loudest sample: -8..7
scales = whole * np.geomspace(0.05, 4, 60)
ratios = []
for scale in scales:
    inside = word.clamp(-8 * scale, 7 * scale)  # what 4 bits hold, the rest saturates
    ratios.append(decibels(word, there_and_back(inside, scale) - word))
figure, axes = plt.subplots(figsize=(7, 3))
axes.semilogx(scales / whole, ratios)
axes.axvline(1, linestyle="--", color="grey")
axes.annotate(" reaches the loudest sample", (1, min(ratios)))
axes.set_xlabel("scale, relative to the one that saturates nothing")
axes.set_ylabel("signal to noise, dB")
plt.show()
print(f"best: {scales[int(np.argmax(ratios))] / whole:.2f} of the scale that saturates nothing")

# %% [markdown]
# ## Done
# You have written both ends of the path, and met two ideas that come back all through the course: numbers have a range, and
# rounding is a noise that can be predicted. [The solutions](../solutions/00_word_to_chip.ipynb) show one way to write each
# function. There are others: the checks accept every one that is right.
