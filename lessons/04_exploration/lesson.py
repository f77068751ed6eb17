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
# # 04 Machine-driven design
#
# Why 18 channels, and then 6? Nobody chose these numbers. The networks of the TinySpeech paper were *found*, by a machine that was told what it may
# spend (TinySpeech paper, section 3.1). That machine was never published. So we build one: public, small enough to understand, and, as you will see, stronger. It turns
# away what does not fit a chip without training it, trains the rest for a few seconds, and learns from every answer what to ask next.
#
# ## What you will build
#
# A search space of attention-condenser networks with the paper's four as points of it; the cost report of a network before it is trained, down to its instructions on
# a chip; a Pareto front, the networks that no other one beats; a search that runs here in a minute, and on as many machines as you have. Then we look at what the same search found when it had hundreds of trainings.
#
# ## Objectives
#
# After this lesson you can
#
# - turn an architecture into a space, and say what is left out of it;
# - check flash, RAM and instructions of a network before you train it;
# - read a Pareto front, a NetScore and a hypervolume, and say what each of them hides;
# - judge whether a short training predicts a long one;
# - decide whether a guided search was worth more than luck.

# %% [markdown]
# ## Before you start
#
# You need [lesson 00](00_word_to_chip.ipynb) and [lesson 03](03_attention_condensers.ipynb): stem, block, condenser, the two shifted copies.
#
# ## Time and machine
#
# Seventy-five minutes to read and play; two minutes to run on two processor cores, with less than a gigabyte of memory. Nothing is downloaded.
#
# ## The map of the course
#
# <!-- map -->
#
# ## Where this code lives
#
# <!-- code -->

# %% [markdown]
# One box of the path is open today: design.

# %% alt="Eight boxes in a row, joined by arrows: recording, features, network, design, and so on; the box of design is filled."
from tinycourse import plots

plots.path("04");

# %% [markdown]
# ## 1. Why not design by hand?
#
# One can, given months. Look at the cost report of TinySpeech-M: which of its parts would you save on?

# %% alt="Two bar charts with a row for each part of TinySpeech-M: weights and thousand multiply-adds; the last convolution has most of both."
from tinycourse.models import TINYSPEECH_DESIGNS, Designed
from tinycourse.search import costs

m = TINYSPEECH_DESIGNS["m"]
parts = [part | {"thousands": part["multiply_adds"] / 1000} for part in costs.by_part(m)]
whole, last = costs.count(m), next(part for part in parts if part["layer"] == "last")
share = {name: last[name] / getattr(whole, name) for name in ("parameters", "multiply_adds")}
print(f"the last convolution has {share['parameters']:.0%} of the weights and {share['multiply_adds']:.0%} of the multiply-adds")
plots.layer_costs(parts, (("parameters", "weights"), ("thousands", "thousand multiply-adds")));

# %% [markdown]
# One layer, an ordinary 3x3 convolution behind all the clever ones, takes nearly everything. Is it worth it? Would 1x1 do, with another block for the change? Or fewer frames in front of it? Each
# question is easy. There are two dozen of them, the answers depend on each other, and each costs a training. This is work for a machine.
#
# ## 2. The space
#
# A search can find only what its space contains. Ours has all that lesson 03 left open, the kernels and pools of the paper's relatives, and different ends. It is **a fixed list of
# choices**, since samplers like that best. Thirty free numbers of channels are too many for them, so here all channels follow from a few: width, growth, bottleneck and copies. In the
# names, *near* is the first condenser of a block and *far* the second, and *high* is the upper edge of the front end in Hz. One point of the space, drawn at random, is marked.

# %% alt="A table with a row for each choice, such as stem, blocks, width or kernel, and all its values; one value in each row is filled."
from random import Random

from tinycourse.plots import lesson04 as figures
from tinycourse.search import space

choices = space.draw(Random(4))
years = 10 * space.size() / (365 * 24 * 3600)
print(f"{len(space.CHOICES)} choices make {space.size():.1e} networks")
print(f"at ten seconds each: {years / 1e6:.1f} million years")
figures.space(space.CHOICES, choices);

# %% [markdown]
# To try them all is out of the question. A `Design` is more general than the list: it has its own number of channels
# for every layer, and X, Y, Z and M are designs to the digit. Same weights by the same names, same output. Its blocks are made of `SearchedCondenser`s, with an argument for each
# choice that lesson 03's condenser does not have: kernel and its spread, activation, form of F, and what is kept of all bands.

