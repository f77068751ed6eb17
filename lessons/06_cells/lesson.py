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
# # 06 LSTM, CIFG and SRU
#
# The recogniser of lesson 05 remembers. It has to: a sound that came two tenths of a second ago decides what this one means. Nearly all of its weights and nearly all of its work are in the cells that do the
# remembering. So whoever wants it smaller starts here. The second paper of this course tries two cheaper cells, and asks where in the network each may stand. We take all three apart, and then ask the same.
#
# ## What you will build
#
# An LSTM in six lines, equal to torch's to the last bit that counts. A CIFG by crossing out one of its gates, and an SRU by crossing out a whole matrix. Pictures of what gates do while somebody speaks. A cost report for each
# cell, in weights and in multiply-adds. And a table: which cell may replace which, in the encoder and in the prediction network.
#
# ## Objectives
#
# After this lesson you can
#
# - write down what LSTM, CIFG and SRU compute, and what each leaves out;
# - read gates over time, and turn a forget gate into a half-life;
# - count parameters and multiply-adds of a recurrent recogniser, up to the paper's 122.1M (paper, table 1);
# - explain why an SRU can be computed for all frames at once, and do it;
# - judge a table of three seeds: which differences are there, and which are not.
#
# ## Before you start
#
# You need [lesson 05](05_transducer.ipynb): encoder, prediction network, joint network.

# %% [markdown]
# ## Time and machine
#
# An hour to read and play; a minute or two to run on two processor cores, with less than a gigabyte of memory. Nothing is downloaded and nothing is trained: what takes hours was measured before, and comes with the course.
#
# ## The map of the course
#
# <!-- map -->
#
# ## Where this code lives
#
# <!-- code -->
#
# The same box as in lesson 05 is open, and now we look inside.

# %% alt="Eight boxes in a row, joined by arrows: recording, features, network, design, transducer, and so on; that of the transducer is filled."
from tinycourse import plots

plots.path("06");

# %% [markdown]
# ## 1. What a cell computes
#
# A recurrent layer gets a frame x and has two memories: the **cell** c, which nobody else sees, and its last **output** h. At each frame it decides, for each of its units, three things: how much of the cell to keep, how much of a new value to let in, and how much
# of the result to show. Each decision is a **gate**, a number between 0 and 1, and each gate is a linear map of x and h with a sigmoid behind:
#
# $$c \leftarrow f\,c + i\,g, \qquad h \leftarrow o \tanh(c), \qquad g = \tanh(\cdot),\quad i, f, o = \sigma(\cdot).$$
#
# That is all of the **LSTM** (Hochreiter and Schmidhuber 1997; its forget gate was added by Gers et al. 2000). Here it is in six lines, on the weights of torch's own, and of the library's.

# %% tags=["nbval-check-output"]
import torch
from torch.nn import functional as F

from tinycourse.models import CellConfig, Recurrent

torch.manual_seed(0)
theirs, x = torch.nn.LSTM(8, 16, batch_first=True), torch.randn(1, 30, 8)
h, c, outputs = torch.zeros(16), torch.zeros(16), []
for frame in x[0]:
    z = F.linear(frame, theirs.weight_ih_l0, theirs.bias_ih_l0) + F.linear(h, theirs.weight_hh_l0, theirs.bias_hh_l0)
    i, f, g, o = z.view(4, 16)  # the order of torch
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    outputs.append(h)
by_hand = torch.stack(outputs)
ours = Recurrent(8, CellConfig("lstm", units=16))
order = torch.cat([torch.arange(16) + 16 * block for block in (2, 0, 1, 3)])  # ours: g, i, f, o
ours.load_state_dict({"weight_input": theirs.weight_ih_l0[order], "weight_recurrent": theirs.weight_hh_l0[order],
                      "bias": (theirs.bias_ih_l0 + theirs.bias_hh_l0)[order]})  # fmt: skip
for name, output in (("torch", theirs(x)[0][0]), ("library", ours(x)[0][0])):
    print(f"{name:8} equals ours: {torch.allclose(output, by_hand, atol=1e-6)}")

# %% [markdown]
# Why all these gates? Take a cell without them, that simply multiplies its memory by a weight at each frame. After many frames that is the weight to a high power: nothing is left, or everything explodes. The same goes for the gradient, which walks the same way back. The forget gate is a weight that the network itself chooses at each frame, and
# it can choose 1. A value in the cell then survives for as long as it is needed.

