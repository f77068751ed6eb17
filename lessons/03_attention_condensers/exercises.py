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
# # 03 Attention condensers: exercises
#
# [Lesson 03](../notebooks/03_attention_condensers.ipynb) took a condenser apart. Here you put one together: `condense`, `expand`, `attend`
# and `look_aside` are its steps, and `count_weights` tells which reading of the paper's figure is right. At the end the trained network
# runs on your own functions.
#
# **How it works.** Write your answer where it says `YOUR CODE HERE` and remove the line `raise NotImplementedError()`.
# Run the cell, then the check below it. The check draws new inputs each time and says *passed*, or what it expected, what it
# got, and what is probably the matter. Three hints stand below each check. If you are stuck, go on: the catch-up line puts a
# slow but right version in place, and says so.

# %%
import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F

from tinycourse import check, data
from tinycourse.models import TINYSPEECH
from tinycourse.models import shift_channels as aside
from tinycourse.plots import lesson03 as figures
from tinycourse.studies import lesson03 as study
from tinycourse.training import checkpoint

recogniser = checkpoint.load("tinyspeech-m")  # trained on real recordings, shipped with the course
network = recogniser.network
words, _ = data.open_dataset("tinywords").clips("validation").restrict(recogniser.classes)  # synthetic voices, bundled
x = recogniser.frontend(words.waveforms()[words.labels == words.classes.index("yes")][:1])  # [1, 1, 101, 40]
v = study.given(network, network.blocks[0].first, x)  # what its first condenser is given: [1, C, frames, bands]
shown = int(v[0].var(dim=(1, 2)).argmax())  # the channel with most to see
print(f"V is {list(v.shape)}: clips, channels, frames, bands; channel {shown} is shown below")

# %% [markdown]
# ## Exercise 1: condense
# <!-- card condense difficulty=1 importance=4 minutes=10 points=2 -->
#
# Condensation makes a large map small and keeps what is strong: of every window of `pool` frames and bands only the maximum stays. The windows
# stand side by side. **Write `condense`.** One thing asks for care. Maps seldom divide evenly: 101 frames are an odd number, and so are the 51 behind the stem.
# The last window of a row or column may then hold fewer values, but it counts; whoever drops it drops the end of every word.


# %%
def condense(v: torch.Tensor, pool: tuple[int, int]) -> torch.Tensor:
    """Q = C(V): the maximum of every window.

    v: float32 [B, C, H, W], H frames and W bands. pool: (ph, pw), frames and bands of a window.
    Returns float32 [B, C, ceil(H / ph), ceil(W / pw)]; the last windows may be cut off by the edge of the map.

    >>> condense(torch.tensor([[[[1.0, 5.0, -2.0], [3.0, 2.0, -4.0]]]]), (2, 2))
    tensor([[[[ 5., -2.]]]])
    """
    ### BEGIN SOLUTION
    return F.max_pool2d(v, pool, ceil_mode=True)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson03.condense(condense)
### BEGIN HIDDEN TESTS
check.lesson03.condense.grade(condense)
assert condense(-torch.ones(1, 1, 5, 5), (4, 4)).tolist() == [[[[-1.0, -1.0], [-1.0, -1.0]]]]
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# torch has max pooling ready: `F.max_pool2d(v, pool)`. Without a stride the windows stand side by side. What does it do with a
# row that is left over?
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# By default it drops incomplete windows, because it rounds the number of windows down. You want it rounded up. Do not pad with zeros: where all values
# are negative, the zero would win.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# The argument is called `ceil_mode`.
# </details>

# %%
condense = check.lesson03.condense.catch_up(condense)

# %% [markdown]
# ### How small may it get?
# Here is one channel of V and what three windows leave of it. The network's own two windows are (2, 1) and (1, 10).

# %% alt="One channel of a feature map and three condensed versions: half the frames, a quarter in both directions, one value a frame."
figure, axes = plt.subplots(1, 4, figsize=(9, 2))
for axis, pool in zip(axes, ((1, 1), (2, 1), (4, 4), (1, 10)), strict=True):
    q = condense(v, pool)[0]
    figures.picture(axis, q[shown])
    axis.set_title(f"{pool}: {q.shape[1]} x {q.shape[2]}")
plt.show()