# %% tags=["nbval-check-output"]
import torch

from tinycourse.models import TINYSPEECH, TinySpeech

x = torch.randn(2, 1, 101, 40, generator=torch.Generator().manual_seed(0))
for letter, design in TINYSPEECH_DESIGNS.items():
    paper, ours = TinySpeech(TINYSPEECH[letter], 12).eval(), Designed(design, 12).eval()
    ours.load_state_dict(paper.state_dict())
    with torch.no_grad():
        same = torch.equal(paper(x), ours(x))
    spent = costs.count(design)
    print(f"{letter.upper()}: {spent.parameters:6,} weights, {spent.multiply_adds:9,} multiply-adds, the same output: {same}")

# %% [markdown]
# The list has two kinds of ends that no TinySpeech has. `3 x bands` in the *stem* turns all bands into channels at once, so that what follows looks along time alone. `1 x bands` in
# the *last* convolution gives every channel its own weight for each band, and merges all bands into one value a frame: cheap, and it knows high from low.
#
# ## 3. The cost report before the training
#
# What a network costs does not depend on what it has learned. So we can know it in advance: weights and multiply-adds by counting, flash and RAM by asking the exporter to
# plan the chip's memory for a network of random weights, as in lesson 00. And the time?

# %% alt="Two panels of points, one for each network: instructions scatter widely over multiply-adds, and lie on the diagonal over those predicted."
from statistics import mean

from tinycourse.search import instruction_model, records
from tinycourse.studies import lesson04 as study04

chip = instruction_model.measured()["cortex-m4"]
off = [abs(e) for e in chip["errors"].values()]
for kernel, per in (("pointwise", "product"), ("depthwise", "product"), ("add", "element"), ("max_pool", "value compared")):
    print(f"{kernel:10}{chip['prices'][kernel][0]:6.1f} instructions for each {per}")
print(f"predicted from all others, a network is off by {mean(off):.1%} on average, {max(off):.1%} at worst ({len(off)} networks)")
figures.prices(chip["instructions"], chip["errors"], chip["multiply_adds"]);

# %% [markdown]
# Networks with equally many multiply-adds differ by far in instructions. An addition of two maps has no multiply-add at all and yet is one of the dearest things an integer
# network does, because both maps come on different scales. So every kernel has **its own prices**: for products, for elements, for positions, and for being called. We let the emulated chip of
# lesson 00 count what two dozen networks take, layer by layer, and least squares finds the prices. The right panel is an honest test: the instructions of each network are predicted by prices that were fitted *without* it.
#
# ### Limits come first
#
# A limit is hard: what exceeds it is not trained. Here are the sets of limits that the course brings. `ladder` is the one of the long search below: on each of three steps no more weights than a TinySpeech
# has, *and fewer multiply-adds*, *and* the RAM of the smallest chip.

# %% tags=["nbval-check-output"]
spent = costs.plan(space.design_of(choices))
print(f"the marked network: {spent}")
for name, limits in costs.PRESETS.items():
    excess = {what: share for what, share in limits.excess(spent).items() if share > 0}
    print(f"{name:14}", ", ".join(f"{what} over by {share:.0%}" for what, share in excess.items()) or "fits")

# %% [markdown]
# How much does that save? Here is everything that the long search proposed, by its costs. Every cross was turned away within two seconds, and the search was told why. (Designs that were
# proposed more than once count once.)

# %% alt="Multiply-adds over weights of all proposals on logarithmic axes: dots below a staircase of limits were trained, crosses were not."
long = records.read_record(study04.STUDY)
trained = records.trained_rows(long)
counted = {letter.upper(): costs.count(design) for letter, design in TINYSPEECH_DESIGNS.items()}
print(f"{len(long['rows'])} proposals, {len(trained)} designs trained")
marks = {letter: (c.parameters, c.multiply_adds) for letter, c in counted.items()}
figures.cloud(long["rows"], costs.PRESETS[long["settings"]["limits"]].rungs, marks);

# %% [markdown]
# ## 4. Which network is best?
#
# Error and weights should both be small, and the two are at odds. So there is no best network, only networks that **no other one beats**: each smaller one errs more, each one that errs less is larger. They are the
# *Pareto front*. In [exercise 1](../exercises/04_exploration.ipynb) you write the function; here it is at work on the first few networks of the long search, with the area that they beat.

