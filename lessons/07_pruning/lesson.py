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
# # 07 Gradual pruning: weights that leave, and may come back
#
# A trained network is full of weights that hardly matter. Take half of them out, and it hardly notices. Take out most at once, and it
# is broken; take them out one by one while it goes on learning, and it finds its way with what is left. This lesson does that, looks at
# which weights leave and which return, and then asks what is often skipped: what do we gain? Zeros save nothing by themselves.
#
# ## What you will build
#
# A schedule and a mask by hand, then the course's `Pruner` on a network that recognises words. You watch the mask change while it trains,
# store what is left in blocks, count every byte, indices included, and run it in C against the dense network.
#
# ## Objectives
#
# After this lesson you can
#
# - prune a network gradually, by magnitude, and say why that beats doing it at once;
# - explain how a weight behind a mask can learn, and return;
# - choose a block, and say what it costs in accuracy and what it saves in bytes and in time;
# - share out one budget among layers;
# - count the size of a sparse network honestly;
# - say when sparsity does not pay.

# %% [markdown]
# ## Before you start
#
# You need [lesson 02](02_baselines.ipynb), where DS-CNN-S comes from. The second paper of this course, on speech recognition at the edge
# (Shangguan et al. 2019, [arXiv 1909.12408](https://arxiv.org/abs/1909.12408)), prunes a large transducer; here is all that it does, on a
# small network that trains in seconds.
#
# ## Time and machine
#
# An hour to read and play; a few minutes to run on two processor cores, with less than a gigabyte of memory. Nothing is downloaded.
#
# ## The map of the course
#
# <!-- map -->
#
# ## Where this code lives
#
# <!-- code -->

# %% [markdown]
# Speech has become features, features words. Now the network in the middle loses weights.

# %% alt="Eight boxes in a row, joined by arrows: recording, features, network, design, and so on; the box called pruned is filled."
from tinycourse import plots

plots.path("07");
# %% [markdown]
# ## 1. Why weights can go
#
# Here are the weights of three layers of a trained DS-CNN-S: a hump around zero each. Between the dashed lines lies the smaller half.

# %% alt="Three histograms of weights, each a hump around zero; dashed lines close to zero on both sides hold half of all weights."
import torch

from tinycourse import data
from tinycourse.plots import lesson07 as figures
from tinycourse.training import checkpoint

network = checkpoint.load("ds-cnn-s").network
weights = {name: p.detach() for name, p in network.named_parameters() if p.ndim == 4 and p.shape[1] == 64}
some = {name: weights[name] for name in list(weights)[:3]}
figures.histogram(some, {name: w.abs().median().item() for name, w in some.items()});
# %% [markdown]
# Small weights are candidates, no more than that: a small weight on a strong input may matter. Let us try. We set the smallest
# weights of every layer to zero, and as many others drawn at random, and count right answers. The words are synthetic, so that
# this runs everywhere; the network was trained on people, and does not know these voices.

# %%
words = data.open_dataset("tinywords")
splits = {split: words.clips(split) for split in ("training", "testing")}
frontend = checkpoint.load("ds-cnn-s").frontend
x, y = {}, {}
for split, clips in splits.items():
    x[split] = checkpoint.in_batches(frontend, clips.audio)  # [N, 1, 49, 10]
    y[split] = clips.labels
print({split: list(part.shape) for split, part in x.items()})


@torch.no_grad()
def accuracy(network: torch.nn.Module) -> float:
    network.eval()
    return (network(x["testing"]).argmax(1) == y["testing"]).float().mean().item()


# %% [markdown]
# `choose` makes masks, bool like the weights. `prunable` names the weights that may be pruned: those that have several inputs and several
# outputs. Biases and batch norm stay; they are few, and each of them counts.

# %% alt="Accuracy over sparsity: pruned by magnitude it stays level and then falls; pruned at random it falls at once."
from tinycourse.pruning import choose, prunable

lines = {"smallest first": [], "at random": []}
for name, points in lines.items():
    for sparsity in (0.0, 0.2, 0.4, 0.6, 0.8):
        network = checkpoint.load("ds-cnn-s").network
        free = prunable(network)
        random = torch.Generator().manual_seed(0)
        judged = {n: torch.rand(p.shape, generator=random) if name == "at random" else p for n, p in free.items()}
        for n, mask in choose(judged, (1, 1), sparsity).items():
            free[n].data *= mask
        points.append((sparsity, accuracy(network)))
