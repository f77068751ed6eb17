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
# # 02 The networks that came before
#
# Between 2015 and 2021 the networks that spot a word became a hundred times smaller, and better. Nobody found a magic layer. A few
# people looked hard at what a network spends, asked what it gets for that, and left something out. This lesson follows them, one idea
# at a time, with the smallest code that shows each. Then it asks what "better" means once a device listens all day.
#
# ## What you will build
#
# A cost counter's reading of ten networks, the six ideas behind them in a few lines each, a recogniser that you train yourself while
# you watch it overfit, and a test bench for a device that never stops listening: a recording with words at known times,
# a detector that slides over it, and the curve that trades missed words for false alarms.
#
# ## Objectives
#
# After this lesson you can
#
# - count the parameters, multiply-adds and activation memory of a layer in your head, and of any network by running it;
# - say with every number how it was counted, and doubt those that come without;
# - explain what pooling, residuals, depthwise separable, temporal and broadcasted convolutions see, and what each saves;
# - read a learning curve, and tell overfitting from underfitting;
# - say why a recogniser has the classes *unknown* and *silence*;
# - measure misses and false alarms per hour on a stream, and choose a threshold.

# %% [markdown]
# ## Before you start
#
# You need [lesson 00](00_word_to_chip.ipynb), and should know what a convolution does. [Lesson 01](01_front_end.ipynb) made the feature maps that
# all these networks take; here they are taken as given.
#
# ## Time and machine
#
# An hour to read and play, a few minutes to run on two processor cores, with less than a gigabyte of memory. Nothing is downloaded.
#
# ## The map of the course
#
# <!-- map -->
#
# ## Where this code lives
#
# <!-- code -->

# %% alt="Eight boxes in a row, joined by arrows: recording, features, network, design, and so on; the box of the network is filled."
from tinycourse import plots

plots.path("02");

# %% [markdown]
# ## 1. What a network costs
#
# Three numbers decide whether a network fits on a chip. **Parameters** are stored, in flash memory. **Multiply-adds** are the work, so
# they take time and battery. **Activations**, the maps between the layers, need working memory, which small chips have least of.
# For a convolution all three follow from its shape. Read the next cell slowly once, and you can do it in your head.

# %% tags=["nbval-check-output"]
import torch
from torch import nn

from tinycourse.training import profiling

torch.manual_seed(0)
layer, x = nn.Conv2d(8, 16, 3, stride=2, padding=1), torch.randn(1, 8, 50, 20)
kernel = 8 * 3 * 3  # what one output number looks at: 8 channels, 3 x 3 each
parameters = 16 * kernel + 16  # a kernel and a bias for each of 16 output channels
multiply_adds = 16 * kernel * 25 * 10  # every kernel, at every place that the stride leaves
memory = 4 * (8 * 50 * 20 + 16 * 25 * 10)  # bytes: input and output are there at the same time
cost = profiling.profile(layer, x)
print("by hand:   ", parameters, multiply_adds, memory)
print("by running:", cost.parameters, cost.multiply_adds, cost.activation_bytes)

# %% [markdown]
# `profile` runs the network once and looks on: so it works for any module, also for one that you write tonight. A count means little
# unless you also say *what* was counted. Are running statistics of batch norm parameters? They vanish when it is folded into
# the convolution before it. Here is one network by three counters; the course states the counter with every figure.

# %% tags=["nbval-check-output"]
from tinycourse import models


def made(name, batch=1):
    """A fresh network for twelve classes, and noise in the shape of its features."""
    torch.manual_seed(0)
    frontend = models.frontend(name)
    return models.build(name, 12), torch.randn(batch, 1, frontend.frames(frontend.rate), frontend.bands)


for count in profiling.COUNTS:
    p = profiling.profile(*made("bc-resnet-1"), count)
    print(f"{p.parameters:6,}  {p.counter.partition(';')[0]}")
print(p.counter.partition("; ")[2])

# %% [markdown]
# Where in a network do the costs lie? Here is a good small one, DS-CNN-S, layer by layer. Long and short bars take turns; you will
# soon see why. And its maps never shrink: each of them takes as much memory as the next.

# %% alt="Three bar charts, a row for each of ten layers: parameters and multiply-adds alternate long and short, memory stays level."
from tinycourse.plots import lesson02 as draw