# %% alt="Three falling curves: with nine tenths kept little is left after thirty frames, with ninety-nine hundredths most of it is."
from tinycourse.plots import lesson06 as figures
from tinycourse.studies import lesson06 as study06

kept = {f"f = {f}": torch.tensor(f) ** torch.arange(60) for f in (0.5, 0.9, 0.99)}
for f in (0.5, 0.9, 0.99):
    print(f"keeping {f} at each frame, half is forgotten after {study06.half_life(torch.tensor(f)):.1f} frames")
figures.memory(kept);

# %% [markdown]
# ## 2. Gates while somebody speaks
#
# Now the recogniser that the course ships, on three spoken digits. We stop the first layer of its encoder at each frame and write down every gate. Units are sorted by how long they remember, the forgetful at the bottom.

# %% alt="Five stripes over time for new value, let in, kept, cell and let out; gates open and close where the words begin and end."
from tinycourse import data
from tinycourse.data import sentences
from tinycourse.studies import lesson03 as study03
from tinycourse.studies import lesson05 as study05
from tinycourse.training import checkpoint

recogniser = checkpoint.load("rnnt-digits")
source = "spoken-digits" if data.find("spoken-digits") else "tinywords"
recordings = sentences.ConnectedDigits(source).recordings("testing")
spoken = next(s for s in study05.draw(recordings, count=20, longest=3, seed=1) if len(s.words) == 3)
encoder = recogniser.network.encoder
features, _ = study05.encode(recogniser, spoken.audio)  # [frames, 40]
x = study03.given(encoder, encoder.layers[0], features[None])  # three frames each, [1, T, 120]
seen = {name: values[0] for name, values in study06.watch(encoder.layers[0], x).items()}  # [T, 128] each
rank = seen["f"].mean(0).argsort()
seconds = len(spoken.audio) / data.RATE
figures.gates({name: seen[name][:, rank] for name in ("g", "i", "f", "c", "o")}, seconds, spoken.words);

# %% [markdown]
# Look along one row. A unit near the top keeps nearly everything, and its cell changes only where the input gate opens. Rows at the bottom are hardly a memory: they follow the sound.
#
# Mean forget gates turn into half-lives. Before you run the cell: which layer of the encoder has the longer memory, the first or the second?

# %% alt="Histograms of half-lives in seconds on a logarithmic axis for two encoder layers: from hundredths of a second to seconds."
hop = encoder.config.hop * recogniser.frontend.config.hop / data.RATE  # seconds between frames of the first layer
x = study03.given(encoder, encoder.layers[1], features[None])  # two outputs each, [1, T / 2, 256]
second = study06.watch(encoder.layers[1], x)
lives = {"first layer": study06.half_life(seen["f"].mean(0)), "second layer": 2 * study06.half_life(second["f"][0].mean(0))}
for name, frames in lives.items():
    print(f"{name}: half of the units remember half of a value for {float(frames.median()) * hop:.2f} s or longer")
figures.half_lives(lives, hop);

# %% [markdown]
# ## 3. CIFG: what is not kept is let in
#
# A gate is a quarter of the layer. Is there one too many? To let something in without forgetting makes the cell grow; to forget without letting something in empties it. Perhaps an LSTM mostly does both at once anyway. Ask ours: plot, for every unit and every frame, what it kept and what it let in.

# %% alt="A cloud of points over kept and let in shares, with a dashed line from upper left to lower right."
print(f"correlation of i and f: {torch.corrcoef(torch.stack([seen['f'].flatten(), seen['i'].flatten()]))[0, 1]:+.2f}")
print(f"i + f is {float((seen['i'] + seen['f']).mean()):.2f} on average; CIFG forces it to 1")
figures.coupling(seen["f"].flatten(), seen["i"].flatten());

# %% [markdown]
# **CIFG**, the *coupled input and forget gate* (Greff et al. 2015, [arXiv 1503.04069](https://arxiv.org/abs/1503.04069)), puts the whole cloud onto the line: $i = 1 - f$. Ours is not on it, so to force it there is a real loss of freedom; section 6 asks what it costs. A quarter of the gates' weights is gone. And the cell becomes a running mean,
#
# $$c \leftarrow f\,c + (1 - f)\,g,$$
#
# which can never leave the range of what was let in. An LSTM's cell can, and does: it may add up without end. Whoever wants to store cells in a few bits, as in [lesson 08](08_quantization.ipynb), needs to know that.

