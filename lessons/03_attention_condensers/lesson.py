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
# # 03 Attention condensers
#
# A paper from 2020 claims a word recogniser with fewer weights than this page has letters, and nearly the accuracy of one that is
# hundreds of times larger (TinySpeech paper, table 1). Its building block is new, its search is secret, its figure leaves half a dozen questions open, and no
# code that the public has reaches its numbers. This lesson takes the block apart, finds out by counting which network the figure
# can mean, sees that network fail, and finds what was missing.
#
# ## What you will build
#
# An attention condenser in the order of the paper: condensation, embedding, expansion, selective attention, each a line or two, and looked at
# on a real word. Then the networks TinySpeech-X, -Y, -Z and -M, an inspector that counts every way to read the paper's figure, and a test bench for all
# that the paper does not say.
#
# ## Objectives
#
# After this lesson you can
#
# - say what each step of an attention condenser does to a feature map, and what it costs;
# - show what happens to selective attention as S goes to zero, and use that to decide between formulas;
# - check a paper's architecture by counting its weights;
# - find out what a network is blind to, without training it;
# - run an ablation that deserves the name: one change at a time, several seeds, mean and spread.

# %% [markdown]
# ## Before you start
#
# You need [lesson 00](00_word_to_chip.ipynb), and to know what a convolution, a batch norm and a residual connection are.
#
# ## Time and machine
#
# Seventy-five minutes to read and play; a few minutes to run on two processor cores, with less than a gigabyte and a half of memory. Nothing is downloaded.
#
# ## The map of the course
#
# <!-- map -->
#
# ## Where this code lives
#
# <!-- code -->

# %% [markdown]
# One box of the path is open today: the network.

# %% alt="Eight boxes in a row, joined by arrows: recording, features, network, design, and so on; the box of the network is filled."
from tinycourse import plots

plots.path("03");

# %% [markdown]
# ## 1. Condensation
#
# Attention asks, for every place of a map: how important are you? To answer well one has to look at the whole map, and looking is what costs.
# The idea of the paper: **look at a much smaller map.** A condenser takes its input V, shrinks it to Q, computes K from Q, expands K
# again to A, and lets A and V decide together what to pass on.
#
# We follow a synthetic *yes* through TinySpeech-M, trained on people. Its stem, a convolution and a pool, makes the first map V.

# %%
import torch
from torch.nn import functional as F

from tinycourse import data
from tinycourse.plots import lesson03 as figures
from tinycourse.studies import lesson03 as study
from tinycourse.training import checkpoint

recogniser = checkpoint.load("tinyspeech-m")
network, classes = recogniser.network, recogniser.classes
words, _ = data.open_dataset("tinywords").clips("testing").restrict(classes)
yes = words.waveforms()[words.labels == classes.index("yes")][3:4]  # [1, 16000]
x = recogniser.frontend(yes)  # [1, 1, 101, 40]
condenser = network.blocks[0].first
v = study.given(network, condenser, x)  # what the condenser is given when the network takes this word
print(f"features {list(x.shape[1:])} became V {list(v.shape[1:])}: channels, frames, bands")

# %% [markdown]
# **Condensation**, $Q = C(V)$, "reduces dimensionality and emphasises activations close to strong ones" (paper, section 2). In TinySpeech it
# is max pooling: of every window the strongest value stays. How large the window is the paper does not say. Here the first condenser of each block halves
# the time; the second one goes further and looks at all bands at once.

# %% tags=["nbval-check-output"]
for name in ("first", "second"):
    pool = getattr(network.blocks[0], name).pool
    q = F.max_pool2d(v, pool, ceil_mode=True)
    print(f"{name:6} condenser, window {pool}: {list(v.shape[1:])} -> {list(q.shape[1:])}, 1 in {v.numel() / q.numel():.0f}")

# %% [markdown]
# ## 2. Embedding
#
# **The embedding structure**, $K = E(Q)$, is where a condenser learns: "joint local and cross-channel relationships" (paper, section 2), found by a grouped
# convolution and then a pointwise one. The paper's figure gives both their numbers of channels, such as 18 and 6. The first is always
# twice that of the input: the grouped convolution makes **two copies of every channel**. The pointwise convolution mixes all of them.
#
# What does each copy see? Hold on to that question; it is the heart of this lesson. In our network the copies are *shifted*: one looks a few frames or bands to one
# side, its twin to the other. Section 7 tells why.