figures.curves(lines, "accuracy on synthetic words", chance=1 / 10);
# %% [markdown]
# Magnitude is a crude judge, but far better than chance. It costs nothing, which is why it has outlived most of its rivals.
#
# ## 2. When: the schedule
#
# Beyond some point the network breaks. It need not, if it may adapt while the weights leave. So we ask for a sparsity that grows
# (Zhu and Gupta 2017, [arXiv 1710.01878](https://arxiv.org/abs/1710.01878), equation 1):
#
# $$s_t = s_f + (s_i - s_f) \left(1 - \frac{t - t_0}{t_1 - t_0}\right)^3$$
#
# At first it rises steeply, for there are many weights that nobody misses. Towards the end it creeps: every weight that goes now is
# missed, and the others need time. Afterwards there must be training left, with a mask that stays.

# %% alt="Three curves of sparsity over steps: a cubic that rises steeply and levels off, a straight line, and a jump at step zero."
from tinycourse.pruning import Schedule

steps = 240
gradual, line, once = (Schedule(0, int(0.6 * steps), 0.9), Schedule(0, int(0.6 * steps), 0.9, power=1), Schedule(0, 0, 0.9))
wanted = {name: [s.at(t) for t in range(steps)] for name, s in (("cubic", gradual), ("line", line), ("one-shot", once))}
figures.schedule(wanted, [t for t in range(steps) if gradual.due(t)])
for t in (0, 36, 72, 108, 144, 200):
    print(f"step {t:3}: {gradual.at(t):6.1%} should be gone")

# %% [markdown]
# ## 3. Which weights: masks that change
#
# A mask that is drawn once knows only the old network. So it is drawn again and again, every few steps. For that to mean anything, a weight
# that is hidden must be able to grow. Here is how:
#
# - the network computes with $w \cdot m$, and the gradient is taken there;
# - the optimiser keeps $w$ itself, also behind the mask, and moves all of it: the gradient passes *straight through* the mask (the *straight-through estimator*);
# - at the next drawing all $w$ compete. Those that have grown return; those that have shrunk go.
#
# `Pruner` does this for any network and any optimiser. Between two steps the network *holds* $w \cdot m$; for the moment of a
# step the optimiser gets $w$ back. So nothing else has to know: not the layers, not the evaluation, not the checkpoint.

# %%
from tinycourse.pruning import PruneConfig, Pruner