draw.costs(profiling.layers(*made("ds-cnn-s")), "DS-CNN-S");

# %% [markdown]
# ## 2. Six years in one picture
#
# Below are twenty networks with what their papers report, and those that ship with this course with what *we* measured. Ours were trained on other
# data: ten classes instead of twelve, and a part of Speech Commands. Treat neighbours as equal; look at the whole.

# %% alt="Accuracy over parameters and over multiply-adds: the oldest networks lie right and low, the newest left and high; ours lie among them."
from tinycourse.studies import published_results

ours = published_results.ours()  # from the headers of the shipped checkpoints
old, new = (next(p for p in published_results.PUBLISHED if p.name == name) for name in ("trad-fpool13", "bc-resnet-1"))
times = (old.parameters / new.parameters, (100 - old.accuracy) / (100 - new.accuracy))
print(f"from {old.name} to {new.name}: {times[0]:.0f} times fewer parameters, {times[1]:.1f} times fewer errors")
draw.accuracy_against_size(published_results.PUBLISHED, ours);

# %% [markdown]
# The two panels do not tell the same story. A network can be small and slow: few weights, used at very many places. Or large and quick.
# *Small* is three questions, one for each kind of memory and one for time. Yet in both panels the upper left edge belongs
# mostly to the newest networks. So what did they leave out?
#
# ## 3. The ideas
#
# ### 2015: two convolutions, then fully connected layers
#
# Sainath and Parada took two convolutions and dense layers behind them. Their kernels are large, and `trad-fpool13` pools along
# frequency alone. Look where its weights are, and where its work is. Two ways out were tried at once: pool along time too (`tpool2`), or
# let one kernel span the whole clip (`one-stride1`).

# %% alt="Three bar charts of trad-fpool13: nearly all parameters in the first dense layer, nearly all multiply-adds in the second convolution."
for name in ("trad-fpool13", "tpool2", "one-stride1"):
    rows = profiling.layers(*made(name))
    share = max(row.parameters for row in rows) / sum(row.parameters for row in rows)
    work = sum(row.multiply_adds for row in rows) / 1e6
    print(f"{name:13} {share:4.0%} of the weights in one layer; {work:6.1f}M multiply-adds")
draw.costs(profiling.layers(*made("trad-fpool13")), "trad-fpool13");

# %% [markdown]
# Nearly all weights sit in one matrix, which flattens the whole map and so learns each word once more for every instant at which
# it may begin. Nearly all work is in the second convolution: large kernels, at thousands of places. One long kernel saves nearly
# all work, and pays for it with accuracy, as the picture above says. All later networks end in an *average* over the map
# instead: a matrix of classes times channels, and a word may begin when it likes.
#
# ### 2017: depthwise separable convolutions
#
# A convolution does two things at once: it looks around, and it mixes channels. DS-CNN does one after the other. A *depthwise* layer
# looks around, each channel by itself; a *pointwise* layer mixes, at each place by itself. Those are the short and the long bars above.

# %% tags=["nbval-check-output"]
x = torch.randn(1, 64, 25, 5)
dense = nn.Conv2d(64, 64, 3, padding=1, bias=False)
depthwise = nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False)
pointwise = nn.Conv2d(64, 64, 1, bias=False)
one, two = (profiling.profile(network, x).multiply_adds for network in (dense, nn.Sequential(depthwise, pointwise)))
print(f"{one:,} and {two:,} multiply-adds: a ratio of {two / one:.4f}; 1/64 + 1/9 is {1 / 64 + 1 / 9:.4f}")
dense.weight.data = pointwise.weight * depthwise.weight.transpose(0, 1)  # [64, 64, 3, 3], each slice a multiple of a filter
print("the same numbers:", torch.allclose(dense(x), pointwise(depthwise(x)), atol=1e-5))

# %% [markdown]
# The last line says what is given up. A separable layer *is* a dense one whose kernels are not free: every output channel must look at input
# channel 7 through the same filter, louder or softer. It turns out that recognisers hardly miss the freedom.
#
# ### 2018: residuals
#
# Small kernels need many layers, and many layers did not train. Tang and Lin brought the *skip* to keyword spotting: a layer adds
# to what is there, instead of replacing it. Watch the gradient on its way back from the last layer to the first.


