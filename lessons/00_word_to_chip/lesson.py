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
# # 00 From a spoken word to a chip
#
# You say *yes* into a microphone. A chip without operating system, disk or network answers "yes", and a few kilobytes of
# memory are enough for that. This lesson walks the whole way once, with everything real: a trained network, its
# integer twin, the C program made from it, and an emulated microcontroller that runs that program.
#
# ## What you will build
#
# A word recogniser in five steps. You **hear** a word, **see** it as a picture, let a network **classify** it, **quantize** the
# network to 8-bit integers, and **run** it on a chip. At the end you hold C files that compile for a microcontroller, and
# you will have checked that the chip computes the very same numbers as Python.
#
# ## Objectives
#
# After this lesson you can
#
# - say what happens to sound between the microphone and the answer, and how large it is at each step;
# - read a feature map, a confusion matrix and a size report;
# - explain what an 8-bit network stores, and how far its weights are from the original ones;
# - tell the difference between "the chip is about as accurate" and "the chip computes the same bits", and test both.

# %% [markdown]
# ## Before you start
#
# You need some Python, and to have seen a neural network train, once. Everything else is explained on the way. If you are
# new to notebooks: click on a cell and press Shift and Enter to run it. Run the cells from top to bottom.
#
# ## Time and machine
#
# Ten minutes to run and look, forty-five to read and play. Two processor cores and one gigabyte of memory are enough. Nothing
# is downloaded: the words, the trained network, the compiler and the emulator come with the course.
#
# ## The map of the course
#
# <!-- map -->
#
# ## Where this code lives
#
# <!-- code -->
#
# First, is this machine ready? The next cell loads the course. Then the doctor looks at everything that the course needs; each
# line that is not `[OK]` says what to do.

# %% tags=["nbval-ignore-output"]
from tinycourse.cli import doctor

doctor.main();

# %% [markdown]
# Here is the path that a word takes. Filled boxes are those of this lesson: all of them, thin but real. Later lessons take one
# or two boxes each, and go deep.

# %% alt="Eight boxes in a row, joined by arrows: recording, features, network, design, transducer, pruned, integers, chip."
from tinycourse import plots

plots.path("00");

# %% [markdown]
# ## 1. Hear it
#
# The bundled words, `tinywords`, were spoken by speech synthesizers: many voices, accents and speeds, but no people. That makes them
# small, free and private. It also makes them easy in some ways and odd in others, and we will measure what that does.

# %%
from tinycourse import data

tinywords = data.open_dataset("tinywords")
words, calibration = tinywords.clips("testing"), tinywords.clips("training")
print(f"{len(words)} clips of {words.audio.shape[1]} samples: {words.audio.shape[1] / data.RATE:.0f} second each")
print("classes:", ", ".join(words.classes))

# %% tags=["nbval-ignore-output"] alt="A waveform of one second: a burst of fast oscillation, with silence before and after it."
from IPython.display import Audio, display

yes = (words.labels == words.classes.index("yes")).nonzero().flatten()
audio = words.subset(yes[3:4]).waveforms()  # float32 [1, 16000], -1..1
display(Audio(audio[0].numpy(), rate=data.RATE))
plots.waveform(audio[0], title="yes");

# %% [markdown]
# A microphone measures air pressure, here sixteen thousand times a second. <!-- definition -->
# The picture shows *that* somebody spoke, and hardly *what*: two recordings of one word look nothing alike when you zoom in.
# What stays the same is which pitches are loud, and when.

# %% [markdown]
# ## 2. See it
#
# So we cut the second into short overlapping windows, and ask of each: how much energy is there in every band of pitch? The
# bands are narrow at the bottom and wide at the top, like those of the human ear (the *mel* scale). The logarithm makes loudness
# behave as we hear it. The result is a small picture, the *log-mel* feature map. Lesson 01 builds it by hand.

# %%
from tinycourse.training import checkpoint

recogniser = checkpoint.load("tinyspeech-m")
frontend = recogniser.frontend
window, hop = (1000 * n / frontend.config.rate for n in (frontend.config.window, frontend.config.hop))
print(f"windows of {window:.0f} ms, one every {hop:.0f} ms")
print(f"{frontend.config.mels} bands from {frontend.config.low:.0f} to {frontend.config.high:.0f} Hz")
features = frontend(audio)  # [1, 1, frames, bands]
print(f"{audio.numel()} samples became {features.shape[2]} x {features.shape[3]} = {features.numel()} numbers")

