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
# # 05 The RNN transducer: exercises
#
# [Lesson 05](../notebooks/05_transducer.ipynb) walked through a lattice. Here you write its parts: `transitions` finds the steps, `two_frames`
# lists all ways through the smallest lattice worth the name, `alpha` adds up the ways through any, `step_shares` turns them into a
# gradient, and `greedy` speaks. At the end four of them train a transducer and let it talk, and no line of that is the library's.
#
# **How it works.** Write your answer where it says `YOUR CODE HERE` and remove the line `raise NotImplementedError()`.
# Run the cell, then the check below it. The check draws new inputs each time and says *passed*, or what it expected, what it
# got, and what is probably the matter. Three hints stand below each check. If you are stuck, go on: the catch-up line puts a
# slow but right version in place, and says so.
#
# A node of a lattice is (t, u): t frames are behind us, u labels have been said. A **blank** leads to (t + 1, u), a **label** to
# (t, u + 1). We begin at (0, 0) and leave by a blank from (T - 1, U).

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F

from tinycourse import check
from tinycourse.plots import lesson05 as figures

words = ["(blank)", "two", "six"]
encoder_out = torch.tensor([[2.5, 0.0, 0.0], [0.5, 2.5, 0.0], [0.5, 0.0, 2.5], [2.5, 0.0, 0.0]])  # [T, V]: pause, two, six, pause
prediction_out = torch.tensor([[0.0, 0.0, 0.0], [1.0, -3.0, 0.0], [1.0, 0.0, -3.0]])  # [V, V]: after nothing, two, six
target = torch.tensor([1, 2])  # what was said: two, six
logits = encoder_out[:, None] + prediction_out[F.pad(target, (1, 0))]  # [T, U + 1, V]
print(f"a lattice of {logits.shape[0]} frames and {len(target)} labels, {len(words)} symbols")

# %% [markdown]
# ## Exercise 1: transitions
# <!-- card transitions difficulty=2 importance=4 minutes=10 points=2 -->
#
# The joint network gives a score, a *logit*, to every symbol at every node. Of all these numbers a lattice needs two for each node: the
# log-probability of **blank**, and that of **the label that comes next**. All symbols of a node compete with each other, so take
# `log_softmax` over them before you pick. Where all labels have been said, no label leads on. The logarithm of *never* is minus
# infinity; we write -1e30, because two infinities subtracted from each other give NaN. **Write `transitions`.**


# %%
def transitions(logits: torch.Tensor, target: torch.Tensor, blank: int) -> torch.Tensor:
    """Log-probabilities of the two steps that leave every node: blank first, then the next label.

    logits: float32 [T, U + 1, V]. target: int64 [U], the labels in order. blank: which of the V symbols is blank.
    Returns float32 [T, U + 1, 2]; -1e30 for the label at u = U.

    >>> transitions(torch.zeros(1, 2, 4), torch.tensor([3]), blank=0).exp().tolist()
    [[[0.25, 0.25], [0.25, 0.0]]]
    """
    ### BEGIN SOLUTION
    log_probs = logits.log_softmax(-1)
    steps = torch.full((*logits.shape[:2], 2), -1e30)
    steps[..., 0] = log_probs[..., blank]
    for u, label in enumerate(target):
        steps[:, u, 1] = log_probs[:, u, label]
    return steps
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson05.transitions(transitions)
### BEGIN HIDDEN TESTS
check.lesson05.transitions.grade(transitions)
assert torch.allclose(transitions(torch.zeros(3, 2, 2), torch.tensor([0]), 1)[:, 0].exp(), torch.tensor(0.5))
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Three things: normalise over the last axis; make a result full of -1e30; fill in its two columns. Blank is the easy one: it is the same
# symbol at every node.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# From node (t, u), where u labels have been said, the next one is `target[u]`. A loop over `enumerate(target)` fills one row u of the
# lattice after the other, for all frames at once.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# `torch.full(shape, -1e30)` makes the table, of the shape `(*logits.shape[:2], 2)`. Its column `[..., 0]` gets `log_probs[..., blank]`; in the loop,
# `[:, u, 1]` gets `log_probs[:, u, label]`.
# </details>