# %% alt="Two figures: error over weights of the first networks with the front as steps; the same front with the area that it beats shaded."
import numpy as np

from tinycourse.search import hypervolume, net_score, on_front, rank_correlation

points = np.array([(row["error"], row["costs"]["parameters"]) for row in trained])
few = points[:30]
best = on_front(few)
figures.front(few, best)
figures.area(few[best], records.REFERENCE)
area = hypervolume(few, records.REFERENCE) / np.prod(records.REFERENCE)
print(f"{best.sum()} of {len(few)} networks are on the front; together they beat {area:.1%} of the rectangle")

# %% [markdown]
# The **hypervolume** is that area, and grows whenever the front gets better anywhere. It makes fronts comparable, at a price: somebody has to choose the reference, and whether a small network counts as
# much as a good one. **NetScore**, the paper's choice (TinySpeech paper, section 3.1), is harsher. It makes one number of each network, $20 \log_{10}(\text{accuracy}^2 / \sqrt{\text{weights} \cdot \text{multiply-adds}})$,
# and with it one winner. See which one it picks, and why the paper demanded a minimum accuracy as well.

# %%
scores = [net_score(100 * (1 - row["error"]), row["costs"]["parameters"], row["costs"]["multiply_adds"]) for row in trained]
order = np.argsort(scores)[::-1]
for title, chosen in (("all networks", order), ("error at most a quarter", [i for i in order if trained[i]["error"] <= 1 / 4])):
    row = trained[chosen[0]]
    print(f"{title:24} {scores[chosen[0]]:6.1f} dB: error {row['error']:.1%}, {row['costs']['parameters']:,} weights")

# %% [markdown]
# ## 5. Ask, judge, tell
#
# The loop of a search has three steps. **Ask** a sampler for a point. **Judge** it: costs first; then, if it may pass, a short training. **Tell** the sampler. Ours is
# [Optuna](https://optuna.org), which brings the samplers: `random` knows nothing; `nsga2` breeds, as evolution does; `tpe` models where good points lie (Watanabe 2023, arXiv 2304.11127). Let it run, right here, on the bundled
# words, with trainings of a second or two. The errors are high: it is the loop that you should watch.

# %%
import optuna

from tinycourse.search import explore, proxy

heard = proxy.Proxy(data="tinywords", extra_unknown=(), training_clips=500, validation_clips=300, epochs=2)
settings = explore.Settings(proxy=heard)
sampler = optuna.samplers.TPESampler(n_startup_trials=6, multivariate=True, seed=0)
study = explore.live(settings, proxy.sounds_of(heard, explore.cache()), 4 if session.fast else 12, sampler)
here = records.record(study)["rows"]
for row in here:
    said = f"error {row['error']:.1%}" if "error" in row else f"turned away: {', '.join(row['exceeded'])}"
    print(f"{row['number']:3}  {row['costs']['parameters']:7,} weights  {said}")

# %% alt="Error over weights of the networks that were trained in this notebook, those on the front joined by steps."
points_here = np.array([(row["error"], row["costs"]["parameters"]) for row in records.trained_rows({"rows": here})])
figures.front(points_here, on_front(points_here));

# %% [markdown]
# ## 6. The long search
#
# The same loop, on real recordings and for longer, made the file that comes with the course. One command, on one machine or on many:

# %%
print(long["command"])
seconds = sum(row["seconds"] for row in trained)
listened = long["settings"]["proxy"]
print(f"{len(trained)} networks trained, {seconds / 3600:.1f} hours of one core, {seconds / len(trained):.0f} s each")
print(f"each on {listened['training_clips']:,} clips of {listened['data']}, {listened['epochs']} epochs")

# %% [markdown]
# Every worker is a process that asks, judges and tells on its own; what they share is the *storage*. A file will do on one machine, and so that many may work, give the URL of a PostgreSQL or MySQL database to
# `--storage` and start the same command on each. If a worker is killed, its point is queued again, and so nothing is lost but seconds. The same command resumes a study. To watch one in the browser, install `optuna-dashboard`
# and give it the same storage.