# %% alt="Size of the gradient over the layer: without a skip it falls by a factor of millions towards the input, with a skip it stays."
def stack(depth, skip):
    """Gradients at the maps behind each of `depth` convolutions, relative to the last."""
    torch.manual_seed(0)
    x, maps = torch.randn(4, 16, 20, 20, requires_grad=True), []
    for _ in range(depth):
        y = torch.relu(nn.Conv2d(16, 16, 3, padding=1, bias=False)(x))
        x = x + y if skip else y
        maps.append(x)
    sizes = [float(g.norm()) for g in torch.autograd.grad(x.mean(), maps)]
    return [size / sizes[-1] for size in sizes]


draw.gradients({"without": stack(24, False), "with a skip": stack(24, True)});

# %% [markdown]
# Without the skip each layer hands on a fraction, and fractions multiply. With it, the gradient has a way around every layer. A skip
# costs no parameter, and yet it is not free: what will be added has to wait in memory. `res15` also *dilates*: its kernels
# get gaps that double, so that fifteen small layers see the whole second.
#
# ### 2018 and 2019: bands are channels
#
# The time delay network and TC-ResNet turn the map on its side. Patterns do not slide along frequency, they say, so let each band be a channel. The first kernel
# is as tall as the map, and behind it there is only time. Compare one layer of each kind:

# %% tags=["nbval-check-output"]
x = torch.randn(1, 1, 98, 40)
for name, network in {
    "3 x 3, slides both ways": nn.Conv2d(1, 16, 3, padding=1),
    "3 x 40, along time only": nn.Conv2d(1, 16, (3, 40), padding=(1, 0)),
}.items():
    p, out = profiling.profile(network, x), network(x)
    print(f"{name}: {p.parameters:5,} parameters, {p.multiply_adds:7,} multiply-adds, output {out.numel() * 4:7,} bytes")

# %% [markdown]
# More weights, less work, and a map a fortieth as large: for a chip that is an excellent bargain. And one layer sees all bands at once.
# The price: a voice that is a little higher excites other channels, so pitch has to be learned from many voices.
#
# ### 2021: two kinds of map, and a broadcast
#
# BC-ResNet has both. One branch looks along frequency on the whole map; then it averages over frequency, looks along time
# on what is left, and adds the answer back to *all* bands: a broadcast. Mixing channels, the dear part, happens on the thin map.

# %% tags=["nbval-check-output"]
from tinycourse.models import BroadcastBlock

block, x = BroadcastBlock(8, 8, stride=1, dilation=1), torch.randn(1, 8, 101, 20)
for row in profiling.layers(block, x):
    if row.multiply_adds:
        print(f"{row.path}: output {row.shape}, {row.multiply_adds:6,} multiply-adds")
along = sum(row.multiply_adds for row in profiling.layers(block, x) if row.path.startswith("f1"))
print(f"f1 on all 20 bands would take {20 * along:,} instead of {along:,}")

# %% [markdown]
# ### What each one sees
#
# Take one unit in the middle of the last map before the average, and ask how strongly it depends on each number of the input: that
# is a gradient. Where it is exactly zero, nothing gets through. These networks are untrained, so what you see comes from the architecture alone.

# %% alt="Six maps: a small rectangle for trad-fpool13, tall bands in time for tdnn, tc-resnet8 and bc-resnet-1, squares for res8 and DS-CNN."
from tinycourse.studies import lesson02 as study

names = ("trad-fpool13", "tdnn", "res8-narrow", "ds-cnn-s", "tc-resnet8", "bc-resnet-1")
views = {name: study.seen(*made(name, batch=8)) for name in names}
print(f"{'':14}{'parameters':>11}{'multiply-adds':>15}{'largest maps':>14}{'one unit sees':>18}")
for name, view in views.items():
    p, frontend = profiling.profile(*made(name)), models.frontend(name)
    frames, bands = (int((view.sum(axis) > 0).sum()) for axis in (1, 0))
    said = f"{frames * frontend.hop / frontend.rate:.2f} s, {bands} of {frontend.bands}"
    print(f"{name:14}{p.parameters:11,}{p.multiply_adds:15,}{p.activation_bytes / 1e3:11.0f} kB{said:>18}")
draw.seen(views);