# %%
transitions = check.lesson05.transitions.catch_up(transitions)

# %% [markdown]
# ### The lattice of *two six*
# Your steps as probabilities, on the lattice of the lesson. The two numbers of a node need not add up to one: the rest is
# what the third symbol gets, and from here no path of ours takes it.

# %% alt="A lattice of four frames and two labels, with the probability of each step written beside its arrow."
steps = transitions(logits, target, blank=0)  # [4, 3, 2]
figures.lattice(4, words[1:], steps=steps.exp());

# %% [markdown]
# ## Exercise 2: two frames
# <!-- card two_frames difficulty=2 importance=4 minutes=15 points=3 -->
#
# Take a lattice of only two frames. An alignment says some of the labels in the first frame, takes a blank, says all the others in the
# second frame, and leaves by a blank. The only choice is where to take the first blank, so with U labels there are U + 1 alignments. The
# probability of one is the product of its steps; that of the transcript is the sum over all; the loss is minus the logarithm of that.
# **Write `two_frames`**, without any recursion: list the alignments.


# %%
def two_frames(steps: torch.Tensor) -> float:
    """Minus the log-probability of all labels, in two frames, by listing all alignments.

    steps: float32 [2, U + 1, 2], log-probabilities of leaving node (t, u) by a blank (0) and by a label (1).
    Returns a float.

    >>> steps = torch.tensor([[[0.5, 0.5], [0.5, 0.0]], [[0.5, 0.25], [1.0, 0.0]]]).log()
    >>> round(math.exp(-two_frames(steps)), 3)  # 0.5 * 0.25 * 1 + 0.5 * 0.5 * 1
    0.375
    """
    ### BEGIN SOLUTION
    labels = steps.shape[1] - 1
    scores = []
    for k in range(labels + 1):  # labels said in the first frame
        before, after = steps[0, :k, 1].sum(), steps[1, k:labels, 1].sum()
        scores.append(before + steps[0, k, 0] + after + steps[1, labels, 0])
    return -torch.stack(scores).logsumexp(0).item()
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson05.two_frames(two_frames)
### BEGIN HIDDEN TESTS
check.lesson05.two_frames.grade(two_frames)
assert abs(two_frames(torch.tensor([[[0.5, 0.0]], [[0.25, 0.0]]]).log()) - math.log(8)) < 1e-5
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Fix how many labels are said in the first frame, k, from 0 to U. Which steps does that alignment take? Labels from (0, 0), (0, 1), ...,
# a blank from (0, k), labels from (1, k), (1, k + 1), ..., and the last blank from (1, U).
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# A product of probabilities is a sum of their logarithms: `steps[0, :k, 1].sum() + steps[0, k, 0] + ...`. Stop the second sum at U: `k:U`.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Collect the U + 1 sums in a list. `torch.stack(scores).logsumexp(0)` takes exp, adds, and takes the logarithm, without running out of digits.
# Minus that, and `.item()`.
# </details>

# %%
two_frames = check.lesson05.two_frames.catch_up(two_frames)

# %% [markdown]
# ### Listing does not scale
# For two frames there are as many alignments as labels, and one more. How many are there for a sentence?

# %% tags=["nbval-check-output"]
for frames, labels in ((2, 2), (4, 2), (20, 5), (100, 20), (1_000, 100)):
    print(f"{frames:5} frames, {labels:3} labels: {math.comb(frames - 1 + labels, labels):.3g} alignments")

# %% [markdown]
# ## Exercise 3: alpha
# <!-- card alpha difficulty=3 importance=5 minutes=20 points=4 -->
#
# All alignments that pass a node have come there by one of two ways: from the left, by a blank, or from below, by a label. So keep one number for each
# node, the log-probability of coming there at all:
#
# $$\alpha(t, u) = \log\left(e^{\alpha(t-1,\,u)\,+\,\mathrm{blank}(t-1,\,u)} + e^{\alpha(t,\,u-1)\,+\,\mathrm{label}(t,\,u-1)}\right), \qquad \alpha(0, 0) = 0.$$
#
# No alignment comes from outside of the lattice. **Write `alpha`.** Two loops are fine.