# %% alt="Error over weights of all networks of the long search; the front is joined by steps, and TinySpeech X, Y, Z and M lie far above it."
fidelity = study04.read(study04.FIDELITY)["rows"]
rivals = {row["name"][-1].upper(): (row["short"], row["parameters"]) for row in fidelity if row["name"].startswith("tinyspeech")}
best = on_front(points)
figures.front(points, best, rivals);

# %% [markdown]
# The stars are the paper's networks after the *same* short training. So far so good; but what did the machine find? For every choice, here is the mean error of all networks with each value. Choices with
# a wide spread matter. (Mind that a guided search tries good values more often, and in good company; this is a first look, not an experiment.)

# %% alt="A row for each choice with a dot at the mean error of the networks with each value; rows with the widest spread come first."
table = records.effects(trained)
for name in ("last_kind", "near_kernel", "high", "blocks"):
    print(f"{name:12}" + "".join(f"{value!s:>16}{error:6.1%}" for value, error in list(table[name].items())[:5]))
figures.effects(dict(list(table.items())[:14]), mean(row["error"] for row in trained));

# %% [markdown]
# And these are the best networks of each step of the ladder, as the machine wrote them down.

# %%
rungs = costs.PRESETS["ladder"].rungs
for low, (high, _) in zip((0, *(r[0] for r in rungs)), rungs):
    row = min((r for r in trained if low < r["costs"]["parameters"] <= high), key=lambda r: r["error"])
    spent, choice, origin = row["costs"], row["choices"], "put in by hand" if "by" in row else "found"
    print(f"trial {row['number']}, {origin}: error {row['error']:.1%}")
    print(f"   {spent['parameters']:,} weights, {spent['multiply_adds']:,} multiply-adds")
    print("   " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in choice.items()))

# %% [markdown]
# ### Why it makes sense
#
# Compare with the figure above. All four findings can be explained afterwards; two of them we had not thought of before.
#
# - **The end.** Networks that end in a 3x3 convolution, as every TinySpeech does, err most, and so do those with its separable form. What section 1 suspected is true: the weights are better
#   spent elsewhere. An end that weighs the bands tells a low sound from a high one, which the average behind a 3x3 convolution forgets.
# - **The first condenser.** A 1x1 kernel falls behind there, even where its copies are shifted, as in lesson 03. A 3x3 kernel costs nine times as much for each channel, in a layer
#   that works on a condensed map and therefore costs little; so the machine pays.
# - **The upper edge of the bands.** 7.6 kHz instead of the paper's 4 kHz (TinySpeech paper, section 3): *s* and *f* have their energy up there. The front end costs the same (lesson 01 compared both).
# - **Depth.** Few blocks lead, and the sampler soon asked for little else. Here be careful. Shallow networks learn quickly, and the search judges after seconds. Whether they *stay* ahead
#   this figure cannot say. It is the next question.

# %% [markdown]
# ## 7. Does a short training tell the truth?
#
# Ten seconds of training predict the end poorly. How poorly? Designs of all qualities were trained again, for much longer. If the order stays, the search was led the right way. And could we have had it cheaper? Some
# signs need *no* training: the number of weights; the multiply-adds; the norm of the gradient; `snip`, how much the loss would change without each weight; `synflow`, the same without data; `naswot`, how differently
# clips switch the units on and off (Abdelfattah et al. 2021, arXiv 2101.08134, compare them).

# %% alt="Left: error after the long training over that after the short one, a rising cloud. Right: bars of rank correlations by sign."
measured = study04.read(study04.FIDELITY)
truth = [1 - row["long"] for row in measured["rows"]]
signs = [name for name in measured["rows"][0] if name not in ("name", "short", "long")]
correlations = {"short training": rank_correlation([1 - row["short"] for row in measured["rows"]], truth)}
correlations |= {name: rank_correlation([row[name] for row in measured["rows"]], truth) for name in signs}
print(f"{len(truth)} designs; long: {measured['clips']:,} clips, {measured['epochs']} epochs")
figures.foretelling(*([row[name] for row in measured["rows"]] for name in ("short", "long")), correlations);

# %% [markdown]
# Read the left panel first: a rising cloud says that the short training orders designs as the long one does, and its width says how far to trust it. Then the bars. The two at the top of the grey ones are
# trivial: they only count. **A sign whose bar is not longer than these two tells us no more than the size of a network does.**
#
# And depth? Here are the designs that did best in the long training. (It knew ten classes, so they have fewer weights here than above.)

