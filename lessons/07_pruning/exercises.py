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
# # 07 Gradual pruning: exercises
#
# [Lesson 07](../notebooks/07_pruning.ipynb) let weights leave a network, and some of them come back. Here you write the parts yourself:
# `sparsity_at` says how many should be gone, `block_mask` chooses them, `pruned_step` trains behind the mask, and `sparse_product`
# computes with what is left.
#
# **How it works.** Write your answer where it says `YOUR CODE HERE` and remove the line `raise NotImplementedError()`.
# Run the cell, then the check below it. The check draws new inputs each time and says *passed*, or what it expected, what it
# got, and what is probably the matter. Three hints stand below each check. If you are stuck, go on: the catch-up line puts a
# slow but right version in place, and says so.

# %%
from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import torch

from tinycourse import check
from tinycourse.plots import lesson07 as figures
from tinycourse.program import BlockSparse
from tinycourse.training import checkpoint

network = checkpoint.load("ds-cnn-s").network
weight = dict(network.named_parameters())["4.0.weight"].detach()[:, :, 0, 0]  # a 1x1 convolution, [64, 64]
print(f"a weight of DS-CNN-S to play with: {weight.shape[0]} outputs, {weight.shape[1]} inputs")

# %% [markdown]
# ## Exercise 1: how many should be gone by now
# <!-- card sparsity_at difficulty=2 importance=5 minutes=10 points=2 -->
#
# Pruning begins at step `start` with the sparsity `initial` and ends at step `end` with `final`. Between them
#
# $$s(t) = s_\mathit{final} + (s_\mathit{initial} - s_\mathit{final}) \left(1 - \frac{t - \mathit{start}}{\mathit{end} - \mathit{start}}\right)^3.$$
#
# Fast at first, while there are many weights that nobody misses, then slower and slower. Before `start` nothing is pruned; from `end` on the
# sparsity stays. **Write `sparsity_at`.**


# %%
def sparsity_at(step: int, start: int, end: int, initial: float, final: float) -> float:
    """The share of weights that should be gone.

    step: of training, from 0. start, end: steps between which the sparsity grows, start < end. initial, final: sparsities there.
    Returns a float: 0 before `start`, `final` from `end` on.

    >>> [round(sparsity_at(step, start=10, end=20, initial=0.0, final=0.8), 3) for step in (5, 10, 15, 20, 99)]
    [0.0, 0.0, 0.7, 0.8, 0.8]
    """
    ### BEGIN SOLUTION
    if step < start:
        return 0.0
    if step >= end:
        return final
    progress = (step - start) / (end - start)
    return final + (initial - final) * (1 - progress) ** 3
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson07.sparsity_at(sparsity_at)
### BEGIN HIDDEN TESTS
check.lesson07.sparsity_at.grade(sparsity_at)
assert sparsity_at(0, 0, 1, 0.25, 0.5) == 0.25
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Three cases: before the start, after the end, and between. The formula is for the last one.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# The progress, `(step - start) / (end - start)`, goes from 0 to 1. What is taken to the third power is one less the progress: what is left.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Before `start` the answer is 0, from `end` on it is `final`, and between them `final + (initial - final) * (1 - progress) ** 3`.
# </details>

# %%
sparsity_at = check.lesson07.sparsity_at.catch_up(sparsity_at)

# %% [markdown]
# ### What it is good for
# Your curve, and what it means for a single weight: how many go at each of the times at which masks are drawn.

# %% alt="A curve of sparsity over steps that rises steeply and then levels off, with ticks below where masks are drawn."
drawn_at = list(range(100, 601, 50))
figures.schedule({"your schedule": [sparsity_at(t, 100, 600, 0.0, 0.8) for t in range(800)]}, drawn_at)
plt.show()
gone = [sparsity_at(t, 100, 600, 0.0, 0.8) * weight.numel() for t in drawn_at]
print("weights that go, mask by mask:", [round(b - a) for a, b in zip(gone, gone[1:])])

# %% [markdown]
# ## Exercise 2: which blocks go
# <!-- card block_mask difficulty=3 importance=5 minutes=15 points=3 -->
#
# A weight is a matrix [outputs, inputs]. A block of 8 x 1 is eight neighbouring outputs that meet the same input: a piece of a
# column. A block goes as a whole, or it stays. How much it matters is judged by the **mean of |w|** over its weights, and all blocks of
# the matrix compete with each other. **Write `block_mask`**: of all blocks, the `int(sparsity * blocks)` with the smallest mean go.