# %%
def alpha(steps: torch.Tensor) -> torch.Tensor:
    """Log-probability of coming to every node.

    steps: float32 [T, U + 1, 2], log-probabilities of leaving node (t, u) by a blank (0) and by a label (1).
    Returns float32 [T, U + 1].

    >>> steps = torch.tensor([[[0.5, 0.5], [0.5, 0.0]], [[0.5, 0.25], [1.0, 0.0]]]).log()
    >>> alpha(steps).exp()
    tensor([[1.0000, 0.5000],
            [0.5000, 0.3750]])
    """
    ### BEGIN SOLUTION
    frames, nodes, _ = steps.shape
    reached = torch.full((frames, nodes), -1e30)
    reached[0, 0] = 0
    for t in range(frames):
        for u in range(nodes):
            if t > 0:
                reached[t, u] = torch.logaddexp(reached[t, u], reached[t - 1, u] + steps[t - 1, u, 0])
            if u > 0:
                reached[t, u] = torch.logaddexp(reached[t, u], reached[t, u - 1] + steps[t, u - 1, 1])
    return reached
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson05.alpha(alpha)
### BEGIN HIDDEN TESTS
check.lesson05.alpha.grade(alpha)
assert torch.allclose(alpha(torch.full((1, 3, 2), -1.0)), torch.tensor([[0.0, -1.0, -2.0]]))
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Go through the frames, and within a frame through the labels, from 0 up: then both nodes that you come from are ready. In the first frame
# there is no left, in the first row no below.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# `torch.logaddexp(a, b)` is log(exp(a) + exp(b)) and survives where exp alone would not. Begin every node at -1e30, the logarithm of nothing, and add what comes.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# `a[t, u] = torch.logaddexp(a[t, u], a[t - 1, u] + steps[t - 1, u, 0])` if t > 0, and the same with `a[t, u - 1] + steps[t, u - 1, 1]` if u > 0.
# The step is that of the node you come *from*.
# </details>

# %%
alpha = check.lesson05.alpha.catch_up(alpha)

# %% [markdown]
# ### And beta for nothing
# The way from a node to the end is a way from the end to the node, walked backwards. Turn the lattice round, and your `alpha` computes beta, the
# log-probability of going on to the end. One thing has to be seen to: turned round, a step belongs to the node where it arrives. So we move each by one, and
# begin with the last blank.


# %% tags=["nbval-check-output"]
def beta(steps: torch.Tensor) -> torch.Tensor:
    """Log-probability of going from every node to the end: steps [T, U + 1, 2] -> [T, U + 1]."""
    turned = steps.flip(0, 1)
    moved = torch.full_like(turned, -1e30)
    moved[:-1, :, 0] = turned[1:, :, 0]  # the blank that leads into a node from behind
    moved[:, :-1, 1] = turned[:, 1:, 1]  # the label that does
    return (alpha(moved) + steps[-1, -1, 0]).flip(0, 1)


come, go = alpha(steps), beta(steps)
print(f"by alpha: {come[-1, -1] + steps[-1, -1, 0]:.4f}; by beta: {go[0, 0]:.4f}")
both = transitions(logits[1:3], target, 0)
print(f"two frames, listed: {-two_frames(both):.4f}; by alpha: {alpha(both)[-1, -1] + both[-1, -1, 0]:.4f}")

