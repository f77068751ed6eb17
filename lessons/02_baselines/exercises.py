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
# # 02 The networks that came before: exercises
#
# [Lesson 02](../notebooks/02_baselines.ipynb) counted networks, compared them and ran one on a stream. Here you do it yourself: `conv_cost` counts a layer without running it,
# `separable` takes a convolution apart, `receptive_field` traces what a stack sees, `fold_norm` makes batch norm vanish, and
# `operating_point` judges a device that never stops listening.
#
# **How it works.** Write your answer where it says `YOUR CODE HERE` and remove the line `raise NotImplementedError()`.
# Run the cell, then the check below it. The check draws new inputs each time and says *passed*, or what it expected, what it
# got, and what is probably the matter. Three hints stand below each check. If you are stuck, go on: the catch-up line puts a
# slow but right version in place, and says so.

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F

from tinycourse import check, data, models
from tinycourse.spotting import detector, operating_curves
from tinycourse.training import checkpoint

recogniser = checkpoint.load("ds-cnn-s")  # trained on real recordings, shipped with the course
network = recogniser.network  # takes maps of 49 x 10
print(f"{sum(isinstance(m, nn.Conv2d) for m in network.modules())} convolutions, {len(recogniser.classes)} classes")

# %% [markdown]
# ## Exercise 1: what a convolution costs
# <!-- card conv_cost difficulty=2 importance=5 minutes=10 points=3 -->
#
# Before you train a network, you want to know whether it fits. A convolution puts `c_out` kernels down, one after the other, at
# every place of a padded map, or at every `stride`-th along both axes. Each kernel is square and looks at `c_in / groups` channels.
# The map is padded by `kernel // 2` on all sides, `kernel` is odd. **Count its parameters, and its multiply-adds.** One multiplication
# and the addition after it are one multiply-add; the sum starts at the bias, so the bias costs none.