# %%
def block_mask(weight: torch.Tensor, rows: int, sparsity: float) -> torch.Tensor:
    """Which weights stay.

    weight: float32 [outputs, inputs]. rows: outputs in a block of rows x 1; divides outputs.
    sparsity: share of the blocks that go.
    Returns bool [outputs, inputs]: True stays.

    >>> block_mask(torch.tensor([[1.0, 0.1], [-1.0, 0.2], [0.3, 5.0], [0.1, 0.1]]), rows=2, sparsity=0.5)
    tensor([[ True, False],
            [ True, False],
            [False,  True],
            [False,  True]])
    """
    ### BEGIN SOLUTION
    blocks = weight.reshape(-1, rows, weight.shape[1])  # [outputs / rows, rows, inputs]
    scores = blocks.abs().mean(dim=1)  # [outputs / rows, inputs]
    keep = torch.ones(scores.numel(), dtype=torch.bool)
    keep[scores.flatten().argsort()[: int(sparsity * scores.numel())]] = False
    return keep.view(scores.shape).repeat_interleave(rows, dim=0)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson07.block_mask(block_mask)
### BEGIN HIDDEN TESTS
check.lesson07.block_mask.grade(block_mask)
assert block_mask(torch.randn(16, 16), 8, 0.0).all()
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Blocks of `rows` neighbouring outputs: `weight.reshape(-1, rows, inputs)` has them on the middle axis.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# `.abs().mean(dim=1)` gives one score per block, [outputs / rows, inputs]. Flatten it, and `argsort` names the blocks from the smallest
# on. Make a mask of all True over the blocks, and set the first of them to False.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Back to weights: `keep.view(scores.shape).repeat_interleave(rows, dim=0)` repeats every row of blocks `rows` times.
# </details>

# %%
block_mask = check.lesson07.block_mask.catch_up(block_mask)

# %% [markdown]
# ### What it is good for
# Three masks of a trained layer at the same sparsity. How much of the weights' energy, the sum of their squares, stays? Blocks are less
# free to choose. That is their price.

# %% alt="Three masks of the same matrix: single weights like dust, and blocks of 8 x 1 and 16 x 1 as short and long vertical dashes."
masks = {f"{rows} x 1": block_mask(weight, rows, 0.75) for rows in (1, 8, 16)}
figures.masks(masks)
plt.show()
for name, mask in masks.items():
    print(f"blocks of {name}: {(weight * mask).square().sum() / weight.square().sum():.1%} of the energy stays")

# %% [markdown]
# ## Exercise 3: training behind the mask
# <!-- card pruned_step difficulty=3 importance=5 minutes=10 points=3 -->
#
# A weight that is pruned early should have a way back. So the optimiser keeps the weight $w$ of every connection, also where the mask
# $m$ hides it, and a step goes like this: the network computes with $w \cdot m$; the gradient is taken **there**, where the network is; and
# the step is made from $w$, **for all weights, hidden ones too**. The gradient passes straight through the mask (the *straight-through estimator*). **Write
# `pruned_step`.**


# %%
def pruned_step(
    weight: torch.Tensor, mask: torch.Tensor, gradient: Callable[[torch.Tensor], torch.Tensor], rate: float
) -> torch.Tensor:
    """One step of gradient descent on a pruned weight.

    weight: float32 [outputs, inputs], with values behind the mask too. mask: bool, the same shape, True stays.
    gradient: gives the gradient of the loss, float32 [outputs, inputs], where the network computes with the weights that it
    is called with. rate: of learning.
    Returns float32 [outputs, inputs]: the new weight, with values behind the mask too.

    >>> w, m = torch.tensor([[1.0, 0.5]]), torch.tensor([[True, False]])
    >>> pruned_step(w, m, gradient=lambda seen: seen - 2, rate=0.5)
    tensor([[1.5000, 1.5000]])
    """
    ### BEGIN SOLUTION
    return weight - rate * gradient(weight * mask)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson07.pruned_step(pruned_step)
### BEGIN HIDDEN TESTS
check.lesson07.pruned_step.grade(pruned_step)
assert pruned_step(torch.ones(2, 2), torch.zeros(2, 2).bool(), lambda w: w, 0.1).equal(torch.ones(2, 2))
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# In the example the network sees (1, 0). The gradient there is (-1, -2). From which weights does the step start?
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# From `weight`, (1, 0.5): the hidden value is kept, and it moves.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# One line: `weight - rate * gradient(...)`, with the masked weight inside.
# </details>

# %%
pruned_step = check.lesson07.pruned_step.catch_up(pruned_step)