# %%
blocks = {f"trial {row['number']}": row["choices"]["blocks"] for row in trained}
print(f"{'':14}{'weights':>8}{'blocks':>8}{'short':>8}{'long':>8}")
for row in sorted(measured["rows"], key=lambda row: row["long"])[:8]:
    print(f"{row['name']:14}{row['parameters']:8,}{blocks.get(row['name'], '-'):>8}{row['short']:8.1%}{row['long']:8.1%}")

# %% [markdown]
# The doubt was right. Deep networks that were equal to shallow ones after the short training are ahead after the long one. So the search was not led to the wrong place, but it looked for too little depth, and a next
# study should train longer, or give shallow networks a handicap. Among the best of each size the long training therefore had the last word. It can err, too: one of its two best among the largest fell, when trained in full, behind the network of
# the middle size, which has less than half the weights. So the course ships two found networks, not three.
#
# ## 8. Did the guided search pay?
#
# This is asked too seldom. Random search is simple, and it profits from the same limits. So let them race: three samplers, three seeds each, the same number of trainings for all.

# %% alt="Hypervolume over the number of networks trained, a line and a band for each of random, nsga2 and tpe."
race = study04.read(study04.RACE)["rows"]
curves = {}
for row in race:
    curves.setdefault(row["sampler"], []).append(records.growth(row["points"]))
ends = {name: [run[-1] for run in runs] for name, runs in curves.items()}
for name, values in ends.items():
    won = sum(a > b for a in values for b in ends["random"])
    said = "" if name == "random" else f", ahead of random in {won} of {len(values) * len(ends['random'])} pairs"
    print(f"{name:8}" + "".join(f"{value:8.3f}" for value in values) + f"   mean {mean(values):.3f}{said}")
figures.growth(curves);

# %% [markdown]
# A guided sampler that wins every pair has paid; one that wins half of them is no better than luck. Here TPE is ahead on average, though not in every pair. NSGA-II is behind: in so few trainings it has hardly bred a second
# generation. Look also at *when* the lines part. At first every sampler tries points here and there, since it needs answers before they can guide it: a lead at the very beginning is luck. With a smaller budget the fair choice is random search, with the limits in front of it.
#
# ## Play with it
#
# Move the slider and watch the front of the long search grow. Open any network: its layers, its costs, its choices. Which choices do the networks on the front have in common, and which the one that errs most?

# %% tags=["widget", "nbval-ignore-output"] alt="A slider for the number of networks trained and a menu to open one; front, weights and multiply-adds by layer below."
from tinycourse.widgets.lesson04 import SearchExplorer

SearchExplorer(long["rows"])

# %% [markdown]
# ## An honest comparison
#
# The designs of the machine, trained in full with several seeds, beside TinySpeech and BC-ResNet (Kim et al. 2021, arXiv 2106.04140), one seed each, trained in the same way on the same clips: ten classes, no teacher. (Only the number of epochs
# differs, BC-ResNet had fewer, since each takes it several times as long; `tinycourse checkpoints` has all commands.) In int8 they are what the chip runs, bit for
# bit, and the instructions are counted, not predicted. What to keep in mind: the machine was judged on the validation clips hundreds of times, so only the testing clips, which it never saw, count. The weights are
# those that the paper counts, for twelve classes, without batch norm. BC-ResNet has besides a batch norm for every fifth of the bands, which does not fold away. And people had a part in it: they
# wrote the space, and put five points into the study to begin with; the cell of section 6 says which of the best are theirs.

# %% alt="Accuracy on test clips over weights: stars for the networks found, and the shipped TinySpeech and BC-ResNet for comparison."
final = study04.read(study04.FINAL)["rows"]
names = list(dict.fromkeys(row["name"] for row in sorted(final, key=lambda row: row["parameters"])))
print(f"{'':15}seeds weights  multiply-adds   testing (mean, range)      int8   instructions")
series = {"found by machine": {}, "TinySpeech": {}, "BC-ResNet": {}}
for name in names:
    rows = [row for row in final if row["name"] == name]
    tested, whole = [row["testing"] for row in rows], mean(row["int8"] for row in rows)
    spread = f"{mean(tested):7.2%} ({min(tested):.2%} to {max(tested):.2%})"
    costs_of = f"{len(rows):5}{rows[0]['parameters']:8,}{rows[0]['multiply_adds']:15,}"
    print(f"{name:15}{costs_of} {spread}{whole:9.2%}{rows[0]['instructions']:14,}")
    label = next((k for k in series if k.lower() in name), "found by machine")
    series[label][name] = (rows[0]["parameters"], mean(tested))