# %% [markdown]
# Each idea buys *reach*, a larger receptive field, at a lower price. The dark rims matter too: `res8` may look far, and mostly looks near.
#
# | idea | what it sees | what it saves | what it pays |
# |---|---|---|---|
# | pool, then fully connected | a patch, then the whole clip at once | little | a huge matrix |
# | depthwise separable | patches, layer by layer | nearly all weights and work of a convolution | freedom of the kernels |
# | residual, dilated | ever wider patches | depth becomes trainable | a map that waits; much work |
# | bands are channels | all bands from the first layer on | work and memory | weights in front; pitch does not slide |
# | broadcast | both ways | mixing on the thin map | more, smaller operations |
#
# ## 4. Train one, and watch it overfit
#
# Now train a TC-ResNet8, three times. The words are the bundled ones, spoken by synthesizers, and the voices of validation are others
# than those of training. The first run has a quarter of the clips, the second all. The third has all, and meets none twice in
# the same form: each time a clip is moved, mixed with noise, and has stretches blanked out. After every pass we ask twice how good it is: on
# the clips that it practises on, and on voices that are not among them. This is all there is to training, for one batch:

# %%
import inspect

from tinycourse import data, training

print(inspect.getsource(training.Loop.step))

# %%
from tinycourse.features import AugmentConfig

tinywords, epochs = data.open_dataset("tinywords"), 1 if session.fast else 20
practice, held_out, noise = tinywords.clips("training"), tinywords.clips("validation"), training.noise_of(tinywords)
practice = practice.subset(range(0, len(practice), 3)) if session.fast else practice
runs = {
    "a quarter of the clips": (practice.subset(range(0, len(practice), 4)), study.UNDISTURBED),
    "all clips": (practice, study.UNDISTURBED),
    "all clips, disturbed": (practice, AugmentConfig()),
}
trained = {name: study.learn("tc-resnet8", clips, held_out, noise, how, epochs) for name, (clips, how) in runs.items()}

# %% alt="Loss and accuracy over epochs for three trainings: the gap between training and validation voices narrows from left to right."
for name, (_, history) in trained.items():
    (loss, right), (new_loss, new_right) = history[-1]["training"], history[-1]["validation"]
    print(
        f"{name:23} loss {loss:.3f} and {new_loss:.3f}, "
        f"accuracy {right:.1%} and {new_right:.1%}: {100 * (right - new_right):4.1f} points apart"
    )
draw.learning({name: history for name, (_, history) in trained.items()});

# %% [markdown]
# Look at the gap between the lines, not at either of them. **Overfitting** is when practice goes on getting better and the rest does not: on the left
# the network has learned its few clips by heart. More clips help, because there is more to learn by heart. Disturbing them brings the two losses
# closer together, because what is never twice the same cannot be learned by heart. Accuracy on these clips, all alike, gains nothing by it;
# section 6 shows where it does. Were *both* lines bad, the network would be too small or too briefly
# trained: **underfitting**, and more data would not help.
#
# ### Which word is taken for which?

# %% alt="A confusion matrix with ten rows and columns, most of the weight on the diagonal; some words are taken for unknown."
recogniser = trained["all clips, disturbed"][0]
testing = tinywords.clips("testing")
plots.confusion(training.evaluate(recogniser, testing), title="voices and a synthesizer that it never heard");

# %% [markdown]
# ## 5. Two classes that are no words
#
# *Unknown* and *silence* are odd classes. Why not leave them out, and act only when the best word is likely enough? Because a network
# that knows eight words believes that there are eight words. Its probabilities add up to one over what it knows; a ninth word has
# to go somewhere. So train the same network once more, with the eight words alone, and give both the keywords of the testing
# voices, and all other words. Above which threshold do they fire, and on what?

# %% alt="Keywords that fire over other words that fire: the network with unknown and silence lies above the one without."
from tinycourse.spotting import detector, operating_curves
from tinycourse.training import checkpoint

KEYWORDS = testing.classes[2:]
words = data.open_dataset("tinywords", classes="all", synthesizer="espeak-ng").clips("testing")  # every word, labelled as itself
is_key = torch.tensor([name in KEYWORDS for name in words.classes])[words.labels]
only_words = study.learn("tc-resnet8", practice.restrict(KEYWORDS)[0], held_out, noise, AugmentConfig(), epochs)[0]
fired, levels = {}, torch.linspace(-4, 16, 200).double().sigmoid()
for name, one in {"with unknown and silence": recogniser, "eight words alone": only_words}.items():
    score, right = detector.answers(one, words)
    others, keywords = fired[name] = operating_curves.acceptance(score[is_key], right[is_key], score[~is_key], levels)
    caught = float(keywords[others <= 0.1].max())
    print(f"{name:25} while it fires on {0.1:.0%} of the other words, it catches {caught:.0%} of the keywords")