# %% [markdown]
# ## Exercise 2: expand
# <!-- card expand difficulty=2 importance=4 minutes=10 points=2 -->
#
# Expansion is the way back to the size of V: every value of K fills the window that it came from. Where the last window was cut off
# by the edge, its value fills what there is of it. **Write `expand`.**


# %%
def expand(k: torch.Tensor, pool: tuple[int, int], size: tuple[int, int]) -> torch.Tensor:
    """A = X(K): every value over the window it came from.

    k: float32 [B, b, h, w]. pool: (ph, pw), frames and bands of a window.
    size: (H, W) of V, where h = ceil(H / ph) and w = ceil(W / pw).
    Returns float32 [B, b, H, W].

    >>> expand(torch.tensor([[[[1.0, 2.0]]]]), (2, 2), (2, 3))
    tensor([[[[1., 1., 2.],
              [1., 1., 2.]]]])
    """
    ### BEGIN SOLUTION
    a = k.repeat_interleave(pool[0], dim=2).repeat_interleave(pool[1], dim=3)
    return a[:, :, : size[0], : size[1]]
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson03.expand(expand)
### BEGIN HIDDEN TESTS
check.lesson03.expand.grade(expand)
assert expand(torch.tensor([[[[1.0], [2.0]]]]), (3, 1), (4, 1)).flatten().tolist() == [1.0, 1.0, 1.0, 2.0]
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# First repeat each value ph times along the frames and pw times along the bands. That gives h * ph rows: at least H of them. What then?
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# `repeat` puts whole maps side by side. `repeat_interleave(n, dim=...)` repeats every single value.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Call `repeat_interleave` for dimension 2, then for dimension 3, and keep `[:, :, :H, :W]`.
# </details>

# %%
expand = check.lesson03.expand.catch_up(expand)

# %% [markdown]
# ### There and back
# `expand` does not undo `condense`: the maximum of a window stands in all its places. So what comes back lies above V everywhere. How much is
# lost? Here is the share of V's variance that the way there and back explains, for windows of growing height. It falls, but not evenly: now and then the
# edges of the windows happen to lie where the sound changes. Below zero what comes back is further from V than V's own mean is.

# %% alt="The share of variance explained over the height of the window: one at the left, and mostly falling to the right."
heights = range(1, 14)
explained = []
for height in heights:
    back = expand(condense(v, (height, 1)), (height, 1), tuple(v.shape[2:]))
    explained.append(1 - float((v - back).var() / v.var()))
figure, axes = plt.subplots(figsize=(6, 2.6))
axes.plot(heights, explained, "o-")
axes.set_xlabel("frames in a window")
axes.set_ylabel("explained")
plt.show()

# %% [markdown]
# ## Exercise 3: selective attention
# <!-- card attend difficulty=2 importance=5 minutes=10 points=3 -->
#
# Now V and A meet. The paper gives one condition, "as S goes to 0, V' goes to A" (paper, section 2), and leaves the rest to us:
#
# $$V'_c = S_c \cdot V_c + A_c \qquad \text{for every channel } c \text{ of } A.$$
#
# V may have more channels than A: then its last ones are dropped. Or fewer: then zeros take their place, and $V'_c = A_c$. **Write `attend`.** Try in your head, for each
# form that you might write instead, what is left when S is zero.