# %% alt="A log-mel picture of the word: bright bands that bend for the vowel, then a pale smear at the top for the hiss of the s."
plots.feature_map(features[0, 0], title="yes");

# %% [markdown]
# Read it from left to right. The vowel is a stack of bright bands that bend as the mouth moves. The *s* at the end is a hiss: no
# bands, and more of it at the top than at the bottom. *Yes* and *no* are different pictures, and pictures are what convolutional networks are good at.

# %% [markdown]
# ## 3. Classify it
#
# The network is of the TinySpeech family (Wong et al. 2020). Its layers are *attention condensers*: each shrinks its map, looks
# at the small one, and uses what it finds to decide what of the large one to pass on. Lesson 03 takes them apart. The checkpoint
# knows how it was made.

# %%
for key in ("command", "data_licences", "epochs", "seed"):
    print(f"{key:13} {recogniser.info[key]}")
for split in ("validation", "testing"):
    print(f"{split:13} {recogniser.info[split]['accuracy']:.1%} of {recogniser.info[split]['count']} real recordings")

# %% tags=["nbval-check-output"]
from tinycourse.training import profiling

cost = profiling.profile(recogniser.network, features)
print(f"{cost.parameters:,} weights, {cost.multiply_adds:,} multiply-adds for one word")

# %% [markdown]
# It was trained on people (Speech Commands, real recordings), and it has ten answers: eight words, *unknown* for
# any other word, and *silence*. What does it say to our synthetic *yes*?

# %% alt="Three panels: the waveform, the log-mel picture, and a bar for each of the ten classes, the bar of yes being the highest."
import torch

with torch.no_grad():
    scores = recogniser(audio)[0].softmax(0)
by_class = dict(zip(recogniser.classes, scores.tolist()))
plots.recognition(audio[0], features[0, 0], by_class, truth="yes");

# %% [markdown]
# One word proves nothing. Let it classify all bundled test clips, and count. In a *confusion matrix* each row is
# a word that was spoken, each column an answer. A perfect recogniser has numbers on the diagonal only.

# %% alt="A confusion matrix with ten rows and columns: most of the weight is on the diagonal, the rest scattered off it."
from tinycourse import training
from tinycourse.training import metrics

logits = checkpoint.in_batches(recogniser, words.audio)
result = metrics.report(logits, words.labels, recogniser.classes)
real = recogniser.info["testing"]["accuracy"]
print(f"people that it never heard:  {real:.1%}")
print(f"synthesizers:                {result.accuracy:.1%}, {100 * (real - result.accuracy):.1f} points less")
for name in ("espeak-ng", "flite"):
    part = data.open_dataset("tinywords", synthesizer=name).clips("testing")
    print(f"  {name} alone: {training.evaluate(recogniser, part).accuracy:20.1%}")
plots.confusion(result, title=f"{result.count} clips of synthetic voices");

# %% [markdown]
# No synthesizer was in its training data, and it shows. Look along the rows that lost most, and guess why: the
# *silence* of `tinywords` is noise made by a computer, not the noise of a kitchen. **A number is true of the data it was measured on.**
# Keep asking which data that was.

# %% [markdown]
# ## 4. Quantize it
#
# A microcontroller has little memory and, often, no unit for real numbers. So we write every weight as an integer from -128 to 127,
# times a *scale* that a whole filter shares. Activations get the same treatment; their ranges are measured by showing the network a few
# hundred clips (*calibration*). What comes out is a `Program`: a list of operations on integers, nothing else.

# %% tags=["nbval-check-output"]
from tinycourse.export import deploy

program = deploy.program_of(recogniser, calibration.audio[::8])
for op in program.operations[:6]:
    print(f"{op.kind:12} -> {str(program.tensors[op.output].shape):14} {op.weight_bytes:6} bytes  {op.path}")
constants = sum(op.weight_bytes for op in program.operations)
print(f"... {len(program.operations)} operations, {constants:,} bytes of constants in all")

# %% [markdown]
# Here is one filter of the last convolution before and after. The bars are integers times scale, the dots the original weights. The
# error below is measured in steps: rounding moves a weight by half a step at most, and the dashed lines show that bound.

# %% alt="Above, weights of one filter as dots on bars of their int8 values; below, errors that stay between the dashed half-step lines."
from tinycourse.quantization import trace