draw.acceptance(fired);

# %% [markdown]
# A threshold alone repairs much, but not all: the two classes teach the network *what is not one of its words*. They cost, too: look at the column
# *unknown* of the confusion matrix. Every keyword in it is a word that the device will ignore.
#
# ## 6. A device that never stops listening
#
# A test clip is a second with a word in its middle. A device takes in hours of sound, hardly any of it meant for it, and its
# window cuts words in two. Accuracy on clips says nothing about how often it wakes up at night. So we build
# a recording: words at known times, most of them not its keywords, in noise that grows and fades.

# %% alt="Score over time with shaded keywords: most are hit by a peak above the dashed threshold, some peaks are false alarms."
minutes, hop = (2 if session.fast else 10), 0.2
recording = detector.compose(words, KEYWORDS, tinywords.noise("testing"), 60 * minutes, seed=1)
posteriors = detector.listen(recogniser, recording.audio, hop)  # [windows, classes]
score, best = detector.best_keyword(detector.smooth(posteriors, 2), recogniser.classes)
hits, alarms = operating_curves.judge(detector.detect(score, best, threshold=0.9, hop=hop), recording.spoken)
print(f"{minutes} minutes, {len(recording.spoken)} keywords and {len(recording.others)} other words; {len(posteriors)} windows")
print(f"{len(hits)} keywords found, {len(recording.spoken) - len(hits)} missed, {len(alarms)} false alarms")
draw.stream(score, hop, recording.spoken, hits, alarms, 0.9, (20, 60));

# %% [markdown]
# The window moves on five times a second. A word keeps the score up for several windows, so after a
# detection the device is *deaf* for a second: one word, one detection. An average over two windows ignores a single wild score. And
# there is a choice: a higher threshold misses more, a lower one wakes up more. The **detection-error trade-off** shows all choices at once.

# %% alt="Keywords missed over false alarms an hour, a falling curve for each recogniser; the one trained on disturbed clips lies lowest."
contestants = {name: one for name, (one, _) in trained.items()} | {"ds-cnn-s, taught by people": checkpoint.load("ds-cnn-s")}
thresholds = torch.linspace(-1.5, 12, 36).double().sigmoid().tolist()


def curve(recogniser):
    """Misses against false alarms on the recording, for all thresholds."""
    score, best = detector.best_keyword(detector.smooth(detector.listen(recogniser, recording.audio, hop), 2), recogniser.classes)
    spoken, hours = recording.spoken, recording.hours
    return operating_curves.trade_off(lambda t: detector.detect(score, best, t, hop), spoken, hours, thresholds)


curves, allowed = {name: curve(one) for name, one in contestants.items()}, 60
for name, points in curves.items():
    misses = min((p.misses for p in points if p.false_alarms <= allowed), default=1)
    clips = training.evaluate(contestants[name], held_out).accuracy
    print(f"{name:27} {clips:.1%} of clips right; at {allowed} false alarms an hour it misses {misses:.0%} of the keywords")
print(
    f"no alarm in {minutes} minutes would only promise, with 95 % confidence, "
    f"fewer than {3 / recording.hours:.0f} an hour (rule of three)"
)
draw.trade_off(curves, recording.hours);

# %% [markdown]
# Compare the two columns. Runs that are nearly equal on clips are far apart on the stream: practice with shifts and noise was
# practice for windows that cut words. The last recogniser was trained on people and is shipped for them; synthetic voices are
# foreign to it. And no curve is good. A product allows a false alarm a day, not one a minute. That takes hours of recordings
# to *measure* (the rule of three, [Hanley and Lippman-Hand 1983](https://doi.org/10.1001/jama.1983.03330370053031)), and weeks of other
# people's speech to train. What you have is the test bench.

# %% [markdown]
# ## Play with it
#
# You own the device. Find a setting that you could live with: threshold, averaging, deaf time. Which false alarms are halves of words? What does a
# long deaf time do to words that follow each other quickly? What does much averaging do to short ones? Predict, then move.