# %%
def attend(v: torch.Tensor, a: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    """V' = S * V + A, on the first channels of V, filled up with zeros if there are too few.

    v: float32 [B, C, H, W]. a: float32 [B, b, H, W]. s: float32 [b], one number for each channel of A.
    Returns float32 [B, b, H, W].

    >>> attend(torch.ones(1, 1, 1, 2), torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]]), torch.tensor([10.0, 10.0])).tolist()
    [[[[11.0, 12.0]], [[3.0, 4.0]]]]
    """
    ### BEGIN SOLUTION
    missing = max(0, a.shape[1] - v.shape[1])
    v = F.pad(v, (0, 0, 0, 0, 0, missing))[:, : a.shape[1]]  # [B, b, H, W]
    return s[:, None, None] * v + a
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson03.attend(attend)
### BEGIN HIDDEN TESTS
check.lesson03.attend.grade(attend)
assert attend(torch.ones(1, 4, 1, 1), torch.zeros(1, 2, 1, 1), torch.tensor([2.0, 3.0])).flatten().tolist() == [2.0, 3.0]
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Three parts: bring V to b channels, multiply channel c with s[c], add A. The first part has two cases, one of which may do nothing.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# `v[:, :b]` drops what is too much and does no harm if there is too little. `torch.cat` with `torch.zeros`, or `F.pad`, fills up. And mind `s * v`:
# torch lays s [b] along the *last* axis.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# `F.pad(v, (0, 0, 0, 0, 0, missing))` adds channels of zeros behind: the pairs go from the last axis to the first. `s[:, None, None]` has the shape [b, 1, 1].
# </details>

# %%
attend = check.lesson03.attend.catch_up(attend)

# %% [markdown]
# ### Do we need S?
# S is learned. If all of them had gone to zero, the network would be telling us that A is enough; if S stood still at 1, where it began, that S is not
# needed. Here is what training made of it, condenser by condenser. Some dots lie on top of each other just below the dashed line. They belong to channels that V does not have: zeros are
# multiplied there, so nothing moved these numbers but the weight decay of the training.

# %% alt="Dots in six columns, one for each condenser: the learned values of S for every channel, spread around a dashed line at one."
figure, axes = plt.subplots(figsize=(7, 2.6))
for place, condenser in enumerate(study.condensers(network)):
    values = condenser.scale.detach().flatten()
    axes.plot([place] * len(values), values, "o", alpha=0.7)
axes.axhline(1, linestyle="--", color="grey")
axes.set_xticks(range(6), [f"{block}.{part}" for block in range(3) for part in ("first", "second")])
axes.set_ylabel("S")
plt.show()

# %% [markdown]
# ## Exercise 4: shift the copies
# <!-- card look_aside difficulty=3 importance=5 minutes=15 points=3 -->
#
# A network of 1x1 kernels cannot tell a word from the same word backwards. The remedy costs no weight: of every channel there are two copies,
# so shift them: one looks `distance` frames back and the other as far ahead. What lies outside of the map is zero. **Write `look_aside`** for the
# direction of time: first come all channels that look back, then all that look ahead.


# %%
def look_aside(q: torch.Tensor, distance: int) -> torch.Tensor:
    """Every channel twice, as it was and as it will be.

    q: float32 [B, C, H, W], H frames. distance: frames, at least 1 and less than H.
    Returns float32 [B, 2 C, H, W]: at frame t channel c holds q[:, c, t - distance] and channel C + c holds
    q[:, c, t + distance]; 0 where that lies outside.

    >>> look_aside(torch.tensor([1.0, 2.0, 3.0]).view(1, 1, 3, 1), 1).squeeze().tolist()
    [[0.0, 1.0, 2.0], [2.0, 3.0, 0.0]]
    """
    ### BEGIN SOLUTION
    outside = torch.zeros_like(q[:, :, :distance])  # [B, C, distance, W]
    back = torch.cat([outside, q[:, :, :-distance]], dim=2)
    ahead = torch.cat([q[:, :, distance:], outside], dim=2)
    return torch.cat([back, ahead], dim=1)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson03.look_aside(look_aside)
### BEGIN HIDDEN TESTS
check.lesson03.look_aside.grade(look_aside)
assert look_aside(torch.ones(1, 1, 4, 1), 3).flatten().tolist() == [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Draw it for three frames. The copy that looks back has at frame 0 what was before the map: a zero. So its content is moved *to the right*,
# and its last value falls out.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# Slices along dimension 2: `q[:, :, :-distance]` are all frames but the last ones, `q[:, :, distance:]` all but the first ones. Each lacks `distance` frames: put
# zeros where they are missing. `torch.roll` would put the other end of the word there.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Zeros before the first slice, zeros behind the second (`torch.cat` along dimension 2), and both results behind each other along dimension 1.
# </details>

# %%
look_aside = check.lesson03.look_aside.catch_up(look_aside)

# %% [markdown]
# ### A detector of *rising*
# With two copies one subtraction is enough to see change: what will be minus what was. On the first map of the word it finds where the sound begins, and with the other
# sign where it ends. No weight was spent on seeing; only the mixing costs.

# %% alt="Three pictures: one channel of the word, where it rises, and where it falls; onset and end of the sound light up."
back, ahead = look_aside(v, 1).chunk(2, dim=1)
figure, axes = plt.subplots(1, 3, figsize=(9, 2))
pictures = {f"channel {shown}": v, "rising": (ahead - back).relu(), "falling": (back - ahead).relu()}
for axis, (title, picture) in zip(axes, pictures.items(), strict=True):
    figures.picture(axis, picture[0, shown])
    axis.set_title(title)
plt.show()

# %% [markdown]
# ## Exercise 5: count the weights
# <!-- card count_weights difficulty=3 importance=5 minutes=15 points=3 -->
#
# One reading of the paper's figure gives the published counts. **Write it down as a function:** the number of weights of a TinySpeech, from the numbers in
# the figure. Only weights count, no bias and no batch norm.
#
# - The stem is a 3x3 convolution from 1 channel to `stem`.
# - Each block has two condensers, ((a, b), (c, d)). The grouped convolution of the first is 1x1 and makes `a` channels, each out of a single one; its
#   pointwise convolution makes `b` out of these `a`. The second one likewise, with `c` and `d`.
# - The last convolution is 3x3, from what the last condenser gives to `last`. An average leaves one number for each channel; a fully connected
#   layer makes `classes` scores of them.


# %%
def count_weights(stem: int, blocks: tuple, last: int, classes: int) -> int:
    """Weights of a TinySpeech, as the paper counts them.

    stem: channels of the stem. blocks: ((a, b), (c, d)) for each block. last: channels of the last convolution.
    Returns how many weights all convolutions and the fully connected layer have.

    >>> count_weights(stem=2, blocks=(((4, 3), (6, 2)),), last=5, classes=10)
    192
    """
    ### BEGIN SOLUTION
    pairs = [pair for block in blocks for pair in block]
    embedding = sum(a + a * b for a, b in pairs)
    return 9 * stem + embedding + 9 * pairs[-1][1] * last + last * classes
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson03.count_weights(count_weights)
### BEGIN HIDDEN TESTS
check.lesson03.count_weights.grade(count_weights)
assert count_weights(9, (((18, 6), (12, 9)), ((18, 9), (18, 9)), ((18, 8), (16, 9))), 40, 12) == 4729
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Do the docstring's example by hand. The stem has 18 weights. The first condenser has 4 of the grouped and 12 of the pointwise convolution. Go on until you have 192.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# A k x k convolution from m channels to n has k * k * m * n weights. In the grouped one each of the `a` outputs sees one channel, so
# m counts as 1 there.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Add `a + a * b` over all condensers. The last convolution has `9 * d * last` weights, where d stands in the last block: `blocks[-1][1][1]`.
# </details>

# %%
count_weights = check.lesson03.count_weights.catch_up(count_weights)

# %% [markdown]
# ### Your count against the paper's
# Your count beside what the paper says of its four networks.

# %% tags=["nbval-check-output"]
for letter, paper in study.PUBLISHED.items():
    c = TINYSPEECH[letter]
    counted = count_weights(c.stem, c.blocks, c.last, 12)
    print(f"{letter.upper()}: {counted:7,}   published {paper.parameters:7,.0f}   {counted / paper.parameters - 1:+.1%}")

# %% [markdown]
# ### The whole network on your functions
# At last everything together. Every condenser of the trained network is replaced by yours: your pooling, your unpooling, your attention; its weights stay. If
# all is right, nothing changes.


# %% tags=["nbval-check-output"]
def mine(condenser, inputs, output):
    """What `condenser` gives, computed by the functions of this notebook; torch calls it behind every condenser."""
    (v,) = inputs
    copies = aside(condense(v, condenser.pool), condenser.offsets)  # yours looks along time only
    grouped = condenser.grouped_norm(condenser.grouped(copies)).relu()
    k = condenser.pointwise_norm(condenser.pointwise(grouped))
    a = expand(k, condenser.pool, tuple(v.shape[2:]))
    return condenser.norm(attend(v, a, condenser.scale.flatten()))


with torch.no_grad():
    theirs = network(x)[0]
    hooks = [condenser.register_forward_hook(mine) for condenser in study.condensers(network)]
    ours = network(x)[0]
for hook in hooks:
    hook.remove()
print("the same scores:", torch.allclose(ours, theirs, atol=1e-4))
print("it hears:", recogniser.classes[int(ours.argmax())])

# %% [markdown]
# ## Done
# You have built an attention condenser, made it see order for free, and found by counting what a figure means. [The solutions](../solutions/03_attention_condensers.ipynb) show one
# way to write each function. There are others: the checks accept every one that is right.
