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
# # 08 From floats to integers: exercises
#
# [Lesson 08](../notebooks/08_quantization.ipynb) turned a recogniser into integers. Here you write the five parts that everything rests on: `affine` chooses
# scale and zero point, `requantize` brings sums back to 8 bits, `round_rows` gives every row of a weight its own steps, `sigmoid_from_table` is a curve
# without a single real number, and `integer_cell` is the memory of an LSTM.
#
# **How it works.** Write your answer where it says `YOUR CODE HERE` and remove the line `raise NotImplementedError()`.
# Run the cell, then the check below it. The check draws new inputs each time and says *passed*, or what it expected, what it
# got, and what is probably the matter. Three hints stand below each check. If you are stuck, go on: the catch-up line puts a
# slow but right version in place, and says so.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch

from tinycourse import check
from tinycourse.plots import lesson08 as figures
from tinycourse.program.fixed_point import fixed_point
from tinycourse.quantization import trace
from tinycourse.training import checkpoint

graph = trace(checkpoint.load("ds-cnn-s").network, (1, 49, 10))  # batch norm is folded into the weights
filters = [n.arrays["weight"].flatten(1).float() for n in graph.nodes if n.kind == "conv"]  # float32 [O, I] each
pointwise = next(w for w in filters if w.shape == (64, 64))
depthwise = max((w for w in filters if w.shape == (64, 9)), key=lambda w: w.abs().amax(1).log().std())
print(f"weights of DS-CNN-S to play with: {list(pointwise.shape)} and {list(depthwise.shape)}, outputs and inputs")

# %% [markdown]
# ## Exercise 1: scale and zero point
# <!-- card affine difficulty=2 importance=5 minutes=10 points=3 -->
#
# Real numbers of a range are to become integers from -128 to 127, by $q = \mathrm{round}(x / \mathit{scale}) + \mathit{zero\ point}$. **Write
# `affine`**, which chooses both numbers so that three promises hold:
#
# - every number of the range comes back at most **half a step** away;
# - 0.0 comes back exactly, so it has an integer of its own. A range that does not contain 0 is widened until it does;
# - no step is wasted: the steps are as small as the first two allow.


# %%
def affine(low: float, high: float) -> tuple[float, int]:
    """Scale and zero point for int8.

    low, high: the range of the real numbers, low < high; 0 may lie outside of it.
    Returns (scale, zero_point): the size of a step, above 0, and the integer, -128..127, that stands for 0.0.

    >>> affine(-10.0, 245.0)
    (1.0, -118)
    """
    ### BEGIN SOLUTION
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255
    return scale, round(-128 - low / scale)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson08.affine(affine)
### BEGIN HIDDEN TESTS
check.lesson08.affine.grade(affine)
assert affine(0.0, 255.0) == (1.0, -128) and affine(-255.0, -51.0) == (1.0, 127)
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Widen first: the smaller of `low` and 0, the larger of `high` and 0. How many steps lie between -128 and 127?
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# 255 steps, one fewer than there are integers. The integer -128 stands for the low end of the range. How many steps above it lies 0.0?
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# It lies `-low / scale` steps above -128, a number that has to be rounded to an integer. Python's `round` gives one; `int` would cut off.
# </details>

# %%
affine = check.lesson08.affine.catch_up(affine)

# %% [markdown]
# ### What it is good for
# Your promise as a picture, at the low end of a range that begins at -1: there and back. Inside of the range the error stays between the dashed lines. Outside it grows
# without end: the numbers saturate. That is why the range has to be chosen with care, and what observers are for.

# %% alt="Left, a staircase along the diagonal that is level below minus one. Right, a saw of errors between two dashed lines, which it leaves below minus one."
scale, zero_point = affine(-1.0, 3.0)
x = np.linspace(-1.05, -0.8, 2001)
q = np.clip(np.rint(x / scale) + zero_point, -128, 127)
figures.staircase(x, (q - zero_point) * scale, scale);

# %% [markdown]
# ## Exercise 2: requantization
# <!-- card requantize difficulty=3 importance=5 minutes=15 points=3 -->
#
# A layer of int8 numbers sums up products, and such a sum needs 32 bits. The next layer wants int8 again, so the sum is to be multiplied by a real factor, one that is
# far below 1. There are no real numbers on the chip, so the factor is written as `multiplier / 2**shift`, two integers. **Write `requantize`**:
#
# $$y = \mathrm{clamp}\left(\left\lfloor \mathit{sum} \cdot \mathit{multiplier} / 2^{\mathit{shift}} + \tfrac12 \right\rfloor + \mathit{zero\ point},\ -128,\ 127\right)$$
#
# Only additions, products and shifts of integers are allowed. In numpy `>>` is an arithmetic shift: it rounds down, for negative numbers too. The product needs 64 bits, and `sums` has them.