# %% tags=["widget", "nbval-ignore-output"] alt="Four sliders above a stretch of the stream with its detections, and the trade-off curve with a circle at the threshold."
from tinycourse.widgets.lesson02 import ThresholdExplorer

ThresholdExplorer(posteriors, recogniser.classes, recording, hop)

# %% [markdown]
# ## An honest comparison
#
# What the papers report beside what our checkpoints reached, trained by the commands in their headers. Three things differ:
# the papers have twelve classes, we have ten; they use all of Speech Commands, we a part of it; and multiply-adds are
# counted by them each in their own way, and here always by the same one. A point more or less means nothing here; ten times smaller does.
# `trad-fpool13` is the exception: it was stopped long before it was done. Its multiply-adds have to be paid for every clip of every epoch.
# That, too, is a cost of a large network, and the ideas above spare you from it.

# %%
print(published_results.table(ours))

# %% [markdown]
# ## Quiz
#
# Decide first, then open the answer.
#
# **1. You replace each dense 3 x 3 convolution of a network by a depthwise and a pointwise one. What becomes about nine times smaller?**
#
# (a) Parameters and multiply-adds. (b) Those, and activation memory. (c) Multiply-adds alone.
#
# <details><summary>Answer</summary>
#
# **(a).** With many channels the pointwise part dominates, and it has a ninth of the weights, used at the same places. (b) is the trap: the maps are
# as large as before, and there is one more of them. (c) forgets that without stride changes weights and work shrink together.
# </details>
#
# **2. Loss on training clips goes down and down; on validation clips it went down and now rises. What helps?**
#
# (a) A larger network. (b) More training. (c) More clips, or disturbing those that there are.
#
# <details><summary>Answer</summary>
#
# **(c).** The network is learning its clips by heart: give it more than it can learn by heart. (a) gives it a better memory. (b) gives
# it more time to memorise; stopping *earlier* would help.
# </details>
#
# **3. A recogniser is right on nearly all test clips. How often will it wake up by mistake in an hour?**
#
# (a) Errors per clip, times clips in an hour. (b) That cannot be said from clips. (c) Never, if the threshold is high.
#
# <details><summary>Answer</summary>
#
# **(b).** Clips hold centred words, in the proportions of the test set. A stream holds cut words, other speech, noise, and thousands of
# windows that depend on each other. (a) assumes that windows are clips. (c) is true of a device that is switched off, too.
# </details>

# %% [markdown]
# ## Three take-aways
#
# 1. Parameters, multiply-adds and memory are three different costs; a count without its counter is an opinion.
# 2. Progress came from leaving out: reach for less, channels for less, depth for less.
# 3. Accuracy on clips ranks networks; a curve of misses over false alarms, on a stream, tells whether you can live with one.
#
# ## What comes next
#
# Do [the exercises of this lesson](../exercises/02_baselines.ipynb): you count a layer, take a convolution apart, trace what a stack sees,
# fold batch norm, and judge a stream. Lesson 03 then asks whether a network could decide for itself where to look.
#
# ## References
#
# - T. Sainath, C. Parada: *Convolutional Neural Networks for Small-Footprint Keyword Spotting*, Interspeech 2015.
# - G. Chen, C. Parada, G. Heigold: *Small-Footprint Keyword Spotting Using Deep Neural Networks*, ICASSP 2014.
# - Y. Zhang, N. Suda, L. Lai, V. Chandra: *Hello Edge*, 2017, [arXiv 1711.07128](https://arxiv.org/abs/1711.07128).
# - R. Tang, J. Lin: *Deep Residual Learning for Small-Footprint Keyword Spotting*, 2018, [arXiv 1710.10361](https://arxiv.org/abs/1710.10361).
# - S. Myer, V. Tomar: *Efficient Keyword Spotting Using Time Delay Neural Networks*, 2018, [arXiv 1807.04353](https://arxiv.org/abs/1807.04353).
# - S. Choi et al.: *Temporal Convolution for Real-time Keyword Spotting on Mobile Devices*, 2019, [arXiv 1904.03814](https://arxiv.org/abs/1904.03814).
# - B. Kim, S. Chang, J. Lee, D. Sung: *Broadcasted Residual Learning for Efficient Keyword Spotting*, 2021, [arXiv 2106.04140](https://arxiv.org/abs/2106.04140).
# - A. Martin et al.: *The DET Curve in Assessment of Detection Task Performance*, Eurospeech 1997.