figures.rivals(series);

# %% [markdown]
# Near each TinySpeech stands a network of the machine that errs less; only in int8 the largest one does not. BC-ResNet-1 remains the most accurate of all, and BC-ResNet-0.625 is about level with found-337, but the chip
# works several times as long for them. And the largest find was not the best one: what a short training promises, a long one need not keep.
#
# ## Quiz
#
# Decide first, then open the answer.
#
# **1. A network errs in 12.0 % of the clips with 3,000 weights, another in 12.0 % with 2,900 (made up). <!-- definition --> Which of them can be on the front?**
#
# (a) Both, their errors are equal. (b) The second one only. (c) Neither, fronts have different errors everywhere.
#
# <details><summary>Answer</summary>
#
# **(b).** To beat another one it is enough to be nowhere larger and somewhere smaller. (a) would be true if the weights were equal as well. (c) confuses a front with a curve.
# </details>
#
# **2. Why is a network that does not fit the chip turned away *before* training, and not given a bad score after it?**
#
# (a) A bad score would mislead the sampler. (b) What it costs does not depend on what it learned, so there is nothing to wait for. (c) It could not be trained.
#
# <details><summary>Answer</summary>
#
# **(b).** The costs are known in a second; the training takes ten times that, and tells nothing new about them. (a) is not so: samplers use such scores where nothing better can be had. (c) it could be trained very well, on this machine.
# </details>
#
# **3. Two searches ran. The front of one is better for small networks, that of the other for large ones. Which has the larger hypervolume?**
#
# (a) The first. (b) The second. (c) It depends on the reference and the scales of the axes.
#
# <details><summary>Answer</summary>
#
# **(c).** Where fronts cross somebody has to say what matters more, and whoever chooses reference and scales says it, knowingly or not. So state them with the number.
# </details>
#
# **4. A sign without training has a rank correlation of 0.6 with accuracy over the whole space. You use it to choose among the ten best networks. What do you expect?**
#
# (a) About 0.6 there, too. (b) Less: among the best, what the sign can see has already been decided. (c) More: good networks are easier to judge.
#
# <details><summary>Answer</summary>
#
# **(b).** Much of such a correlation comes from telling the hopeless from the rest. Where all are good, differences are small and noise rules. Measure it where you mean to use it.
# </details>

# %% [markdown]
# ## Three take-aways
#
# 1. The space is the design. A search sorts what its author put in; the two cheap ends were our idea, that they win was the machine's.
# 2. Ask what is free first: costs are known before any training, and a limit that is checked early makes every later second count.
# 3. A search is an experiment, so it needs a control: random search at the same price, and a long training to check the short one.
#
# ## What comes next
#
# Do [the exercises of this lesson](../exercises/04_exploration.ipynb): fronts, scores and limits by your own hand, and a search by evolution in twenty lines. [Lesson 05](05_transducer.ipynb) leaves single words behind: the transducer writes down
# whole sentences.
#
# ## References
#
# - A. Wong, M. Famouri, M. Pavlova, S. Surana: *TinySpeech: Attention Condensers for Deep Speech Recognition Neural Networks on
#   Edge Devices*, 2020, [arXiv 2008.04245](https://arxiv.org/abs/2008.04245).
# - B. Kim, S. Chang, J. Lee, D. Sung: *Broadcasted Residual Learning for Efficient Keyword Spotting*, 2021, [arXiv 2106.04140](https://arxiv.org/abs/2106.04140).
# - E. Real, A. Aggarwal, Y. Huang, Q. V. Le: *Regularized Evolution for Image Classifier Architecture Search*, 2019, [arXiv 1802.01548](https://arxiv.org/abs/1802.01548).
# - T. Akiba, S. Sano, T. Yanase et al.: *Optuna: A Next-generation Hyperparameter Optimization Framework*, 2019, [arXiv 1907.10902](https://arxiv.org/abs/1907.10902).
# - M. S. Abdelfattah, A. Mehrotra, L. Dudziak, N. D. Lane: *Zero-Cost Proxies for Lightweight NAS*, 2021, [arXiv 2101.08134](https://arxiv.org/abs/2101.08134).