# %%
def requantize(sums: np.ndarray, multiplier: int, shift: int, zero_point: int) -> np.ndarray:
    """From the sums of a layer to int8.

    sums: int64 [N]. multiplier: from 2**30 to 2**31. shift: at least 1. zero_point: of the result, -128..127.
    Returns int8 [N]: the nearest integers, halves go up; saturated.

    >>> requantize(np.array([-100, -3, -1, 0, 1, 3, 100]), multiplier=2**30, shift=31, zero_point=100)
    array([ 50,  99, 100, 100, 101, 102, 127], dtype=int8)
    """
    ### BEGIN SOLUTION
    half = 1 << (shift - 1)
    steps = (sums * multiplier + half) >> shift
    return np.clip(steps + zero_point, -128, 127).astype(np.int8)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson08.requantize(requantize)
### BEGIN HIDDEN TESTS
check.lesson08.requantize.grade(requantize)
assert requantize(np.array([-(2**30), 2**30]), 2**30, 31, 5).tolist() == [-128, 127]
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# A shift alone rounds down. What has to be added to the product, so that rounding down of the result is rounding to the nearest?
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# Half of what is divided by: half of `2**shift`, which is `1 << (shift - 1)`. In the example, 3 / 2 is a half, and goes up to 2; -3 / 2 goes up to -1.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Product, plus half, shifted; then the zero point; then `np.clip` from -128 to 127; and only then `.astype(np.int8)`, which would wrap around otherwise.
# </details>

# %%
requantize = check.lesson08.requantize.catch_up(requantize)

# %% [markdown]
# ### What it is good for
# A layer in integers, your two functions and one product of matrices. The library's `fixed_point` writes the factor as two integers. How far is the result from the float
# layer?

# %%
random = np.random.default_rng(0)
x, w = random.uniform(0, 4, 64), pointwise.numpy().astype(np.float64)  # after a ReLU, and [64, 64]
y = w @ x
(sx, zx), (sy, zy), sw = affine(0.0, 4.0), affine(y.min(), y.max()), abs(w).max() / 127
qx, qw = np.rint(x / sx).astype(np.int64) + zx, np.rint(w / sw).astype(np.int64)
sums = qw @ (qx - zx)  # integers
multiplier, shift = (int(n) for n in fixed_point(sx * sw / sy))
qy = requantize(sums, multiplier, shift, zy)
print(f"the factor {sx * sw / sy:.6f} is {multiplier} / 2**{shift}")
print(f"largest error of an output: {np.abs((qy.astype(int) - zy) * sy - y).max() / sy:.2f} steps of the output")

# %% [markdown]
# More than half a step, for the inputs and the weights were rounded before. The output's own rounding is the smaller part.

# %% [markdown]
# ## Exercise 3: steps for each row
# <!-- card round_rows difficulty=2 importance=5 minutes=10 points=2 -->
#
# The rows of a weight differ in size. One scale for the whole matrix has to reach the largest weight of all, and rows of small weights then live on a handful of
# integers. So every row, an output of the layer, gets its own. **Write `round_rows`**: symmetric, zero point 0; the largest magnitude of a row becomes the largest integer,
# $2^{\mathit{bits} - 1} - 1$. Return *weights*, real numbers again, so that we can see what is left of them.


# %%
def round_rows(weight: torch.Tensor, bits: int) -> torch.Tensor:
    """Weights on the steps of their rows.

    weight: float32 [O, I]. bits: of an integer, at least 2; one of them is the sign.
    Returns float32 [O, I]: each weight rounded to the nearest multiple of its row's step; a row of zeros stays one.

    >>> round_rows(torch.tensor([[-7.0, 2.4, 3.5001], [0.7, 0.24, 0.0], [0.0, 0.0, 0.0]]), bits=4)
    tensor([[-7.0000,  2.0000,  4.0000],
            [ 0.7000,  0.2000,  0.0000],
            [ 0.0000,  0.0000,  0.0000]])
    """
    ### BEGIN SOLUTION
    largest = weight.abs().amax(dim=1, keepdim=True)  # [O, 1]
    scale = largest / (2 ** (bits - 1) - 1)
    scale[scale == 0] = 1.0  # a row of zeros: any step will do
    return torch.round(weight / scale) * scale
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson08.round_rows(round_rows)
### BEGIN HIDDEN TESTS
check.lesson08.round_rows.grade(round_rows)
assert round_rows(torch.tensor([[1.0, -0.4]]), 2).tolist() == [[1.0, 0.0]]
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# The scale of a row is its largest *magnitude* over the largest integer. With `keepdim=True` the maxima keep the shape [O, 1] and divide row by row.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# `weight.abs().amax(dim=1, keepdim=True)`, divided by 127 for 8 bits, by 7 for 4. For a row of zeros that gives 0, and a division by 0 later.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Make every scale that is 0 a 1, then divide, `torch.round`, and multiply by the same scale.
# </details>