# %%
from tinycourse.models import shift_channels, unpool

q = F.max_pool2d(v, condenser.pool, ceil_mode=True)  # [1, 9, 13, 10]
copies = shift_channels(q, condenser.offsets)  # [1, 18, 13, 10]
grouped = condenser.grouped_norm(condenser.grouped(copies)).relu()
k = condenser.pointwise_norm(condenser.pointwise(grouped))  # [1, 6, 13, 10]
weights = {name: getattr(condenser, name).weight.numel() for name in ("grouped", "pointwise")}
dense = 9 * v.shape[1] * k.shape[1]
print(f"Q {list(q.shape[1:])} -> copies {list(copies.shape[1:])} -> K {list(k.shape[1:])}")
print(f"weights: {weights}; an ordinary 3x3 convolution in its place would have {dense}")

# %% [markdown]
# ## 3. Expansion and selective attention
#
# **Expansion**, $A = X(K)$, undoes the pooling: every value is repeated over the window that it came from. No weights. A has the size of V again, and
# holds what the condenser found for every place.
#
# **Selective attention**, $V' = F(V, A, S)$, brings both together. S is a scale. All that the paper says of F is a node marked with a times and a plus sign, and one sentence:
# "as S goes to 0, V' goes to A" (paper, section 2). The simplest function of that kind is
#
# $$V' = S \cdot V + A,$$
#
# and it is the one we take, with an S for every channel. One more gap: V has nine channels here and A has six, and the paper does not say how
# they meet. We drop the channels of V that are too many, or fill up with zeros: that costs no weight. Now compare what we did by hand with the library.

# %% tags=["nbval-check-output"]
from tinycourse.models import match_channels

a = unpool(k, condenser.pool, v.shape[2:])  # [1, 6, 26, 10]
chosen = condenser.scale * match_channels(v, a.shape[1]) + a
with torch.no_grad():
    same = torch.allclose(condenser.norm(chosen), condenser(v), atol=1e-6)
print(f"V {list(v.shape[1:])}, A {list(a.shape[1:])}, V' {list(chosen.shape[1:])}; as the library has it: {same}")

# %% [markdown]
# That is the whole class: `AttentionCondenser` in `tinycourse/models/condenser.py` has an argument for each of the numbers above, and none besides. Its generator `steps` hands
# out the five maps one by one; the pictures below are drawn from it.
#
# Here are all five maps, four channels of each; time runs to the right, pitch goes up. Q is a coarse V. K no longer looks like the word: it says
# things such as "there is more energy above than below". A is K stretched to the frames of V, every column twice. V' looks nearly like
# A: in these channels A outweighs V.

# %% alt="A grid of small maps: five rows for V, Q, K, A and V', four columns for channels; Q and K are coarser, A is blocky, V' much like A."
maps = {step: m[0] for step, m in study.dissect(condenser, v).items()}
figures.steps(maps, channels=(0, 1, 2, 3));

# %% [markdown]
# The second condenser takes over. Its window spans all bands, so its result is one value for each frame: *this moment matters*, whatever
# the pitch. Look at A: vertical stripes. V' is V with these stripes laid over it.

# %% alt="The same five rows for the second condenser: Q and K are single rows of values over time, A shows vertical stripes."
second = network.blocks[0].second
maps = {step: m[0] for step, m in study.dissect(second, study.given(network, second, x)).items()}
figures.steps(maps, channels=(0, 1, 2, 3));

# %% [markdown]
# ### What the limit decides
#
# The paper does not give F, but it gives one property of it. Let S go to zero and measure how far V' is from A. A public re-implementation uses a gate,
# $S \cdot V \cdot \sigma(A) + V$. A third formula, $S \cdot V \cdot \sigma(A) + A$, has a times *and* a plus in it, like the figure's node.

# %% alt="Distance of V' from A over falling S: two lines fall to zero, that of the gate falls to a constant above zero."
from tinycourse.models import FORMS

strengths = [1, 0.5, 0.25, 0.1, 0.01, 0]
near, a = match_channels(v, a.shape[1]), a.detach()
distances = {form: [float((f(near, a, s) - a).abs().max()) for s in strengths] for form, f in FORMS.items()}
for form, values in distances.items():
    print(f"{form:10} S = 1: {values[0]:6.3f}   S = 0.01: {values[4]:6.3f}   S = 0: {values[5]:6.3f}")
figures.limit(strengths, distances);