def train(config: PruneConfig, steps: int, watch: tuple[int, ...] = (), weight: str = "4.0.weight"):
    """DS-CNN-S on synthetic words, pruned meanwhile: (network, pruner, the mask of one weight at the steps `watch`)."""
    network = checkpoint.load("ds-cnn-s").network.train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.005)
    pruner = Pruner(network, config, steps).attach(optimizer)  # this line is all that pruning needs
    random, seen = torch.Generator().manual_seed(session.seed), {}
    for step in range(steps):
        if step in watch:
            seen[step] = pruner.masks[weight].flatten(1)
        batch = torch.randint(len(y["training"]), (32,), generator=random)
        loss = torch.nn.functional.cross_entropy(network(x["training"][batch]), y["training"][batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network, pruner, seen


# %% [markdown]
# Watch one layer while the network goes to ninety percent (shared out among the layers as section 6 says). Light: gone. Blue: there. Pink: was gone in an
# earlier picture, and is back. Below it is the same as a film: press play, or go to any moment yourself.

# %% tags=["nbval-ignore-output"] alt="Six pictures of a mask of 32 outputs and 64 inputs: ever more cells go light, and a few pink ones mark weights that came back."
from tinycourse.widgets.lesson07 import MaskFilm

steps = 60 if session.fast else 240
film = tuple(range(0, int(0.7 * steps), steps // 30))
network, pruner, seen = train(PruneConfig(0.9, (1, 1), "lamp"), steps, film)
print(f"{pruner.sparsity:.1%} are gone; {pruner.returned:,} times a weight came back; accuracy {accuracy(network):.1%}")
figures.evolving({step: seen[step] for step in [film[i] for i in (0, 2, 3, 6, 12, len(film) - 1)]})
MaskFilm(seen)
# %% [markdown]
# ### Without the gradient behind the mask
#
# One can also stop the gradient at the mask, as the paper's authors did (their public code). Then a hidden weight keeps its value, and returns
# only when others shrink below it. Count the returns, and compare with a network that was trained on as long and not pruned at all.

# %%
for name, config in {
    "straight through": PruneConfig(0.9, (1, 1), "lamp"),
    "stopped at the mask": PruneConfig(0.9, (1, 1), "lamp", straight_through=False),
    "not pruned": PruneConfig(0.0, (1, 1)),
}.items():
    network, pruner, _ = train(config, steps)
    print(f"{name:20}{pruner.returned:7,} returns, accuracy {accuracy(network):.1%}")

# %% [markdown]
# ## 4. At once, or one by one
#
# The same number of steps, the same sparsity at the end. *One-shot* makes its mask before the first step and trains with it. *Gradual* makes
# it on the way. At moderate sparsity they hardly differ. Look at the right end.

# %% alt="Accuracy over sparsity for gradual and for one-shot pruning."
sparsities = (0.9,) if session.fast else (0.7, 0.8, 0.9)
lines = {"gradual": [], "one-shot": []}
for sparsity in sparsities:
    for name, end in (("gradual", 0.6), ("one-shot", 0.0)):
        network, _, _ = train(PruneConfig(sparsity, (1, 1), "lamp", end=end), steps)
        lines[name].append((sparsity, accuracy(network)))
        print(f"{sparsity:.0%} {name:10}{lines[name][-1][1]:.1%}")
figures.curves(lines, "accuracy on synthetic words");
# %% [markdown]
# ## 5. Blocks
#
# So far every weight stood for itself. A processor dislikes that. It fetches memory in lines of 64 bytes <!-- definition --> and computes
# on registers of many numbers; a single weight here and there wastes both. So neighbours go together. What is a good
# neighbourhood? In `8x1`, as this course writes it, a block is eight *outputs* that meet the same *input*. That input is loaded once, eight
# products fill a register, and eight sums grow side by side; no sum runs across lanes. In `1x8`, eight inputs of one output, the
# inputs have to be gathered or the products added across. Mind the convention: on a matrix written [inputs, outputs] the same block is
# called the other way round.

# %% alt="Three masks of one layer: single weights like dust, 8 x 1 as short vertical dashes, 1 x 8 as short horizontal dashes."
weight = {"w": weights["4.0.weight"]}
patterns = {f"{block[0]}x{block[1]}": choose(weight, block, 0.75)["w"].flatten(1) for block in ((1, 1), (8, 1), (1, 8))}
figures.masks(patterns);
# %% [markdown]
# A block is judged by the mean of $|w|$ over its weights. The larger the block, the less freedom: to get rid of seven small weights a
# large one has to go along. How much of the weights' energy, the sum of their squares, is left?

# %%
w = weights["4.0.weight"].flatten(1)
for name, mask in patterns.items():
    print(f"{name}: {1 - mask.float().mean():.0%} gone, {(w * mask).square().sum() / w.square().sum():.1%} of the energy left")

# %% [markdown]
# ### Counting bytes, honestly
#
# Zeros that are stored cost as much as any number. Leaving them out needs a note of where the others belong: an index for each block, or
# one bit for each place, a *bitmap*. The note of a single weight in 8 bits may well be larger than the weight. <!-- definition -->

# %% tags=["nbval-check-output"]
from tinycourse.program import block_sparse

torch.manual_seed(0)
large = torch.randn(512, 512)
print("one matrix, 512 x 512, bytes: dense, with indices, with a bitmap")
for bits in (32, 8):
    for block in ((1, 1), (8, 1)):
        for sparsity in (0.5, 0.8):
            pruned = (large * choose({"w": large}, block, sparsity)["w"]).numpy()
            s = block_sparse.size(pruned, block, bits)
            print(f"{bits:2} bits {block[0]}x1 {sparsity:.0%}: {s.dense:9,} {s.indexed:9,} {s.bitmap:9,}")

# %% [markdown]
# With indices, half of all weights gone and 8 bits each, single weights are *larger* than the dense matrix. Blocks share one index among
# eight.
#
# ### What torch offers
#
# `torch.nn.utils.prune` makes masks, too. For a single mask of single weights it does the same as ours. But asked twice for half it leaves
# a quarter, because it prunes what is left; it knows no blocks and no schedule; its masks never give a weight back. And it puts another
# parameter in place of the weight. A recurrent layer still runs, but its state no longer fits a plain one, and it cannot be copied.

# %% tags=["nbval-check-output"]
from torch.nn.utils import prune as torch_prune

layer = torch.nn.Linear(64, 64)
ours = choose({"w": layer.weight}, (1, 1), 0.5)["w"]
torch_prune.l1_unstructured(layer, "weight", 0.5)
print("the first mask is the same:", torch.equal(ours, layer.weight_mask.bool()))
torch_prune.l1_unstructured(layer, "weight", 0.5)
print(f"asked twice for 50 %: {(layer.weight == 0).float().mean():.0%} gone")
lstm = torch.nn.LSTM(8, 8)
torch_prune.l1_unstructured(lstm, "weight_hh_l0", 0.5)
print("an LSTM then has", [name for name in lstm.state_dict() if "weight" in name])

# %% [markdown]
# ## 6. Sharing out a budget
#
# Must all layers be equally sparse? A layer of many weights can spare more than a small one. Comparing all weights of the network with each
# other is tempting, and unfair: layers have different scales, and a whole layer may vanish. LAMP (Lee et al. 2021, [arXiv
# 2010.07611](https://arxiv.org/abs/2010.07611)) compares *shares*: a weight's square over the squares of all weights of its layer that are
# not smaller. The largest weight of every layer then scores one, and no layer is emptied.

# %% alt="Bars of sparsity for every weight of DS-CNN-S under three ways to share out a budget; the small layers are spared most by LAMP."
free = {n: p.detach() for n, p in prunable(checkpoint.load("ds-cnn-s").network).items()}
by_scope = {}
for scope in ("layer", "lamp", "global"):
    masks = choose(free, (1, 1), 0.9, scope)
    by_scope[scope] = {n: 1 - m.float().mean().item() for n, m in masks.items()}
figures.shares(by_scope)
for scope in ("layer", "lamp", "global"):
    network, pruner, _ = train(PruneConfig(0.9, (1, 1), scope), steps)
    print(f"{scope:8}{pruner.sparsity:.1%} gone, accuracy {accuracy(network):.1%}")

# %% [markdown]
# ## 7. Does it get faster?
#
# Now in C, on this machine, with one thread. `FloatProduct` and `HybridProduct` (int8 weights, float results) lay the same weights out in panels of eight outputs, dense or
# without their empty blocks, and multiply with one vector, as a recurrent layer does at every frame. Each is compared with its numpy
# reference first: a fast wrong answer is worth nothing. The matrix has the size of one gate of the paper's layers, 2048 units fed
# by 640 numbers (Shangguan et al. 2019).

# %%
import time

import numpy as np

from tinycourse.host import FloatProduct, HybridProduct

torch.set_num_threads(1)
large = torch.randn(2048, 640, generator=torch.Generator().manual_seed(0))
vector = torch.randn(640, generator=torch.Generator().manual_seed(1))


def seconds(call, times: int = 40) -> float:
    """The best of several calls: whatever disturbs a program only ever adds time."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begin)
    return min(taken)


# %% alt="Time relative to torch's float product over sparsity, for float weights and for int8 weights, both falling."
unit, ratios = seconds(lambda: large @ vector), {"float": {}, "int8 weights": {}}
for sparsity in (0.0, 0.5, 0.7, 0.8, 0.9):
    pruned = (large * choose({"w": large}, (8, 1), sparsity)["w"]).numpy()
    for name, product in {
        "float": FloatProduct(pruned, sparsity > 0),
        "int8 weights": HybridProduct(pruned, sparsity > 0),
    }.items():
        got, expected = product(vector.numpy()), product.reference(vector.numpy())
        assert np.abs(got - expected).max() <= 1e-3, name  # hybrid agrees on every bit, float to rounding
        ratios[name][sparsity] = seconds(lambda p=product: p(vector.numpy())) / unit
for name, values in ratios.items():
    print(f"{name:14}" + "".join(f"{s:6.0%}: {r:.2f}" for s, r in values.items()))
figures.speed(ratios);
# %% [markdown]
# Read the second line carefully. Dense int8 is already fast: it moves a quarter of the bytes, and a register takes four times as many
# products. At half sparsity the sparse product has half the multiplications, but it has to look up which input each block meets, and
# gains little, or even loses. From three quarters on it pays. So: **quantize first, prune second, and measure**. On matrices as small as
# those of our own networks the call itself takes longer than the product; `benchmarks/sparse.py` has both sizes.
#
# ## Play with it
#
# Choose a layer, a block, a sparsity, and how the budget is shared. What does the mask look like, how many bytes are left, and what does
# the network still know, without any training on?

# %% tags=["widget", "nbval-ignore-output"] alt="Controls above a picture of a mask, with bytes and accuracy below."
from tinycourse.widgets.lesson07 import MaskExplorer

MaskExplorer(checkpoint.load("ds-cnn-s").network, accuracy)

# %% [markdown]
# ## An honest comparison
#
# The paper's transducer, pruned in its gate matrices (Shangguan et al. 2019; word error rates on three internal sets):
#
# | (from the paper) | parameters | word error rate: VoiceSearch / YouTube / Telephony |
# |---|---|---|
# | dense | 122.1M | 6.6 / 19.5 / 8.1 |
# | 50 % sparse | 69.7M | 6.7 / 20.3 / 8.2 |
# | 70 % | 48.7M | 7.1 / 20.6 / 8.5 |
# | 80 % | 38.2M | 7.4 / 21.2 / 8.9 |
#
# Half of the gates' weights go nearly for free; four of five cost a good tenth of the errors more (paper, as above). Their sets are
# private. Ours are people's voices too. First two keyword networks, as shipped, each trained on for a few epochs while it is pruned; the
# command that measured them is printed. It took one seed, so small differences say nothing.

# %% alt="Error over sparsity for each keyword network, lines for gradual and one-shot pruning and for blocks of 1x1 and 8x1."
from tinycourse.studies import lesson07 as study

keywords = study.measured()
print(keywords["command"])
models = list(dict.fromkeys(row["model"] for row in keywords["rows"]))
figures.measured(keywords["rows"], models, ("gradual 1x1", "gradual 8x1", "one-shot 1x1", "one-shot 8x1"))
print("errors on keywords; weights and bytes of the pruned matrices")
print(study.table(keywords["rows"]))

# %% [markdown]
# Then the transducer of connected digits, the paper's own case. Beside the dense LSTM and its pruned forms stand the two rivals that the
# paper sets against them: the cheaper cells of lesson 06 (a CIFG encoder, an SRU prediction network), pruned as well, and a small dense LSTM
# with about as many weights as the large one keeps when four of five are gone. Every row was trained on equally long, the dense ones too;
# its integers are those of lesson 08.

# %% alt="Error over the weights that are left, on a logarithmic axis: lines for the LSTM pruned in blocks and in single weights and for CIFG with SRU, and a mark for the small dense LSTM."
digits = study.measured(study.TRANSDUCERS)
print(digits["command"])
figures.by_size(digits["rows"])
print(f"digit errors, seeds {sorted({row['seed'] for row in digits['rows']})}; weights and bytes of the whole network")
print(study.table(digits["rows"]))

# %% [markdown]
# The left end of the picture asks the question that counts: given room for so many weights, which network? Look at the column of the small
# dense LSTM. Whoever prunes single weights gets far more out of the same number: to train large and prune beats training small. Blocks of
# eight give most of that away again. Our layers have a hundred units or so, sixteen blocks to a column; the paper's have thousands,
# and there a block of eight is a small thing. The cheap cells, nearly free in the paper, start here from a higher error, as they did in
# lesson 06. Pruned by half they still err more than a pruned LSTM of as many weights; only at four fifths are the two about level.

# %% [markdown]
# ### Half of it on the chip
#
# Two keyword networks with half of their weights gone come with the course, so that you can export them yourself. Here they are in
# integers, on the emulated Cortex-M4. `dense` and `least` are the bytes of their weights with all zeros stored, and with a bitmap or
# indices instead, whichever is smaller.

# %%
chip = study.measured(study.ON_CHIP)
print(chip["command"], f"\n{'':20}{'zeros':>7}{'right':>8}{'int8':>8}{'dense':>9}{'least':>9}{'flash':>9}{'instructions':>14}")
for row in chip["rows"]:
    shares = f"{row['zeros']:7.0%}{row['testing']:8.2%}{row['testing_int8']:8.2%}"
    print(f"{row['model']:20}{shares}{row['dense']:9,}{row['least']:9,}{row['flash']:9,}{row['instructions']:14,}")

# %% [markdown]
# The instructions hardly move: the chip multiplies zeros like any other number. To skip them it would need blocks, as the transducer of
# lesson 09 has them, and kernels that know them. What single zeros buy is the transfer: an update over the air, a file in storage. And where
# a pruned network errs less than its dense parent, that is not the work of pruning: it was trained on for longer.
#
# Small networks have less to spare than a transducer of a hundred million weights: they were designed to be small, and pruning
# competes with that design. Before you ship a pruned network, train a dense one of the same size, and compare.
#
# ## Quiz
#
# Decide first, then open the answer.
#
# **1. A weight has been hidden for fifty steps. How can it come back?**
#
# (a) It cannot. (b) The mask is drawn at random. (c) It kept learning behind the mask, and is now larger than others that stayed.
#
# <details><summary>Answer</summary>
#
# **(c).** The optimiser moves the value behind the mask by the gradient at its place, and the next drawing compares all values. (a) is true
# of masks that are multiplied into the weights for good. (b): masks are drawn by magnitude.
# </details>
#
# **2. Half of the weights are zero, stored as 8-bit numbers, each with a 16-bit index. What became of the size?** <!-- definition -->
#
# (a) It halved. (b) It grew. (c) It stayed.
#
# <details><summary>Answer</summary>
#
# **(b).** Half as many weights, but each takes three bytes now. <!-- definition --> (a) forgets the indices. (c) would need an index as
# large as the weight.
# </details>
#
# **3. Why are blocks of eight outputs and one input faster than eight inputs and one output?**
#
# (a) They hold fewer weights. (b) One input is broadcast to eight sums that grow side by side, and nothing has to be gathered or added
# across a register. (c) They need no index.
#
# <details><summary>Answer</summary>
#
# **(b).** The layout of the block decides what the inner loop looks like. (a) and (c): both hold eight weights and need one index.
# </details>
#
# **4. The schedule rises fast and ends slowly. Why not the other way round?**
#
# (a) At first many weights are superfluous; at the end every loss hurts, and the rest needs time to adapt. (b) Learning rates fall. (c) It
# makes no difference.
#
# <details><summary>Answer</summary>
#
# **(a).** Early on redundancy is large. (b) is often true as well, and argues the same way: adapting takes steps that are not too small.
# (c): try `power=1` in the schedule, at high sparsity.
# </details>

# %% [markdown]
# ## Three take-aways
#
# 1. Let weights go gradually, and draw the mask anew: what is hidden goes on learning.
# 2. Count everything: values, indices, and the time of the product on the processor that you have.
# 3. The block decides whether sparsity is fast; the budget decides whether it is good. Quantize first.
#
# ## What comes next
#
# Do [the exercises of this lesson](../exercises/07_pruning.ipynb): the schedule, the block mask, the step behind the mask, and the sparse
# product. Lesson 08 then takes the numbers that stayed, and makes integers of them.
#
# ## References
#
# - Y. Shangguan, J. Li, Q. Liang, R. Alvarez, I. McGraw: *Optimizing Speech Recognition For The Edge*, 2019,
#   [arXiv 1909.12408](https://arxiv.org/abs/1909.12408).
# - M. Zhu, S. Gupta: *To prune, or not to prune: exploring the efficacy of pruning for model compression*, 2017,
#   [arXiv 1710.01878](https://arxiv.org/abs/1710.01878).
# - J. Lee, S. Park, S. Mo, S. Ahn, J. Shin: *Layer-adaptive sparsity for the magnitude-based pruning*, 2021,
#   [arXiv 2010.07611](https://arxiv.org/abs/2010.07611).
# - Y. LeCun, J. Denker, S. Solla: *Optimal brain damage*, Advances in Neural Information Processing Systems 2, 1989.