# %%
round_rows = check.lesson08.round_rows.catch_up(round_rows)

# %% [markdown]
# ### What it is good for
# A depthwise convolution has one small filter for each channel, and some channels are loud. Compare row by row: your steps, and those of the whole matrix.

# %% alt="Left, sizes of rows on a logarithmic axis, crossing the level of half a step. Right, signal to noise by row: level with a step for each row, falling to nothing with one for all."
shared = round_rows(depthwise.reshape(1, -1), 8).view(depthwise.shape)  # all weights in one row
kept = {"a step for each row": round_rows(depthwise, 8), "one for all": shared}
largest = depthwise.abs().amax(1).numpy()
steps = {"a step for each row": largest / 127, "one for all": np.full(len(largest), largest.max() / 127)}
ratio = {name: depthwise.square().sum(1) / (back - depthwise).square().sum(1) for name, back in kept.items()}
figures.rows(largest, steps, {name: 10 * torch.log10(r).numpy() for name, r in ratio.items()});

# %% [markdown]
# ## Exercise 4: a sigmoid without real numbers
# <!-- card sigmoid_from_table difficulty=3 importance=4 minutes=15 points=3 -->
#
# The gates of an LSTM are sigmoids. On the chip there is no $e^x$, but there is memory for a table. An input is int16 with 12 bits after the point: it stands for $x / 2^{12}$ and
# reaches from -8 to 8, beyond which a sigmoid is flat. The table has 257 entries, one for every $2^8$ inputs, and entry 0 belongs to the smallest one, $-2^{15}$.
#
# Between two entries go along a straight line. **Write `sigmoid_from_table`**, with integers only. An input at `rest` $/\,2^8$ of the way from `table[place]` to `table[place + 1]` gives
# $(\mathit{table}_{\mathit{place}} (2^8 - \mathit{rest}) + \mathit{table}_{\mathit{place} + 1}\, \mathit{rest}) / 2^8$, rounded to the nearest, halves up.


# %%
def sigmoid_from_table(x: np.ndarray, table: np.ndarray) -> np.ndarray:
    """A curve from a table, on straight lines between its entries.

    x: int16 [N], 12 bits after the point. table: int64 [257], the curve at -2**15, -2**15 + 2**8, ..., 2**15.
    Returns int64 [N].

    >>> sigmoid_from_table(np.array([-32768, -32640, -32512, 0], np.int16), np.arange(257) * 100)
    array([    0,    50,   100, 12800])
    """
    ### BEGIN SOLUTION
    above = x.astype(np.int64) + 2**15  # 0 to 2**16 - 1
    place, rest = above >> 8, above & 255
    return (table[place] * (256 - rest) + table[place + 1] * rest + 128) >> 8
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson08.sigmoid_from_table(sigmoid_from_table)
### BEGIN HIDDEN TESTS
check.lesson08.sigmoid_from_table.grade(sigmoid_from_table)
assert sigmoid_from_table(np.array([32767], np.int16), np.arange(257) * 256).tolist() == [65535]
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# First make x an int64, or adding to it overflows. Then add $2^{15}$: now it counts from the beginning of the table.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# The high bits say which entry, the low eight bits how far beyond it: `>> 8` and `& 255`.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Two products, added; plus half of $2^8$; shifted by 8. The shares of the two entries add up to 256.
# </details>

# %%
sigmoid_from_table = check.lesson08.sigmoid_from_table.catch_up(sigmoid_from_table)

# %% [markdown]
# ### What it is good for
# Fill the table with a sigmoid, 15 bits after the point, and compare with the real one for every input that there is. Beside it a cheaper curve, the *hard sigmoid*: a straight line between two
# ends.

# %% alt="Left, a sigmoid, the table's on top of it, and a hard sigmoid with two corners. Right, errors of the table in units of the last place, within three."
x = np.arange(-(2**15), 2**15).astype(np.int16)
real = 1 / (1 + np.exp(-(x / 2**12)))
table = np.rint(2**15 / (1 + np.exp(-(np.arange(257) / 16 - 8)))).astype(np.int64)
mine = sigmoid_from_table(x, table)
hard = np.clip(x / 2**12 / 6 + 0.5, 0, 1)
errors = {"table": mine - 2**15 * real}
worst = [np.abs(errors["table"]).max(), 2**15 * np.abs(hard - real).max()]
print(f"largest error: table {worst[0]:.2f} units, hard sigmoid {worst[1]:.0f} units of 2**-15")
figures.curves(x / 2**12, {"sigmoid": real, "table": mine / 2**15, "hard": hard}, errors);