# %% [markdown]
# So the paper's own sentence rules the gate out: it tends to V, not to A. It does not decide between the other two. That is a question for
# an experiment, in section 8.
#
# ## 4. The networks
#
# Two condensers and two batch norms stand under a skip connection: a block. A network is a stem, a row of blocks, one 3x3 convolution,
# an average over the map, and a classifier. X, Y, Z and M differ only in their numbers of channels (paper, figure 2).

# %% tags=["nbval-check-output"]
from tinycourse import models
from tinycourse.models import TINYSPEECH
from tinycourse.training import profiling

empty = torch.zeros(1, 1, 101, 40)
for letter in "xyzm":
    c = TINYSPEECH[letter]
    cost = profiling.profile(models.build(f"tinyspeech-{letter}", 12), empty)
    first, last = c.blocks[0], c.blocks[-1]
    print(f"{letter.upper()}: stem {c.stem}, {len(c.blocks)} blocks from {first} to {last}, last {c.last}")
    print(f"   {cost.parameters:,} weights, {cost.multiply_adds:,} multiply-adds")

# %% [markdown]
# Which layers hold the weights, and which do the work? Condensers are cheap: look how much of the network is *not* made of them.

# %% alt="Two bar charts with a row for each part of TinySpeech-M: parameters and multiply-adds; the last convolution has most of both."
rows = {}
for layer in profiling.layers(network, x):
    part = ".".join(layer.path.split(".")[:3]) if layer.path.startswith("blocks") else layer.path.split("_")[0]
    row = rows.setdefault(part, {"layer": part, "parameters": 0, "thousands": 0})
    row["parameters"] += layer.parameters
    row["thousands"] += layer.multiply_adds / 1000
plots.layer_costs(list(rows.values()), (("parameters", "parameters"), ("thousands", "thousand multiply-adds")));

# %% [markdown]
# ## 5. Which network is it? Count
#
# How do we know that this is the network of the paper? We do not: the authors published a figure and four counts, 10.8K, 6.1K, 2.7K and 4.7K parameters (paper, table 1). The
# figure leaves open
#
# - the kernel of the grouped convolution: 1x1 or 3x3;
# - its groups: one for each channel, or two halves;
# - whether convolutions have a bias;
# - whether the batch norms that are drawn are counted;
# - whether a 1x1 convolution behind the expansion brings A back to the channels of V.
#
# Five questions with two answers each. The paper does not answer them, but we can count. Every reading gives four numbers, and a reading that misses
# one of them is not the paper's. Before you run the next cell, take a guess: how many of the readings will survive?

# %% alt="Thirty-two lines over the four networks, each a count divided by the published one; one line stays at one, all others rise above."

suspects = sorted(study.READINGS, key=study.worst)
print(f"{len(suspects)} readings; the best six, and how far they miss at worst:")
for reading in suspects[:6]:
    numbers = "".join(f"{n:8,}" for n in study.counts(reading).values())
    odd = [name for name in ("halves", "bias", "norm", "expand_back") if getattr(reading, name)]
    print(f"{numbers}  {study.worst(reading):6.1%}  {reading.kernel}x{reading.kernel} {' '.join(odd)}")
print("".join(f"{p.parameters:8,.0f}" for p in study.PUBLISHED.values()), "  published")
ratios = {str(i): [1 + miss for miss in study.misses(r).values()] for i, r in enumerate(suspects)}
ratios["1x1, one group a channel, weights alone"] = ratios.pop("0")
figures.readings(ratios, marked="1x1, one group a channel, weights alone");

# %% [markdown]
# One survives: **grouped means 1x1 with one group for each channel, and only weights are counted**; no bias, batch norm folded away, S not counted. The runner-up counts batch norm, and
# gives itself away on X, Y and Z, not on M, which has none. There are two more clues. The figure says that X's classifier has 456 synapses (paper, figure 2): 38 channels times 12 classes, and no bias.
# And the multiply-adds: divided by the weights that are used at every place they tell how many places the map has.

# %% tags=["nbval-check-output"]
survivor = suspects[0]
for letter, paper in study.PUBLISHED.items():
    used = study.counts(survivor)[letter] - TINYSPEECH[letter].last * study.CLASSES  # all but the classifier's
    print(f"{letter.upper()}: {paper.multiply_adds:10,.0f} / {used:6,} weights = {paper.multiply_adds / used:5,.0f} places")