# %% tags=["nbval-check-output"]
torch.manual_seed(1)
loud = torch.full((1, 300, 8), 3.0) + torch.randn(1, 300, 8)
for kind in ("lstm", "cifg", "sru"):
    largest = []
    for seed in range(5):
        torch.manual_seed(seed)
        layer = Recurrent(8, CellConfig(kind, units=64))
        layer.bias.data[64:-64] += 3  # gates that like to be open
        with torch.no_grad():
            largest.append(float(study06.watch(layer, loud)["c"].abs().max()))
    print(f"{kind}: the largest cell of five random layers passes 1.001: {max(largest) > 1.001}, passes 10: {max(largest) > 10}")

# %% [markdown]
# (The SRU's cell may pass 1 because its new value does not go through a tanh. But it is a mean as well.)
#
# ## 4. SRU: no recurrent matrix
#
# The **simple recurrent unit** (Lei et al. 2018, [arXiv 1709.02755](https://arxiv.org/abs/1709.02755)) goes further. Its gates look at the input only, **never at the last output**:
#
# $$c \leftarrow f\,c + (1 - f)\,g, \qquad h = r \tanh(c) + (1 - r)\,n, \qquad g, n \text{ linear in } x,\quad f, r = \sigma(\text{linear in } x).$$
#
# The last gate, r, mixes the cell with n, which goes past the cell, so that deep stacks train well. No recurrent matrix: that saves its weights, and something better. In an LSTM frame t has to wait for frame t - 1: its gates need $h_{t-1}$. In an SRU all gates of all frames can be computed at once, in a single large product, and what remains for the loop is one multiplication
# and one addition.
#
# And even that loop can go. A step is $c \mapsto \text{keep} \cdot c + \text{add}$, two of them make another one of the same kind, and the brackets do not matter. So let every frame compose with its neighbour, then with the one two away, then four, ...

# %% alt="Five panels: at first a diagonal, then bands of two, four and eight frames, at last a full lower triangle."
f, g = torch.rand(1000, 32), torch.randn(1000, 32)
cells, one = study06.scan(f, (1 - f) * g), torch.zeros(32)
for t in range(1000):
    one = f[t] * one + (1 - f[t]) * g[t]
apart = float((cells[-1] - one).abs().max())
print(f"{len(study06.reach(1000)) - 1} rounds instead of 1000 steps; the last cells differ by {apart:.0e}")
figures.scan(study06.reach(12));

# %% [markdown]
# Does that pay on your machine? The loop does little per step, and the scan does more work in all. On a processor it can go either way; on a graphics card, which computes for all frames side by side, the scan wins. The library keeps the loop for short sequences on purpose, and hand-writes the gradient. Here are whole layers, forward and backward.

# %% tags=["nbval-ignore-output"]
import time

x = torch.randn(8, 100, 128)
for kind in ("lstm", "cifg", "sru"):
    layer, times = Recurrent(128, CellConfig(kind, units=128)), []
    for _ in range(3):
        begin = time.process_time()
        layer(x)[0].square().mean().backward()
        times.append(time.process_time() - begin)
    print(f"{kind}: {1000 * min(times):.0f} ms for a hundred frames of eight utterances")

# %% [markdown]
# ## 5. The cost report
#
# A layer's weights are matrices: from the input, from the last output, and, where the output is **projected** to fewer numbers, the projection. At each frame every weight of a matrix is used once, in one multiply-add. So for one frame, *weights and work are the same number*, but for biases. Here is one layer at the size of the
# paper: inputs of 640, cells of 2,048, outputs projected to 640 (paper, section 4).

# %% alt="Stacked bars for LSTM, CIFG and SRU layers: input and recurrent parts equal in LSTM and CIFG, no recurrent part in SRU."
layers = {kind.upper(): study06.layer(kind, 640, 2048, 640) for kind in ("lstm", "cifg", "sru")}
for name, parts in layers.items():
    print(f"{name:5}{sum(parts.values()):12,} weights: " + ", ".join(f"{part} {count:,}" for part, count in parts.items()))
figures.costs(layers);

# %% [markdown]
# And the whole recogniser: eight such layers in the encoder, two in the prediction network, 4,096 word pieces. We count it from the sizes of its layers alone. The paper reports 122.1M, and 69.7M, 48.7M and 38.2M where half, 70 % and 80 % were pruned (paper, table 1).

# %% tags=["nbval-check-output"]
for name, count in study06.paper_sizes().items():
    print(f"{name:55}{count / 1e6:7.1f}M")

