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
# # 06 LSTM, CIFG and SRU: exercises
#
# [Lesson 06](../notebooks/06_cells.ipynb) opened the cells. Here you write them: `layer_weights` counts what each costs, `cifg_step` makes a CIFG out of an LSTM,
# `compose` puts two steps of a memory into one, and `sru_cells` uses that to compute a whole sequence without going through it. At the end your functions run
# inside a layer of the library.
#
# **How it works.** Write your answer where it says `YOUR CODE HERE` and remove the line `raise NotImplementedError()`.
# Run the cell, then the check below it. The check draws new inputs each time and says *passed*, or what it expected, what it
# got, and what is probably the matter. Three hints stand below each check. If you are stuck, go on: the catch-up line puts a
# slow but right version in place, and says so.

# %%
import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F

from tinycourse import check
from tinycourse.models import CellConfig, Recurrent
from tinycourse.plots import lesson06 as figures
from tinycourse.studies import lesson06 as study

torch.manual_seed(6)
print("gates, in the order of their weights:", study.NAMES)

# %% [markdown]
# ## Exercise 1: what a layer costs
# <!-- card layer_weights difficulty=2 importance=4 minutes=10 points=2 -->
#
# A layer has a linear map for each gate and for each new value: from the **input** and, unless the cell is an SRU, from the **output of the frame before**, plus one **bias** for each
# unit. LSTM has four such maps, CIFG three, SRU four. A projection makes the output narrower, with a matrix of `units` x `projection` and no bias; then that is what
# goes back, too. **Count.**


# %%
def layer_weights(kind: str, inputs: int, units: int, projection: int) -> int:
    """All weights and biases of one recurrent layer.

    kind: "lstm", "cifg" or "sru". inputs: width of the input. units: width of the cell.
    projection: width of the output, or 0 for no projection; then the output is as wide as the cell.
    Returns an integer.

    >>> layer_weights("lstm", inputs=10, units=20, projection=5)  # 4 * 20 * (10 + 5 + 1) + 20 * 5
    1380
    """
    ### BEGIN SOLUTION
    maps = {"lstm": 4, "cifg": 3, "sru": 4}[kind]
    back = 0 if kind == "sru" else projection or units
    return maps * units * (inputs + back + 1) + units * projection
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson06.layer_weights(layer_weights)
### BEGIN HIDDEN TESTS
check.lesson06.layer_weights.grade(layer_weights)
assert layer_weights("sru", 3, 2, 0) == 4 * 2 * 4
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# One map first. It has a row for each unit. How long is a row? Inputs, what comes back, and the bias.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# What comes back is the output: `projection` numbers if there is a projection, else `units`. In an SRU nothing comes back.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# `maps * units * (inputs + back + 1) + units * projection`, where `back` is `projection or units`, or 0 for SRU.
# </details>

# %%
layer_weights = check.lesson06.layer_weights.catch_up(layer_weights)

# %% [markdown]
# ### The paper's encoder layer
# The recogniser of the second paper has layers of 2,048 units whose outputs are projected to 640 numbers. Without the projection such a layer would be far
# larger: what goes back and what the next layer gets would both be as wide as the cell.

# %% tags=["nbval-check-output"]
for kind in ("lstm", "cifg", "sru"):
    narrow, wide = layer_weights(kind, 640, 2048, 640), layer_weights(kind, 2048, 2048, 0)
    print(f"{kind:5} with projection {narrow:12,}   without {wide:12,}   {wide / narrow:.1f} times as many")

# %% [markdown]
# ## Exercise 2: CIFG from LSTM
# <!-- card cifg_step difficulty=2 importance=5 minutes=15 points=3 -->
#
# Here is the heart of an LSTM. The linear maps have been done; `z` holds their sums, one row each for g, i, f and o:
#
# ```python
# g, i, f, o = z[0].tanh(), z[1].sigmoid(), z[2].sigmoid(), z[3].sigmoid()
# c = f * c + i * g
# h = o * c.tanh()
# ```
#
# CIFG, the *coupled input and forget gate*, drops the input gate: **what is not kept is let in**. So z has three rows, g, f and o. **Write one step of CIFG.**