print(f"a stem that takes every second of 101 frames and 40 bands leaves 51 x 20 = {study.POSITIONS:,}")

# %% [markdown]
# Four times nearly the same number, from four different networks: the condensers' own maps were counted at full size, and the stem halves both axes. To be fair, the
# evidence is not complete. Our 10,923 for X would have been written 10.9K, not 10.8K (paper, table 1), and the figure contradicts itself on Y, whose first block goes
# from 10 to 15 channels under a skip that cannot. But no other reading comes near.
#
# ## 6. The right count, and blind to order
#
# Is this the network, then? Train it. We built that reading to the letter, and it learned far less than networks of its size can: section 8 has the figures. Why? **Without training anything**, let us ask what such a network can see. Take a random map and
# shuffle its frames, and later its bands, like a deck of cards (in steps of the pooling windows). Does the network notice?

# %% tags=["nbval-check-output"]


def shuffled(x: torch.Tensor, axis: int, size: int) -> torch.Tensor:
    """The groups of `size` neighbours along an axis in another order, always the same one."""
    groups = x.unflatten(axis, (-1, size))
    order = torch.randperm(groups.shape[axis], generator=torch.Generator().manual_seed(7))
    return groups.index_select(axis, order).flatten(axis, axis + 1)


noise = torch.randn(1, 9, 26, 10)
for name in ("straight: nobody looks aside", "ours"):
    blocks = study.VARIANTS[name].build(10).eval().blocks
    for what, axis, size in (("frames", 2, 2), ("bands", 3, 1)):
        with torch.no_grad():
            before, after = shuffled(blocks(noise), axis, size), blocks(shuffled(noise, axis, size))
        print(f"{name:30} {what:7} shuffled: ", "does not notice" if torch.allclose(before, after, atol=1e-5) else "notices")

# %% [markdown]
# With 1x1 kernels every place of the map is treated alone, and pooling forgets the order within its window. All the blocks together are **blind to order**: *on* played
# backwards, or a word cut into snippets and mixed, is to them the same bag of sounds. Only the stem and the last convolution, both 3x3, see two
# neighbours at a time. And *which sound comes after which* is what a word is.
#
# ## 7. Shifted channels
#
# The reading that is left has the right count, and is blind to order. Is there a network with the *same* weights that is not? Look again at the two copies that the grouped
# convolution makes of each channel. If both look at the same place they are one value times two numbers, which is hardly worth having two of. But a weight costs the same wherever it
# points to. **Let one copy look a step back and its twin a step ahead.** The pointwise convolution behind them then compares what was with what comes. It
# is a three-wide kernel with a hole in the middle, it costs not one weight and not one multiply-add more, and the idea has a name: *shift* (Wu et al. 2018, arXiv 1711.08141).
#
# Is that what the authors did? **We do not know. This is our answer to their open question, not their statement.** What we can say: it fits
# the figure and all counts, and it works.

# %% tags=["nbval-check-output"]
digits = torch.arange(1.0, 6).view(1, 1, 5, 1)  # one channel, five frames, one band
print("one channel over time:", digits.flatten().tolist())
for i, copy in enumerate(shift_channels(digits, [((-1, 0), (1, 0))])[0]):
    print(f"copy {i}:               ", copy.flatten().tolist())
literal, ours = (study.VARIANTS[name].build(12) for name in ("straight: nobody looks aside", "ours"))
for name, candidate in (("to the letter", literal), ("looking aside", ours)):
    cost = profiling.profile(candidate, empty, "weights")
    print(f"{name}: {cost.parameters:,} weights, {cost.multiply_adds:,} multiply-adds")

# %% [markdown]
# In our networks different channels look to different distances, 1, 2 and 4: the first condenser of a block mostly up and down, the second one back and
# ahead. Here is how far one output, at the cross, sees: through the blocks of both networks, and through the first block of ours alone. What is white
# it cannot see, whatever the weights.

# %% alt="Three maps of frames by bands: to the letter two frames are seen, one block of ours sees a wide stretch, three blocks the whole map."
torch.manual_seed(0)
blind, seeing = literal.eval().blocks, ours.eval().blocks
parts = {"to the letter, all blocks": blind, "ours, the first block": seeing[:1], "ours, all blocks": seeing}
seen = {name: study.reach(part, (9, 26, 10), (13, 5)) for name, part in parts.items()}
for name, field in seen.items():
    print(f"{name:26} {(field > 0).float().mean():4.0%} of the map")