# %% [markdown]
# Four numbers of the paper's table, to the last digit. That did not come for free: the paper states neither the width of the embedding nor what exactly is pruned. One reading, *only the gates are pruned, not the projections*, gives all four. For the smallest network of the paper, a CIFG encoder and a sparse SRU prediction network with 59 % fewer weights than the dense one (paper, section 5), no reading of ours gives the digit.
#
# How often is a layer used? The encoder's first layers run for every frame, those behind the time reduction half as often, and the prediction network once a *word*. So where a cell stands decides what it costs in work. For one second of sound:

# %% tags=["nbval-check-output"]
from tinycourse.models import rnnt

for kind in ("lstm", "cifg", "sru"):
    small, large = rnnt.digits(kind), rnnt.paper(f"ln-{kind}")
    digits, paper = study06.work(small, 100) / 1e6, study06.work(large, 100) / 1e9
    print(f"{kind:5} encoder, a second of sound: {digits:6.1f}M multiply-adds for the digits, {paper:5.2f}G in the paper's")
small = rnnt.digits()
words = 3 * sum(small.prediction.multiply_adds(width) for width in small.prediction_inputs())
print(f"its prediction network, three words a second: {words / 1e6:6.1f}M for the digits")

# %% [markdown]
# ## 6. Which cell where?
#
# The paper finds: SRU may replace LSTM in the prediction network, less well in the encoder; CIFG is the better trade (paper, section 5). Before you look: would you have guessed so? The encoder takes long stretches of sound, and its gates may need to know what the layer itself has found so far. An SRU's gates cannot. The prediction
# network reads a few words, one after the other.
#
# Here is ours, on connected digits, three seeds for each pair. It takes hours, so the results come with the course, and so does the script.

# %% alt="Rows for each pair of encoder and prediction cell, with a dot for each of three seeds and a bar at the mean; a dashed line marks LSTM and LSTM."
measured = study06.measured()
print(measured["command"], f"{measured['data']}, {measured['steps']} steps", sep="\n")
print(study06.table(measured["rows"]))
figures.results(study06.by_pair(measured["rows"]));

# %% [markdown]
# How to read it: dots are seeds, and their distance is the noise. The last column of the table speaks up only where *every* seed of a pair is on one side of *every* seed of LSTM / LSTM. Where it is empty, three seeds see no difference. Ten words are an easy task, too; where both are nearly perfect, they cannot differ.
#
# What the table leaves out is **layer normalisation**, which the paper uses throughout: before the sigmoid, the sums of each gate are brought to mean 0 and spread 1 over its units. It makes training calmer. In an SRU it costs nothing in speed, as long as it is kept away from c: there it would make every frame wait for the last one again. The library
# has all three cells with it: `tinycourse train rnnt-digits-ln-cifg-sru` makes one more row, if you have the time.
#
# ## Play with it
#
# Hold the gates of one unit in your own hands. Pulses of new values come in at the frames that you choose; the forget gate keeps the share that you set; and a moment of forgetting can be put anywhere. Watch what the cell of an LSTM makes of it, whose input gate you hold as well, and what a CIFG does. Can you make the LSTM count the pulses? Why can a CIFG not?

# %% tags=["widget", "nbval-ignore-output"] alt="Sliders above two panels: new values and the share kept over time, and below them the cells of an LSTM and a CIFG."
from tinycourse.widgets.lesson06 import CellExplorer

CellExplorer()

# %% [markdown]
# ## An honest comparison
#
# Side by side: what the paper says and what we measured. Their numbers are word error rates on VoiceSearch, of networks of many millions of weights, trained on a great amount of speech. Ours are digits. Compare the *order*, not the numbers.

# %%
pairs = study06.by_pair(measured["rows"])
theirs = {"lstm / lstm": ("6.6", "100 %"), "cifg / sru": ("7.1", "41 %")}
weights = {f"{row['encoder']} / {row['prediction']}": row["parameters"] for row in measured["rows"]}
print(f"{'encoder / prediction':24}{'paper: WER':>12}{'size':>8}{'here: wrong digits':>22}{'size':>8}")
for name, values in pairs.items():
    wer, size = theirs.get(name, ("", ""))
    print(f"{name:24}{wer:>12}{size:>8}{sum(values) / len(values):22.1%}{weights[name] / weights['lstm / lstm']:8.0%}")
print("(the paper's CIFG and SRU network is pruned as well, in its prediction network; ours are dense)")
mean = {name: 100 * sum(values) / len(values) for name, values in pairs.items()}
print("\ninstead of LSTM, the other network being an LSTM, costs here")
replaced = {"SRU as prediction network": "lstm / sru", "SRU in the encoder": "sru / lstm", "CIFG in the encoder": "cifg / lstm"}
for what, pair in replaced.items():
    print(f"  {what:32}{mean[pair] - mean['lstm / lstm']:+.1f} points")