layer = next(op for op in program.operations if op.path == "last")
integers = layer.arrays["weight"][0].transpose(2, 0, 1).ravel()  # of filter 0: [C, 3, 3], flat
node = next(n for n in trace(recogniser.network, features.shape[1:]).nodes if n.path == "last")  # batch norm folded in
weights = node.arrays["weight"][0].numpy().ravel()
scale = abs(weights).max() / 127
print(f"largest error: {abs(weights / scale - integers).max():.3f} steps")
plots.quantized_weights(weights, integers, scale);

# %% [markdown]
# Every weight is a little wrong, and every activation too. Does it matter? We ask the integer program the same questions, with the
# reference interpreter, which computes in plain integers.

# %%
integer_logits = deploy.integer_logits(program, words.audio)
integer_result = metrics.report(integer_logits, words.labels, recogniser.classes)
agree = (integer_logits.argmax(1) == logits.argmax(1)).float().mean()
print(f"float: {result.accuracy:.1%}   int8: {integer_result.accuracy:.1%}   same answer: {agree:.1%} of {len(words)} clips")

# %% [markdown]
# ## 5. Run it
#
# Now the chip. `export` writes the program as C: weights as constant tables, one call for each operation, and a plan that says
# where in one block of memory every intermediate map lives. Then it compiles all that for a Cortex-M4, a core found in
# many small devices. Neither malloc nor floating point is left.

# %%
import tempfile
from pathlib import Path

from tinycourse.export import package

folder = Path(tempfile.mkdtemp()) / "yes-no-chip"
report = package.export(program, "cortex-m4", folder)
print(*sorted(p.name for p in folder.iterdir()), sep="\n")

# %% [markdown]
# This is what a compiler sees: one line of C for each operation. Every map has a place in one block of memory, the *arena*; look how
# places are used again once a map is no longer needed. That was planned here, so the chip needs no memory management.

# %%
lines = (folder / "model.c").read_text().split("\n")
print(*[line.removeprefix("TC_LAYER ") for line in lines if line.startswith("TC_LAYER")][:12], sep="\n")

# %% [markdown]
# No board is needed: an emulator runs the compiled program, instruction by instruction, and counts. What the chip is given is the
# feature map as integers; `tinycourse export ... --samples` puts the front end onto the chip as well.

# %% tags=["nbval-check-output"]
chip = package.load(folder)
x = deploy.inputs(program, audio)  # int8 [1, 101, 40, 1]
y = chip.run(x)  # int8 [1, 10]
print("the chip says:", program.metadata["classes"][int(y.argmax())])

# %%
print("its scores, as integers:", y[0].tolist())
print(f"{chip.instructions:,} instructions, {chip.instructions / cost.multiply_adds:.1f} for each multiply-add")
print(f"at 80 million instructions a second: {chip.instructions / 80e6 * 1000:.0f} ms for a word of one second")
print(*deploy.summary(report).split("\n")[:6], sep="\n")

# %% [markdown]
# ### The same bits
#
# "About as accurate" is not good enough for an engineer: if the chip and Python differ somewhere, is it rounding, or a bug? So the
# rule of this course is stronger. The interpreter in Python, C on this computer, C on the chip and WebAssembly
# have to agree in **every bit of every output**. One of them being wrong is then easy to see.

# %% tags=["nbval-check-output"]
some = deploy.inputs(program, words.audio[::80])
truth = program.run(some)
for target in ("host", "wasm", "cortex-m4"):
    package.export(program, target, folder.with_name(target))
    answer = package.load(folder.with_name(target)).run(some)
    print(f"{target:10} differs from the interpreter in {(answer != truth).sum()} of {truth.size} numbers")

# %% [markdown]
# ### Where do the instructions go?
#
# The report knows every layer; here they are added up over the modules of the network. Compare the three columns: where the weights
# are, where the work is, and what the chip spends. They are not proportional: moving numbers about costs instructions
# too, and no multiply-add. [Lesson 09](09_on_the_chip.ipynb) asks what can be done.

# %% alt="Three bar charts side by side with a row for each module: bytes of weights, multiply-adds, and instructions on the chip."
columns = (("weight_bytes", "kilobytes"), ("multiply_adds", "thousand multiply-adds"), ("instructions", "thousand instructions"))
plots.layer_costs(deploy.by_module(report), columns, unit=1000);