figures.reaches(seen, place=(13, 5));

# %% [markdown]
# ### A short test
#
# Train both on the bundled words, right here, and a third one: 3x3 kernels, which see their neighbours but cost more weights. The bundled words are few and the
# test voices are strange, so all three stay poor. Compare them with each other, and with nothing else.

# %%
from tinycourse import training

tinywords = data.open_dataset("tinywords")
sounds = study.mel_energies({split: tinywords.clips(split) for split in ("training", "testing")}, training.noise_of(tinywords))
recipe = training.TrainConfig(epochs=1 if session.fast else 8)
print(f"{len(sounds.labels['training'])} clips, {recipe.epochs} epochs                weights  loss  testing")
for name in ("straight: nobody looks aside", "straight, grouped 3x3", "ours"):
    row = study.run(name, sounds, recipe)
    print(f"{name:30}{row['weights']:17,}{row['loss']:6.2f}{row['testing']:9.1%}")

# %% [markdown]
# ## 8. Every open choice, measured
#
# One seed is an anecdote. So every choice that the paper leaves open was tried on real recordings, **one change at a time**, three seeds each. The training
# is short, on purpose: many short experiments teach more than one long one, as long as nobody mistakes them for final accuracies. The results come with the course, and
# so does the script. The variants are made of a condenser with more arguments, `SearchedCondenser`, which lesson 04 needs for its search.

# %% alt="Rows for every variant with a dot for each of three seeds and a bar at the mean; a dashed line marks ours."
measured = study.read(study.MEASURED)
print(measured["command"], f"{measured['data']}, {measured['epochs']} epochs", sep="\n")
print(study.table(measured["rows"]))
figures.seeds(study.by_variant(measured["rows"]), {name: variant.choice for name, variant in study.VARIANTS.items()});

# %% [markdown]
# How to read it: the distance of a bar from the dashed line is the effect, the distance between the dots of a row is the noise. The last column of the table is strict. It says
# *better* or *worse* only where not one seed of the variant reaches one of ours. All the others: **no difference that three seeds can see**, and whoever reports one reports noise.
#
# Three rows deserve a second look. *Straight*, the reading to the letter, has every weight that ours has, and is blind to order; 3x3 kernels buy the accuracy back, and pay with
# weights. The *gate*, which the limit had ruled out, is behind: the sentence in the paper and the experiment point the same way. And $S = 0$ throws V away altogether, so that
# $V' = A$. If you expected a disaster there, ask what carries V past both condensers anyway: the skip around the block. In a short training less may even be easier to learn.
#
# ### What did not work
#
# And here are the trials in the order in which they were made: one seed each, so mind the noise. First we paid for the view of neighbours with weights, 3x3 kernels; then we found shifts, which are free.

# %%
print(study.diary(study.read(study.TRIED)["groups"]))

# %% [markdown]
# The last group is about longer training, and about making the task harder. More epochs help; but a network of so few weights never gets to learn its clips by heart, so what protects a larger one
# from doing so, masks and noise, only makes its task harder. It is good to know them. Here it is better to do without.
#
# ## Play with it
#
# Choose a condenser, and change what it was trained with. Which window can the network bear in place of its own? Set S to zero: V' becomes A (but for the batch
# norm), and the bars on the right show what the network says without what came in. Does it need V more in the first block or in the last one? Predict before you move the slider.

# %% tags=["widget", "nbval-ignore-output"] alt="Menus and sliders above six panels: V, Q, K, A, V' of one channel, and the scores of all classes."
from tinycourse.widgets.lesson03 import CondenserExplorer

CondenserExplorer(recogniser, words)

# %% [markdown]
# ## An honest comparison
#
# The paper's four networks, and ours as shipped. The differences: the paper has twelve classes and all of Speech Commands, here are ten classes and a subset of it, so the accuracies
# stand side by side but do not compete. The weights are counted for twelve classes in both. Our multiply-adds are lower since our stem pools once more: its map has 26 x 10 places and not
# 51 x 20. The shifts are ours, and so are log-mel instead of MFCC, batch norm in M (it is folded away in the end), the activation SiLU (a smooth ReLU), and the recipe of training.