# %% [markdown]
# ### What it is good for
# A story of two weights, told with your functions. The first is large and useless, the second small and needed. At half sparsity only one
# may stay. Watch the second one grow in hiding, overtake, and return.

# %% alt="Two lines over steps: one falls, one rises; white dots mark the hidden one, and where the lines cross they change from one to the other."
story, wanted = torch.tensor([[1.0, 0.1]]), torch.tensor([[0.0, 1.0]])
values, hidden = [], []
for _ in range(25):
    mask = block_mask(story, 1, 0.5)
    values.append(story[0].tolist())
    hidden.append((~mask)[0].tolist())
    story = pruned_step(story, mask, lambda seen: seen - wanted, rate=0.1)
figure, axes = plt.subplots(figsize=(6.5, 2.6))
for i, (name, style) in enumerate((("useless", "o--"), ("needed", "s-"))):
    axes.plot([v[i] for v in values], style, markersize=4, label=name)
    axes.plot([t for t, h in enumerate(hidden) if h[i]], [v[i] for v, h in zip(values, hidden) if h[i]], "wo", markersize=2)
axes.set(xlabel="step", ylabel="weight; white dots: hidden")
axes.legend()
plt.show()

# %% [markdown]
# ## Exercise 4: computing with what is left
# <!-- card sparse_product difficulty=3 importance=4 minutes=15 points=3 -->
#
# Zeros that are stored and multiplied cost as much as any number. So only the blocks that stayed are stored, panel by panel; a panel is the
# `rows` outputs that its blocks share:
#
# - `values` [blocks, rows]: the weights of each block;
# - `columns` [blocks]: which input each block meets;
# - `starts` [panels + 1]: the blocks of panel `p` are `starts[p]` up to, not including, `starts[p + 1]`.
#
# **Write `sparse_product`**: $y = W x$ without touching a block that is not there. A loop over panels and blocks is fine. C does the same.


# %%
def sparse_product(values: np.ndarray, columns: np.ndarray, starts: np.ndarray, x: np.ndarray) -> np.ndarray:
    """A block-sparse matrix times a vector.

    values: float64 [blocks, rows]. columns: int64 [blocks]. starts: int64 [panels + 1]. x: float64 [inputs].
    Returns float64 [panels * rows]: outputs p * rows to (p + 1) * rows - 1 are those of panel p. A panel may be empty.

    >>> values, columns, starts = np.array([[1.0, 2.0], [10.0, 20.0]]), np.array([2, 0]), np.array([0, 0, 2])
    >>> sparse_product(values, columns, starts, np.array([3.0, 7.0, 5.0]))
    array([ 0.,  0., 35., 70.])
    """
    ### BEGIN SOLUTION
    y = np.zeros((len(starts) - 1, values.shape[1]))
    for panel in range(len(y)):
        for block in range(starts[panel], starts[panel + 1]):
            y[panel] += values[block] * x[columns[block]]
    return y.reshape(-1)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson07.sparse_product(sparse_product)
### BEGIN HIDDEN TESTS
check.lesson07.sparse_product.grade(sparse_product)
assert sparse_product(np.zeros((0, 8)), np.zeros(0, int), np.array([0, 0]), np.ones(3)).tolist() == [0.0] * 8
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Begin with zeros, [panels, rows]. Every block adds to the row of its panel.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# A block adds its `rows` values, all times the same input, `x[columns[block]]`.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Two loops, `for panel in range(len(starts) - 1)` and `for block in range(starts[panel], starts[panel + 1])`, one line inside, and
# `.reshape(-1)` at the end.
# </details>

# %%
sparse_product = check.lesson07.sparse_product.catch_up(sparse_product)

# %% [markdown]
# ### What it is good for
# From a trained layer to its sparse form, and back to the same answer. The library's `BlockSparse` makes the three arrays of your mask.

# %% tags=["nbval-check-output"]
pruned = (weight * block_mask(weight, 8, 0.75)).double().numpy()
stored = BlockSparse.of(pruned, (8, 1))
x = np.random.default_rng(0).normal(size=64)
y = sparse_product(stored.values[:, :, 0], stored.columns.astype(int), stored.starts.astype(int), x)
print(f"{len(stored.values)} of {weight.numel() // 8} blocks are stored; the answers agree: {np.allclose(y, pruned @ x)}")

# %% [markdown]
# ## Done
# You have the whole of gradual pruning in four functions: when, which, how it learns meanwhile, and what it is for.
# [The solutions](../solutions/07_pruning.ipynb) show one way to write each. There are others: the checks accept every one that is right.