# %% [markdown]
# ## Play with it
#
# Choose a word and one of its takes, and turn up the noise. At which signal-to-noise ratio does the recogniser lose the word? Which words go
# first? What does it answer to noise alone? Predict before you move the slider.

# %% tags=["widget", "nbval-ignore-output"] alt="Three sliders above three panels: waveform, log-mel picture and scores of the chosen word."
from tinycourse.widgets.lesson00 import WordExplorer

WordExplorer(recogniser, words)

# %% [markdown]
# ## An honest comparison
#
# What the paper reports, and what we measured. They are not the same experiment: the paper has twelve classes and the whole of
# Speech Commands, we have ten classes and a part of it. And the paper leaves things open: the kernel and the groups of its grouped
# convolution, and how the condenser pools. One reading fits the published numbers of weights, and the network here has exactly those
# weights. The rest we chose: which places its convolutions combine, and how it pools. And its features are log-mel energies, not MFCC.
# Lesson 03 compares the readings.

# %%
paper = {"parameters": 4_700, "multiply_adds": 4_400_000, "accuracy": 0.919}  # TinySpeech-M (paper, figures 1 and 2, table 1)
exact = profiling.weights(checkpoint.Recogniser("tinyspeech-m", recogniser.classes + ("on", "off")).network)
print("                       paper      here")
print(f"weights            {paper['parameters']:9,} {cost.parameters:9,}   (the exact reading, 12 classes: {exact:,})")
print(f"multiply-adds      {paper['multiply_adds']:9,} {cost.multiply_adds:9,}")
print(f"accuracy           {paper['accuracy']:9.1%} {real:9.1%}   (paper: 12 classes; here: 10, another test set)")

# %% [markdown]
# ## Quiz
#
# Decide first, then open the answer.
#
# **1. The int8 program gives another answer than the float network on one clip in a hundred. Is the export broken?**
#
# (a) Yes, they must agree. (b) No, as long as the chip agrees with the interpreter in every bit. (c) One cannot know.
#
# <details><summary>Answer</summary>
#
# **(b).** Quantization changes the network a little, so a close call may fall the other way; that is a question of accuracy. (a) confuses
# the two comparisons: float against int8 is *about as good*, int8 against chip is *equal*. (c) would be true if nobody had
# written the interpreter: it is the reference that makes "broken" a question with an answer.
# </details>
#
# **2. Which of these makes the rounding error of a filter's weights smaller?**
#
# (a) A larger scale. (b) Sharing one scale among more filters. (c) A smaller largest weight.
#
# <details><summary>Answer</summary>
#
# **(c).** The scale is the largest weight over 127, and the error is at most half a scale. (a) makes the steps coarser. (b) lets
# the loudest filter set the steps of all the others, so they get coarser too.
# </details>
#
# **3. The recogniser does well on one set of test clips and badly on another. Which number do you report?**
#
# (a) The higher one. (b) The mean. (c) Both, with what each was measured on.
#
# <details><summary>Answer</summary>
#
# **(c).** Neither number is wrong; each is true of its own data. (a) is how products disappoint. (b) is not the accuracy on
# any data that exists.
# </details>

# %% [markdown]
# ## Three take-aways
#
# 1. Speech recognition on a chip is a chain of small, understandable steps, and each can be looked at.
# 2. Eight bits are enough, and how much they cost is something to measure, not to believe.
# 3. A reference that everything must equal, bit for bit, turns "seems to work" into a test.
#
# ## What comes next
#
# Do [the exercises of this lesson](../exercises/00_word_to_chip.ipynb): two small functions, at the two ends of the path. Then lesson
# 01 opens the first box, the front end.
#
# ## References
#
# - A. Wong, M. Famouri, M. Pavlova, S. Surana: *TinySpeech: Attention Condensers for Deep Speech Recognition Neural Networks on
#   Edge Devices*, 2020, [arXiv 2008.04245](https://arxiv.org/abs/2008.04245).
# - P. Warden: *Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition*, 2018,
#   [arXiv 1804.03209](https://arxiv.org/abs/1804.03209).
# - B. Jacob et al.: *Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference*, 2018,
#   [arXiv 1712.05877](https://arxiv.org/abs/1712.05877).
# - L. Lai, N. Suda, V. Chandra: *CMSIS-NN: Efficient Neural Network Kernels for Arm Cortex-M CPUs*, 2018,
#   [arXiv 1801.06601](https://arxiv.org/abs/1801.06601).