# %% [markdown]
# Theory says: a straight line over a step $h$ is off by at most $h^2 / 8$ times the largest curvature. That is the hump on either side of zero. The fuzz is rounding.

# %% [markdown]
# ## Exercise 5: the memory of an LSTM
# <!-- card integer_cell difficulty=4 importance=5 minutes=25 points=4 -->
#
# The cell of an LSTM becomes $c \leftarrow f c + i g$. All of these are integers now:
#
# - f, i and g, which come from sigmoids and a tanh, have 15 bits after the point;
# - c has `bits` after the point, fewer than 15, because it may be larger than 1.
#
# A product of integers has as many bits after the point as both together: $f c$ has 15 + `bits`, and $i g$ has 30. **Numbers can be added only if their points are at the same place.** So shift $i g$ right by the difference first, to 15 + `bits`;
# add; then shift the sum by 15, so that it has the bits of a cell again. Every shift rounds to the nearest, halves up. At last the cell is kept within -limit to limit. **Write `integer_cell`.**


# %%
def integer_cell(f: np.ndarray, i: np.ndarray, g: np.ndarray, c: np.ndarray, bits: int, limit: int) -> np.ndarray:
    """The next cell state of an LSTM, in integers.

    f, i, g: int64 [units], 15 bits after the point: forget gate, input gate, new value.
    c: int64 [units], the cell, `bits` after the point, 9 to 12. limit: the largest integer that a cell may be.
    Returns int64 [units], with `bits` after the point.

    >>> half = np.array([2**14])
    >>> integer_cell(half, half, half, c=np.array([3 * 2**10]), bits=10, limit=2**15 - 1) / 2**10
    array([1.75])
    """
    ### BEGIN SOLUTION
    def shifted(x, n):
        return (x + (1 << (n - 1))) >> n

    total = f * c + shifted(i * g, 15 - bits)
    return np.clip(shifted(total, 15), -limit, limit)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson08.integer_cell(integer_cell)
### BEGIN HIDDEN TESTS
check.lesson08.integer_cell.grade(integer_cell)
assert integer_cell(*(np.array([n]) for n in (2**15 - 1, 2**15 - 1, 2**15 - 1, 2**15 - 1)), 9, 2**15 - 1).tolist() == [2**15 - 1]
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# A helper of one line saves trouble: x divided by $2^n$, rounded half up, is a shift after half of $2^n$ was added, as in exercise 2.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# From 30 bits after the point to 15 + bits: the product $i g$ is shifted by 15 - bits.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Three steps: shift one product and add the other; shift the sum by 15; `np.clip` on both sides.
# </details>

# %%
integer_cell = check.lesson08.integer_cell.catch_up(integer_cell)

# %% [markdown]
# ### What it is good for
# A cell that counts: its forget gate is nearly open, and something comes in at every frame. In float it grows on and on. Your cell stops at its limit, and what an int16 would do without a limit is the third line.

# %% alt="Three lines over frames: one rises on and on, one rises with it and then stays level at the upper grey line, one jumps from the upper to the lower grey line and climbs again."
bits, limit = 9, 2**15 - 1
gate, new = np.array([2**15 - 30]), np.array([2**14])
float_cell, mine, wild = [0.0], [np.array([0])], [np.array([0])]
for _ in range(300):
    float_cell.append(float(gate[0]) / 2**15 * float_cell[-1] + float(gate[0]) / 2**15 * 0.5)
    mine.append(integer_cell(gate, gate, new, mine[-1], bits, limit))
    wild.append(integer_cell(gate, gate, new, wild[-1], bits, 2**40).astype(np.int16).astype(np.int64))
ours, theirs = (np.concatenate(cells) / 2**bits for cells in (mine, wild))
figures.overflow({"float": float_cell, "int16, limited": ours, "int16, wrapping around": theirs}, limit / 2**bits)
plt.show()
print(f"at frame 100: float {float_cell[100]:.2f}, integers {mine[100][0] / 2**bits:.2f}")

# %% [markdown]
# ## Done
# With these five a recogniser needs no real numbers any more, but for the microphone's. In the library the same functions are called `affine_parameters`, `requantize`, `round_rows`, `sigmoid` and `lstm_cell`; the C kernels of
# lesson 09 compute the same bits. [The solutions](../solutions/08_quantization.ipynb) show one way to write each. There are others: the checks accept every one that is right.