# %% [markdown]
# ## Exercise 4: how often is a step taken?
# <!-- card step_shares difficulty=4 importance=4 minutes=20 points=4 -->
#
# Among all alignments, weighted by their probabilities: what share takes the label from node (t, u)? Whoever does comes to the node, takes the
# step, and goes on from the next one:
#
# $$\exp\bigl(\alpha(t, u) + \mathrm{label}(t, u) + \beta(t, u + 1) - \beta(0, 0)\bigr)$$
#
# since $\beta(0, 0)$ is the log-probability of all alignments together. For a blank, the next node is (t + 1, u). Out of the last frame a blank leads only from
# (T - 1, U), where everything is said: it leads to the end, of probability 1. **Write `step_shares`.** The whole gradient of the loss is made of it.


# %%
def step_shares(steps: torch.Tensor, alpha: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
    """How probable it is that an alignment takes each step.

    steps: float32 [T, U + 1, 2], log-probabilities of leaving node (t, u) by a blank (0) and by a label (1).
    alpha, beta: float32 [T, U + 1], log-probabilities of coming to every node, and of going from it to the end.
    Returns float32 [T, U + 1, 2], in 0..1; 0 where no step leads to the end.

    >>> steps = torch.tensor([[[0.5, 0.5], [0.5, 0.0]], [[0.5, 0.25], [1.0, 0.0]]]).log()
    >>> alpha = torch.tensor([[1.0, 0.5], [0.5, 0.375]]).log()
    >>> beta = torch.tensor([[0.375, 0.5], [0.25, 1.0]]).log()
    >>> [[[round(x, 3) for x in node] for node in frame] for frame in step_shares(steps, alpha, beta).tolist()]
    [[[0.333, 0.667], [0.667, 0.0]], [[0.0, 0.333], [1.0, 0.0]]]
    """
    ### BEGIN SOLUTION
    ahead = torch.full_like(steps, -1e30)  # beta where each step leads
    ahead[:-1, :, 0] = beta[1:]
    ahead[-1, -1, 0] = 0
    ahead[:, :-1, 1] = beta[:, 1:]
    return (alpha[..., None] + steps + ahead - beta[0, 0]).exp()
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson05.step_shares(step_shares)
### BEGIN HIDDEN TESTS
check.lesson05.step_shares.grade(step_shares)
only = step_shares(torch.full((1, 2, 2), -1.0), torch.tensor([[0.0, -1.0]]), torch.tensor([[-2.0, -1.0]]))
assert torch.allclose(only[0], torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Make a table of what lies *ahead* of each step, of the shape of `steps`. For blanks it is beta of the next frame, for labels beta of the next row. Then one
# line is enough.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# Begin with -1e30 everywhere. The blanks' part, `ahead[:-1, :, 0]`, gets `beta[1:]`; the labels', `ahead[:, :-1, 1]`, gets `beta[:, 1:]`. What is still missing? The
# last blank: log 1 is 0.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# `(alpha[..., None] + steps + ahead - beta[0, 0]).exp()`; `[..., None]` gives alpha a third axis, so that both steps of a node get it.
# </details>

# %%
step_shares = check.lesson05.step_shares.catch_up(step_shares)

# %% [markdown]
# ### Where do they go?
# The same lattice, each arrow as wide as its share. In each frame exactly one blank is taken, and in each row exactly one label: the shares have to add up to
# one. Do they?

# %% alt="The lattice with arrows as wide as their share of all alignments; one path up the middle is wide, the others thin."
shares = step_shares(steps, alpha(steps), beta(steps))
figures.lattice(4, words[1:], nodes=shares.sum(-1), widths=shares)
print("blanks of each frame:", [round(x, 4) for x in shares[..., 0].sum(1).tolist()])
print("labels of each row:  ", [round(x, 4) for x in shares[:, :-1, 1].sum(0).tolist()])

# %% [markdown]
# ## Exercise 5: greedy search
# <!-- card greedy difficulty=3 importance=5 minutes=15 points=3 -->
#
# Now nobody tells us the labels. Greedy search takes the best symbol at every node: a label is said and we **stay in the frame**; a blank, and we go on to the
# next. What may follow depends on what was said before. Our prediction network is as small as can be: it remembers one label. So the scores are a table
# [T, V, V]: the frame, the label before (`blank` while nothing has been said), and the symbol.
#
# A network that never says blank would never end, so a frame may say at most `most` labels; then we go on without asking. **Write `greedy`.** (If your
# cell runs for ever, press the stop button.)


# %%
def greedy(scores: torch.Tensor, blank: int, most: int) -> list[int]:
    """The labels that greedy search says.

    scores: float32 [T, V, V]; scores[t, last] are those of all symbols in frame t after the label `last`.
    blank: which symbol is blank, and the row to begin with. most: labels that one frame may say, at least 1.
    Returns a list of int, without blanks.

    >>> scores = torch.tensor([[[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]])  # two frames, blank 0 and label 1
    >>> greedy(scores, blank=0, most=3)  # 1, blank; then 1, 1, 1 and the limit
    [1, 1, 1, 1]
    """
    ### BEGIN SOLUTION
    said, last = [], blank
    for frame in scores:
        for _ in range(most):
            best = int(frame[last].argmax())
            if best == blank:
                break
            said.append(best)
            last = best
    return said
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson05.greedy(greedy)
### BEGIN HIDDEN TESTS
check.lesson05.greedy.grade(greedy)
assert greedy(torch.eye(3).flip(1).expand(2, 3, 3), 0, 2) == [2]
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Two loops: over the frames, and within a frame at most `most` times. The inner one ends early, with `break`, when blank wins.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# Keep two things: the list of what was said, and the last label. Blank changes neither.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# `best = int(scores[t, last].argmax())`. If it is blank, break; otherwise append it, and it is the new `last`. `last` is set to blank only once, at the very beginning.
# </details>

# %%
greedy = check.lesson05.greedy.catch_up(greedy)

# %% [markdown]
# ## All together: a transducer learns to speak
# No encoder yet, no autograd: a table of free scores for twelve frames, ten digits and blank, as `greedy` reads it. The gradient of the loss at a node is the
# probability of each symbol there, times how often alignments pass, minus how often they take the symbol. Your functions give all of that. Watch what greedy search says while
# the loss falls: first far too much, then less, then the digits. (The long silence that the lesson shows does not come here. It comes where one network has to serve all nodes of all
# strings.)

# %% alt="The loss falls over sixty steps of training, from above thirty to about two, ever more slowly."
digits = torch.tensor([2, 7, 1, 8])  # symbol 0 is blank; digit d is symbol d
table = 0.1 * torch.randn(12, 11, 11, generator=torch.Generator().manual_seed(5))  # [T, label before, V]
losses = []
for step in range(61):
    rows = table[:, F.pad(digits, (1, 0))]  # [T, U + 1, V]: the nodes of the lattice
    steps = transitions(rows, digits, blank=0)
    ways = alpha(steps), beta(steps)
    losses.append(-float(ways[1][0, 0]))
    shares = step_shares(steps, *ways)
    gradient = rows.softmax(-1) * shares.sum(-1, keepdim=True)
    gradient[..., 0] -= shares[..., 0]
    for u, digit in enumerate(digits):
        gradient[:, u, digit] -= shares[:, u, 1]
    for u, last in enumerate(F.pad(digits, (1, 0))):
        table[:, last] -= 0.25 * gradient[:, u]
    if step % 5 == 0:
        said = greedy(table, blank=0, most=3)
        print(f"step {step:2}: loss {losses[-1]:6.2f}, says {''.join(map(str, said))[:40] or '(nothing)'}")
plt.figure(figsize=(6, 2.4))
plt.plot(losses)
plt.xlabel("step")
plt.ylabel("loss")
plt.show()

# %% [markdown]
# One thing to try: let it learn 3, 1, 4, 1, 5. The loss stops falling early, and greedy search leaves digits out. What follows a 1? A memory of one label cannot tell the
# first from the second. That is why the prediction network of the lesson is a recurrent one.
#
# ## Done
# You have written a transducer: its loss, its gradient, and its voice. [The solutions](../solutions/05_transducer.ipynb) show one way to write each function. What the library
# adds is speed: all nodes of a diagonal at once, for a whole batch.