# %%
def cifg_step(z: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    """One frame of CIFG, after the linear maps.

    z: float32 [3, units], the sums of the new value g, the forget gate f and the output gate o.
    c: float32 [units], the cell before.
    Returns float32 [2, units]: the output h, and the cell after.

    >>> cifg_step(torch.tensor([[0.0], [0.0], [0.0]]), torch.tensor([2.0]))
    tensor([[0.3808],
            [1.0000]])
    """
    ### BEGIN SOLUTION
    g, f, o = z[0].tanh(), z[1].sigmoid(), z[2].sigmoid()
    c = f * c + (1 - f) * g
    return torch.stack([o * c.tanh(), c])
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson06.cifg_step(cifg_step)
### BEGIN HIDDEN TESTS
check.lesson06.cifg_step.grade(cifg_step)
shut = cifg_step(torch.tensor([[50.0], [-50.0], [50.0]]), torch.tensor([7.0]))
assert torch.allclose(shut, torch.tensor([[0.7616], [1.0]]), atol=1e-4)
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Take the three lines of the LSTM. Which name is gone, and what stands in its place? Mind the numbers of the rows.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# The share let in is 1 - f. The cell is then a mean of the old value and the new one.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# The new cell is `f * c + (1 - f) * g`. `torch.stack` puts the output, made of it, and the cell together.
# </details>

# %%
cifg_step = check.lesson06.cifg_step.catch_up(cifg_step)

# %% [markdown]
# ### A cell that cannot run away
# Feed both cells for a while with a loud new value, all gates nearly open. The cell of the LSTM adds up, to many times the new value; that of the CIFG is a mean, and stays within the new values. For
# whoever wants to store cells in few bits (lesson 08) that is a great help.

# %% alt="The cell of the LSTM climbs far above one and goes on climbing, that of the CIFG stays below one."
sums = torch.tensor([[2.0], [4.0], [4.0]])  # g, f, o
lstm, cifg, both = torch.zeros(1), torch.zeros(1), []
for _ in range(60):
    g, f = sums[0].tanh(), sums[1].sigmoid()
    lstm = f * lstm + torch.tensor(4.0).sigmoid() * g  # its own input gate, just as open
    cifg = cifg_step(sums, cifg)[1]
    both.append((float(lstm), float(cifg)))
plt.figure(figsize=(6, 2.4))
for values, name, style in zip(zip(*both), ("LSTM", "CIFG"), ("-", "--")):
    plt.plot(values, style, label=name)
plt.xlabel("frame")
plt.ylabel("cell")
plt.legend()
plt.show()

# %% [markdown]
# ## Exercise 3: two steps in one
# <!-- card compose difficulty=3 importance=4 minutes=15 points=3 -->
#
# The cell of an SRU is simple. Neither f nor g looks at the frame before, so a step is nothing but
#
# $$c \mapsto \text{keep} \cdot c + \text{add}, \qquad \text{keep} = f,\quad \text{add} = (1 - f)\, g.$$
#
# Do two such steps after each other. The result is again *keep times c plus add*, with another keep and another add. **Which?** Whoever can put two steps into one can put four into two, and
# a thousand into one: the road to computing all frames at once.


# %%
def compose(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """The step that does `first` and then `second`.

    first, second: float32 [2, units]; row 0 is keep, row 1 is add, of a step c -> keep * c + add.
    Returns float32 [2, units], of the same kind.

    >>> compose(torch.tensor([[0.5], [1.0]]), torch.tensor([[0.5], [0.0]]))  # 0.5 * (0.5 * c + 1)
    tensor([[0.2500],
            [0.5000]])
    """
    ### BEGIN SOLUTION
    return torch.stack([first[0] * second[0], second[0] * first[1] + second[1]])
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson06.compose(compose)
### BEGIN HIDDEN TESTS
check.lesson06.compose.grade(compose)
assert compose(torch.tensor([[2.0], [3.0]]), torch.tensor([[4.0], [5.0]])).flatten().tolist() == [8.0, 17.0]
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Write it out on paper: put `first` applied to c into `second`, and multiply the bracket out.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# keep2 * (keep1 * c + add1) + add2. What stands before c is the new keep; all the rest is the new add.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Row 0: `first[0] * second[0]`. Row 1: `second[0] * first[1] + second[1]`. `torch.stack` puts both together.
# </details>

# %%
compose = check.lesson06.compose.catch_up(compose)

# %% [markdown]
# ### The order of brackets
# With numbers, (a + b) + c is a + (b + c). Is that so with steps, too? If it is, we may begin in the middle of a sequence, or everywhere at once. And may steps change
# places? Try both.

# %% tags=["nbval-check-output"]
a, b, c = torch.rand(3, 2, 4).unbind()
print("brackets do not matter:", torch.allclose(compose(compose(a, b), c), compose(a, compose(b, c))))
print("the order does not matter:", torch.allclose(compose(a, b), compose(b, a)))

# %% [markdown]
# ## Exercise 4: SRU without the loop
# <!-- card sru_cells difficulty=4 importance=4 minutes=25 points=4 -->
#
# Now the trick. Begin with one step for each frame. In the first round every frame composes with its neighbour to the left, all at once: now each holds two steps. In the next round with the one two to the left: four
# steps. Then four to the left, and so on. After a round of distance d each frame holds the 2 d steps that end with it; where there is nothing to the left, keep what you have. When the distance reaches the number of frames, every frame holds *all* steps up to it, and
# since the cell begins at 0, its *add* is the cell. A thousand frames take ten rounds.
#
# **Write `sru_cells`**, with a loop over rounds, not over frames. (The check cannot see which it is. You can.)


# %%
def sru_cells(g: torch.Tensor, f: torch.Tensor) -> torch.Tensor:
    """Cells c(t) = f(t) * c(t - 1) + (1 - f(t)) * g(t), from c = 0, for all frames.

    g: float32 [T, units], new values. f: float32 [T, units], shares kept, in 0..1.
    Returns float32 [T, units].

    >>> sru_cells(torch.tensor([[1.0], [0.0], [1.0]]), torch.tensor([[0.5], [0.5], [0.5]])).flatten().tolist()
    [0.5, 0.25, 0.625]
    """
    ### BEGIN SOLUTION
    keep, add, distance = f, (1 - f) * g, 1
    while distance < len(f):
        before_keep = torch.cat([torch.ones_like(keep[:distance]), keep[:-distance]])
        before_add = torch.cat([torch.zeros_like(add[:distance]), add[:-distance]])
        keep, add = before_keep * keep, keep * before_add + add
        distance = 2 * distance
    return add
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson06.sru_cells(sru_cells)
### BEGIN HIDDEN TESTS
check.lesson06.sru_cells.grade(sru_cells)
assert sru_cells(torch.tensor([[4.0]]), torch.tensor([[0.75]])).tolist() == [[1.0]]
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Keep two tables, `keep` and `add`, [T, units] each. A round makes two new ones from them and from the same tables moved `distance` frames to the right. What comes in at the left is the step that does nothing: keep 1, add 0.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# `torch.cat([torch.ones_like(keep[:distance]), keep[:-distance]])` is `keep` moved. In `compose` the moved table is `first`, since it happened earlier.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# In the loop the new keep is `before_keep * keep`, the new add is `keep * before_add + add`; assign both in one line, so that the old `keep` is still there; then double the distance. Go on while `distance < len(f)`.
# </details>

# %%
sru_cells = check.lesson06.sru_cells.catch_up(sru_cells)

# %% [markdown]
# ### Who holds what
# After each round every row, a frame, holds the frames that are blue. At the end each holds everything up to itself.

# %% alt="Five panels: at first a diagonal, then bands of two, four and eight frames, at last a full lower triangle."
figures.scan(study.reach(12));

# %% [markdown]
# ## All together: a layer of the library on your functions
# Take an SRU layer and a CIFG layer with random weights, and compute their outputs with what you wrote. Then compare with the library.

# %% tags=["nbval-check-output"]
x = torch.randn(30, 8)  # 30 frames
sru, cifg = (Recurrent(8, CellConfig(kind, units=5)) for kind in ("sru", "cifg"))
with torch.no_grad():
    g, n, f, r = F.linear(x, sru.weight_input, sru.bias).unflatten(1, (4, 5)).unbind(1)  # [30, 5] each
    h = r.sigmoid() * sru_cells(g, f.sigmoid()).tanh() + (1 - r.sigmoid()) * n
    print("SRU, all frames at once:", torch.allclose(h, sru(x[None])[0][0], atol=1e-5))
    h, cell, outputs = torch.zeros(5), torch.zeros(5), []
    for frame in x:
        z = F.linear(frame, cifg.weight_input, cifg.bias) + F.linear(h, cifg.weight_recurrent)
        h, cell = cifg_step(z.view(3, 5), cell)
        outputs.append(h)
    print("CIFG, frame by frame:   ", torch.allclose(torch.stack(outputs), cifg(x[None])[0][0], atol=1e-5))
for kind, layer in (("sru", sru), ("cifg", cifg)):
    print(f"{kind}: {sum(p.numel() for p in layer.parameters())} weights, by your count {layer_weights(kind, 8, 5, 0)}")

# %% [markdown]
# ## Done
# You have written two cells and a scan. [The solutions](../solutions/06_cells.ipynb) show one way to write each function; the checks accept every one that is right.