# %%
def conv_cost(c_in: int, c_out: int, kernel: int, stride: int, groups: int, bias: bool, size: int) -> tuple[int, int]:
    """Parameters and multiply-adds of nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=bias).

    c_in, c_out: channels, both multiples of groups. size: height and width of its square input.
    Returns (parameters, multiply_adds), two integers.

    >>> conv_cost(3, 8, kernel=3, stride=2, groups=1, bias=True, size=9)
    (224, 5400)
    """
    ### BEGIN SOLUTION
    weights = c_out * (c_in // groups) * kernel * kernel
    along = (size - 1) // stride + 1  # places along one axis
    return weights + (c_out if bias else 0), weights * along * along
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson02.conv_cost(conv_cost)
### BEGIN HIDDEN TESTS
check.lesson02.conv_cost.grade(conv_cost)
assert conv_cost(64, 64, 3, 1, 64, False, 10) == (576, 57_600)
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Begin with one number of the output: how many numbers of the input does it look at? Then: how many kernels are there, and at how many
# places is each put down?
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# One kernel holds `(c_in // groups) * kernel * kernel` weights, and there are `c_out` of them. With padding and stride 1 there are as many
# places as the map has. With stride 2 every second is left, and the first one always counts: a row of 9 leaves places 0, 2, 4, 6, 8.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Three lines: the weights; the places along one axis, `(size - 1) // stride + 1`; and the pair of weights plus `c_out` if there
# is a bias, and weights times the square of the places.
# </details>

# %%
conv_cost = check.lesson02.conv_cost.catch_up(conv_cost)

# %% [markdown]
# ### What would you buy?
# With a counter that needs no network you can go shopping. Here is a layer for a map of 32 x 32, in four makes: each line
# looks at the same nine places around every point.

# %% tags=["nbval-check-output"]
for name, parts in {
    "dense, 64 to 64": [(64, 64, 3, 1, 1, False, 32)],
    "dense, stride 2": [(64, 64, 3, 2, 1, False, 32)],
    "four groups": [(64, 64, 3, 1, 4, False, 32)],
    "depthwise and pointwise": [(64, 64, 3, 1, 64, False, 32), (64, 64, 1, 1, 1, False, 32)],
}.items():
    parameters, work = (sum(counts) for counts in zip(*(conv_cost(*part) for part in parts)))
    print(f"{name:24} {parameters:7,} parameters {work:11,} multiply-adds")

# %% [markdown]
# ## Exercise 2: a convolution in two steps
# <!-- card separable difficulty=3 importance=4 minutes=15 points=3 -->
#
# A depthwise separable convolution first lets each channel look around by itself, with a filter of its own, then mixes the channels
# at each place by itself:
#
# $$y_{c}(i, j) = \sum_{a, b} f_c(a, b)\; x_c\left(i + a - \lfloor k/2 \rfloor,\ j + b - \lfloor k/2 \rfloor\right) \qquad
# z_d(i, j) = \sum_c p_{dc}\; y_c(i, j)$$
#
# Outside of the map there are zeros, so it keeps its size. **Write it.** `F.conv2d` may do the looking around, if you tell it
# about the groups, or you may add up shifted maps; both are fine.


# %%
def separable(x: torch.Tensor, depthwise: torch.Tensor, pointwise: torch.Tensor) -> torch.Tensor:
    """A depthwise, then a pointwise convolution, nothing between them.

    x: float32 [C, H, W]. depthwise: float32 [C, k, k], k odd, filter c for channel c. pointwise: float32 [D, C].
    Returns float32 [D, H, W].

    >>> x = torch.tensor([[[1.0, 2.0, 3.0]], [[10.0, 20.0, 30.0]]])  # 2 channels, 1 x 3
    >>> next_one = torch.tensor([[[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]])
    >>> itself = torch.tensor([[[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]])
    >>> separable(x, torch.cat([next_one, itself]), torch.tensor([[1.0, 2.0]]))
    tensor([[[22., 43., 60.]]])
    """
    ### BEGIN SOLUTION
    y = F.conv2d(x[None], depthwise[:, None], padding=depthwise.shape[1] // 2, groups=len(x))  # [1, C, H, W]
    return torch.einsum("dc,chw->dhw", pointwise, y[0])
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson02.separable(separable)
### BEGIN HIDDEN TESTS
check.lesson02.separable.grade(separable)
assert separable(torch.ones(2, 4, 4), torch.ones(2, 3, 3), torch.ones(1, 2))[0, 0].tolist() == [8.0, 12.0, 12.0, 8.0]
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# The two steps are independent of each other. Write down the shapes first: [C, H, W] becomes [C, H, W], and that becomes [D, H, W].
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# `F.conv2d` wants a batch, so give it `x[None]`, and weights [C, 1, k, k], so give it `depthwise[:, None]`. With `groups` equal to the
# number of channels each looks at itself alone. Do not forget the padding.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# The second step is a matrix product at every place: `pointwise @ y.flatten(1)`, brought back to height and width, or an einsum
# over `"dc,chw->dhw"`.
# </details>

# %%
separable = check.lesson02.separable.catch_up(separable)

# %% [markdown]
# ### How much of a trained network is this?
# DS-CNN-S is a stack of such layers. The first of its blocks, computed by your function and by the network itself (batch norm and
# ReLU, which stand between, left out on both sides):

# %%
x = torch.randn(64, 25, 5, generator=torch.Generator().manual_seed(0))
looks, mixes = network[1][0], network[2][0]  # the depthwise and the pointwise convolution of the first block
with torch.no_grad():
    own = separable(x, looks.weight[:, 0], mixes.weight[:, :, 0, 0])
    theirs = F.conv2d(F.conv2d(x[None], looks.weight, padding=1, groups=64), mixes.weight)[0]
    filters = looks.weight[:8, 0]
print("the same map:", torch.allclose(own, theirs, atol=1e-4))

# %% alt="Eight small filters of three by three: some look for change over time, some for change over frequency, some blur."
figure, axes = plt.subplots(1, 8, figsize=(8, 1.4))
for axis, weights in zip(axes, filters):
    limit = float(weights.detach().abs().max())
    axis.imshow(weights.detach().T.numpy(), origin="lower", cmap="RdBu", vmin=-limit, vmax=limit)
    axis.set(xticks=[], yticks=[])
figure.supxlabel("time")
plt.show()

# %% [markdown]
# ## Exercise 3: how far does a stack see?
# <!-- card receptive_field difficulty=3 importance=4 minutes=15 points=3 -->
#
# A unit late in a network depends on a stretch of its input: its *receptive field*. If that is shorter than a word, the unit never
# sees the whole word. Each layer, along time, has a kernel, a stride and a dilation (the distance between its taps; 1 means neighbours).
# **How many frames of the input does one output of the stack see?**


# %%
def receptive_field(layers: list[tuple[int, int, int]]) -> int:
    """Frames of the input between the first and the last that one output depends on, both counted.

    layers: (kernel, stride, dilation) of every layer, from the input on.

    >>> receptive_field([(3, 1, 1)])
    3
    >>> receptive_field([(3, 2, 1), (3, 1, 4)])
    19
    """
    ### BEGIN SOLUTION
    size, jump = 1, 1  # jump: input frames between neighbours of the map so far
    for kernel, stride, dilation in layers:
        size += (kernel - 1) * dilation * jump
        jump *= stride
    return size
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson02.receptive_field(receptive_field)
### BEGIN HIDDEN TESTS
check.lesson02.receptive_field.grade(receptive_field)
assert receptive_field([(1, 2, 1), (5, 3, 2), (3, 1, 1)]) == 29
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Go through the layers from the input on, and keep two numbers: how many input frames one unit sees by now, and how many input frames lie
# between two neighbouring units.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# A kernel with k taps has k - 1 gaps of `dilation` units each. Each of these units is as far from the next as the second number says.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Start with `size, jump = 1, 1`. For each layer add `(kernel - 1) * dilation * jump` to the size; after that, multiply the jump by the
# stride. The order of these two matters.
# </details>

# %%
receptive_field = check.lesson02.receptive_field.catch_up(receptive_field)

# %% [markdown]
# ### Depth, stride or dilation?
# Three ways to see a second of a hundred frames with kernels of three taps. Count layers and compare.

# %% tags=["nbval-check-output"]
for name, layer in {
    "one after the other": lambda i: (3, 1, 1),
    "dilations that double": lambda i: (3, 1, 2**i),
    "strides of two": lambda i: (3, 2, 1),
}.items():
    depth = next(n for n in range(1, 99) if receptive_field([layer(i) for i in range(n)]) >= 100)
    print(f"{name:23} {depth:2} layers see {receptive_field([layer(i) for i in range(depth)])} frames")

# %% [markdown]
# Strides also save work, as later layers run at fewer places; dilations keep every instant. `res15` takes dilations, TC-ResNet
# takes strides, each for its own reason.

# %% [markdown]
# ## Exercise 4: make batch norm vanish
# <!-- card fold_norm difficulty=3 importance=5 minutes=15 points=3 -->
#
# Once a network is trained, batch norm is a line: it takes what a layer gives and turns it into
#
# $$\hat y_d = \mathit{scale}_d\, \frac{y_d - \mathit{mean}_d}{\sqrt{\mathit{variance}_d + \mathit{eps}}} + \mathit{shift}_d,
# \qquad y_d = \sum_i w_{di} x_i + b_d.$$
#
# A line of a line is a line. So there is *one* layer that does both, and the chip needs no batch norm. **Find its weights and
# its bias.** A layer is written here as one matrix: a row for each output, its weights first and its bias last.


# %%
def fold_norm(
    layer: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor, eps: float
) -> torch.Tensor:
    """The layer that does what `layer` and the batch norm after it do.

    layer: float32 [D, n + 1], the weights of output d and, in the last column, its bias.
    scale, shift, mean, variance: float32 [D] each. Returns float32 [D, n + 1].

    >>> one = torch.tensor([1.0])
    >>> fold_norm(torch.tensor([[2.0, 4.0, 6.0]]), 3 * one, one, 2 * one, 3 * one, eps=1.0)
    tensor([[3., 6., 7.]])
    """
    ### BEGIN SOLUTION
    factor = scale / torch.sqrt(variance + eps)  # [D]
    folded = layer * factor[:, None]  # the bias is scaled like the weights
    folded[:, -1] += shift - mean * factor
    return folded
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson02.fold_norm(fold_norm)
### BEGIN HIDDEN TESTS
check.lesson02.fold_norm.grade(fold_norm)
zero, four = torch.zeros(1), torch.full((1,), 4.0)
assert fold_norm(torch.tensor([[1.0, 0.0]]), four, zero, zero, four, 0.0).tolist() == [[2.0, 0.0]]
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Put the second formula into the first, and sort: what stands before each $x_i$, and what stands alone?
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# Everything that comes from the layer is multiplied by one factor for each output, $\mathit{scale} / \sqrt{\mathit{variance} + \mathit{eps}}$: its
# weights and its bias. So is the mean. The shift is not.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Multiply the whole matrix by the factor as a column, `factor[:, None]`; then add `shift - mean * factor` to its last column.
# </details>

# %%
fold_norm = check.lesson02.fold_norm.catch_up(fold_norm)

# %% [markdown]
# ### A network with less in it
# Fold all batch norms of DS-CNN-S with your function, and give both networks the same map. Fewer numbers are stored, and the
# answer is the same, up to the rounding of float32.

# %%
folded = models.build("ds-cnn-s", len(recogniser.classes)).eval()
folded.load_state_dict(network.state_dict())
for block in (m for m in folded if isinstance(m, nn.Sequential)):
    conv, norm = block[0], block[1]
    rows = torch.cat([conv.weight.flatten(1), conv.bias[:, None]], 1).detach()
    rows = fold_norm(rows, norm.weight.detach(), norm.bias.detach(), norm.running_mean, norm.running_var, norm.eps)
    conv.weight.data, conv.bias.data = rows[:, :-1].reshape(conv.weight.shape), rows[:, -1]
    block[1] = nn.Identity()
x = torch.randn(4, 1, 49, 10, generator=torch.Generator().manual_seed(0))
with torch.no_grad():
    difference = float((folded(x) - network(x)).abs().max() / network(x).abs().max())
stored = [sum(t.numel() for t in m.state_dict().values()) for m in (network, folded)]
print(f"{stored[0]:,} numbers, then {stored[1]:,}; the answers differ by {difference:.0e} of the largest score")

# %% [markdown]
# ## Exercise 5: could you live with it?
# <!-- card operating_point difficulty=4 importance=5 minutes=20 points=4 -->
#
# A device that waits for one word looks at the last second of sound every `hop` seconds, so that window $i$ ends, and is judged, at
# $1 + i \cdot \mathit{hop}$ seconds. It *fires* when the score reaches the threshold, unless it fired less than `refractory` seconds before: for that long it is deaf.
# The word was really spoken at some times. The first time that the device fires between the start of a word and `tolerance` seconds after its
# end, it has found that word; firing at any other time, also twice for one word, is a false alarm. **What
# share of the words was missed, and how many false alarms were there in an hour?** The recording lasts until the last window ends.


# %%
def operating_point(
    score: torch.Tensor, hop: float, spoken: list[tuple[float, float]], threshold: float, refractory: float, tolerance: float
) -> tuple[float, float]:
    """Misses and false alarms of a detector.

    score: float32 [N], of the window that ends at 1 + i * hop seconds. spoken: (start, end) of every word, in seconds, in order.
    Returns (share of the words that were missed, false alarms in an hour).

    >>> score = torch.tensor([0.1, 0.9, 0.8, 0.2, 0.1, 0.75, 0.1, 0.1, 0.1])  # at 1.0, 1.5, ... 5.0 seconds
    >>> operating_point(score, 0.5, [(0.6, 1.6), (4.0, 5.0)], threshold=0.75, refractory=1.0, tolerance=0.5)
    (0.5, 720.0)
    """
    ### BEGIN SOLUTION
    fired = []
    for i in (score >= threshold).nonzero().flatten().tolist():
        time = 1 + i * hop
        if not fired or time - fired[-1] >= refractory:
            fired.append(time)
    waiting, alarms = list(spoken), 0
    for time in fired:
        found = [word for word in waiting if word[0] <= time <= word[1] + tolerance]
        if found:
            waiting.remove(found[0])
        alarms += not found
    hours = (1 + (len(score) - 1) * hop) / 3600
    return len(waiting) / len(spoken), alarms / hours
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson02.operating_point(operating_point)
### BEGIN HIDDEN TESTS
check.lesson02.operating_point.grade(operating_point)
assert operating_point(torch.zeros(3597 * 4 + 13), 0.25, [(1.0, 2.0)], 0.5, 1.0, 0.5) == (1.0, 0.0)
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Two steps, and they do not mix. First: at which times does the device fire? It knows nothing of the words. Then: which of these times
# belong to a word?
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# For the first step keep a list of times and compare with its last entry. For the second keep a list of words that wait to be
# found; take a word out as soon as it is. What still waits at the end was missed.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# A time that takes no word out of the list is a false alarm. N windows last `1 + (N - 1) * hop` seconds, and an hour has 3,600.
# </details>

# %%
operating_point = check.lesson02.operating_point.catch_up(operating_point)

# %% [markdown]
# ### One word of a real detector
# A recording of several minutes, the shipped DS-CNN-S, and its score for one word, *yes*. Every other word counts as noise.
# Your function, for many thresholds, draws the curve.

# %% alt="Share of the word yes that is missed over false alarms an hour: a curve that falls from the upper left to the lower right."
words = data.open_dataset("tinywords", classes="all", synthesizer="espeak-ng").clips("testing")
recording = detector.compose(words, ("yes",), data.open_dataset("tinywords").noise("testing"), 150, share=0.25, seed=2)
score = detector.smooth(detector.listen(recogniser, recording.audio, hop=0.25), 2)[:, recogniser.classes.index("yes")]
said = [(word.start, word.end) for word in recording.spoken]
thresholds = torch.linspace(-3, 8, 30).sigmoid().tolist()
points = [operating_point(score, 0.25, said, t, 1.0, 0.5) for t in thresholds]
figure, axis = plt.subplots(figsize=(6, 3))
axis.plot([alarms for _, alarms in points], [misses for misses, _ in points], "o-", ms=3)
axis.set(xlabel="false alarms an hour", ylabel="share of yes missed", ylim=(-0.02, 1.02))
plt.show()
print(f"{len(said)} times yes, {len(recording.others)} other words")

# %% [markdown]
# The library has the same rules in `detector.detect` and `operating_curves.judge`. At one threshold both have to agree:

# %%
found = detector.detect(score, ["yes"] * len(score), threshold=0.5, hop=0.25)
hits, alarms = operating_curves.judge(found, recording.spoken)
misses, per_hour = operating_point(score, 0.25, said, 0.5, 1.0, 0.5)
print(f"library: {1 - len(hits) / len(said):.3f} missed, {len(alarms)} false alarms")
print(f"yours:   {misses:.3f} missed, {per_hour * (1 + (len(score) - 1) * 0.25) / 3600:.0f} false alarms")

# %% [markdown]
# ## Done
# You can count a layer, take it apart, trace what it sees, make its batch norm vanish, and say whether a device is
# fit to live with. [The solutions](../solutions/02_baselines.ipynb) show one way to write each function. There are others: the
# checks accept every one that is right.