# %% alt="Accuracy over number of weights: hollow circles for the four networks of the paper, filled squares for those shipped here."
shipped = {letter: checkpoint.load(name) for letter in "xyzm" if (name := f"tinyspeech-{letter}") in checkpoint.shipped()}
points = {}
print("      weights: paper    here   multiply-adds: paper      here   accuracy: paper    here")
for letter, own in shipped.items():
    paper, cost = study.PUBLISHED[letter], profiling.profile(models.build(own.name, 12), empty)
    points[letter] = (cost.parameters, own.info["testing"]["accuracy"])
    counts = f"{paper.parameters:18,.0f}{cost.parameters:8,}{paper.multiply_adds:23,.0f}{cost.multiply_adds:10,}"
    print(f"{letter.upper()} {counts}{paper.accuracy / 100:18.1%}{points[letter][1]:8.1%}")
figures.against_paper({letter: (p.parameters, p.accuracy / 100) for letter, p in study.PUBLISHED.items()}, points);

# %% [markdown]
# ## Quiz
#
# Decide first, then open the answer.
#
# **1. You set S to zero in V' = S V + A. What does the condenser still know of its input?**
#
# (a) Nothing. (b) What survived condensation: the maxima of the windows, mixed. (c) Everything, A has the size of V.
#
# <details><summary>Answer</summary>
#
# **(b).** A is made of Q alone, and Q is what the pool left over. (a) forgets that A was computed from V. (c) mistakes size for information: A has as many
# numbers as V in a channel, but all within a window are equal.
# </details>
#
# **2. A reading of a figure matches three of four published counts exactly and misses the fourth by a tenth. What is it?**
#
# (a) Probably right: three of four. (b) Wrong somewhere, in the reading or in the paper. (c) Right, papers round.
#
# <details><summary>Answer</summary>
#
# **(b).** Counts are integers, so a miss by a tenth is a different network, or an error in print. The runner-up of section 5 is of this kind: M fits to the digit, because
# M has nothing to disagree about. (c) would excuse a miss in the last printed digit, not in the first.
# </details>
#
# **3. All kernels of a network are 1x1, and it ends in an average over the whole map. You play it every clip backwards. Its accuracy**
#
# (a) falls to chance. (b) stays exactly the same, if its features do not mix frames. (c) rises a little, as with any augmentation.
#
# <details><summary>Answer</summary>
#
# **(b).** Each frame is processed alone and the average does not know their order. Nothing in it could tell, and no training can change that. (a) would be true of a network that
# relies on order. (c) speaks of training; here only the test is changed.
# </details>
#
# **4. In an ablation variant A has 79.1, 80.6 and 80.0, variant B 80.3, 79.5 and 80.9 percent (made up). <!-- definition --> What do you write?**
#
# (a) B is better by a third of a point. (b) No difference that three seeds can see. (c) A has more potential, look at its spread.
#
# <details><summary>Answer</summary>
#
# **(b).** The means differ by less than the seeds do. (a) reports noise as a finding; the next seed may reverse it. (c) reads a meaning into chance.
# </details>

# %% [markdown]
# ## Three take-aways
#
# 1. A condenser computes on a small map and decides on a large one: pool, mix, unpool, and let V and A meet. That is cheap, and it fits in ten lines.
# 2. Counting decides between readings. It found one of thirty-two, and it also showed that the count is not the whole story: two networks with the same weights, and
#    one of them is blind to order.
# 3. Ask what a network *can* see before you ask what it learns. A shuffled input costs a second; a training costs a night.
#
# ## What comes next
#
# Do [the exercises of this lesson](../exercises/03_attention_condensers.ipynb): you write every step of a condenser and the inspector, and run the trained network on
# your own functions. Lesson 04 asks where numbers such as 18 and 6 come from: a machine-driven search.
#
# ## References
#
# - A. Wong, M. Famouri, M. Pavlova, S. Surana: *TinySpeech: Attention Condensers for Deep Speech Recognition Neural Networks on
#   Edge Devices*, 2020, [arXiv 2008.04245](https://arxiv.org/abs/2008.04245).
# - B. Wu, A. Wan, X. Yue et al.: *Shift: A Zero FLOP, Zero Parameter Alternative to Spatial Convolutions*, 2018,
#   [arXiv 1711.08141](https://arxiv.org/abs/1711.08141).
# - J. Hu, L. Shen, G. Sun: *Squeeze-and-Excitation Networks*, 2018, [arXiv 1709.01507](https://arxiv.org/abs/1709.01507): the best known relative of
#   the condenser, which pools the whole map into one value for each channel.
# - P. Warden: *Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition*, 2018, [arXiv 1804.03209](https://arxiv.org/abs/1804.03209).