# %% [markdown]
# So the order is the paper's. **CIFG for LSTM in the encoder is free**: a fifth of all weights gone, and nothing lost that three seeds could show. SRU costs something in the prediction network and more in the encoder. One thing differs: in the paper's prediction network an SRU costs nearly nothing, and in ours it does. Its network was trained to the end on a great deal of speech; ours
# for a short while, a quarter of what the shipped recogniser got. An SRU may only learn more slowly; but the pair of CIFG and SRU in [lesson 07](07_pruning.ipynb), trained to the end, still errs more than LSTMs do. To try the others, train longer: `study.train` takes the recipe.
#
# ## Quiz
#
# Decide first, then open the answer.
#
# **1. A forget gate stands at 0.9 all the time. How long does the cell remember?**
#
# (a) For ever, 0.9 is nearly 1. (b) Half is gone after six to seven frames. (c) Nine frames.
#
# <details><summary>Answer</summary>
#
# **(b).** 0.9 to the power of 6.6 is one half; section 1 prints it. (a) forgets that shares multiply. (c) mistakes a decay for a queue.
# </details>
#
# **2. Why can the gates of an SRU be computed for all frames at once, and those of a CIFG not?**
#
# (a) SRU has fewer gates. (b) SRU's gates do not look at the last output. (c) CIFG's cell is a mean.
#
# <details><summary>Answer</summary>
#
# **(b).** All that an SRU's gates need is the input, which is there. A CIFG's need h of the frame before. (a) is wrong: SRU has four linear maps, CIFG three. (c) is true of both.
# </details>
#
# **3. You may replace one LSTM by a cheaper cell, and want to save *work*, not memory. Where?**
#
# (a) In the first encoder layer. (b) In the prediction network. (c) It does not matter.
#
# <details><summary>Answer</summary>
#
# **(a).** It runs for every frame, the prediction network for every word. (b) saves hardly any work, because that network is asked once a word. (c) holds for memory, where it does not matter how often a weight is used.
# </details>
#
# **4. An LSTM's forget bias is set to 1 before training. What for?**
#
# (a) So that the cell begins by remembering, and gradients get far back. (b) So that the output is positive. (c) It makes the network smaller.
#
# <details><summary>Answer</summary>
#
# **(a).** With bias 0 half of everything is forgotten at every frame, and what happened ten frames ago has no influence that training could find. (b) confuses gates. (c) changes no shape.
# </details>

# %% [markdown]
# ## Three take-aways
#
# 1. A cell is a memory with gates. LSTM keeps and lets in separately, CIFG lets in what it does not keep, SRU decides both without looking back.
# 2. For recurrent layers weights are work, times how often a layer runs: every frame in the encoder, every word in the prediction network.
# 3. What may be simpler depends on where it stands. Ask it of your own task, with more than one seed.
#
# ## What comes next
#
# Do [the exercises of this lesson](../exercises/06_cells.ipynb): you count a layer, make a CIFG from an LSTM, and compute an SRU without its loop. Lesson 07 takes weights away from any of these cells, without asking which kind it is.
#
# ## References
#
# - Y. Shangguan, J. Li, Q. Liang, R. Alvarez, I. McGraw: *Optimizing Speech Recognition For The Edge*, 2019, [arXiv 1909.12408](https://arxiv.org/abs/1909.12408).
# - S. Hochreiter, J. Schmidhuber: *Long Short-Term Memory*, 1997, [the paper](https://www.bioinf.jku.at/publications/older/2604.pdf).
# - F. Gers, J. Schmidhuber, F. Cummins: *Learning to Forget: Continual Prediction with LSTM*, 2000, [Neural Computation 12](https://doi.org/10.1162/089976600300015015).
# - K. Greff, R. Srivastava, J. Koutník, B. Steunebrink, J. Schmidhuber: *LSTM: A Search Space Odyssey*, 2015, [arXiv 1503.04069](https://arxiv.org/abs/1503.04069).
# - T. Lei, Y. Zhang, S. Wang, H. Dai, Y. Artzi: *Simple Recurrent Units for Highly Parallelizable Recurrence*, 2018, [arXiv 1709.02755](https://arxiv.org/abs/1709.02755).
# - J. Ba, J. Kiros, G. Hinton: *Layer Normalization*, 2016, [arXiv 1607.06450](https://arxiv.org/abs/1607.06450).
