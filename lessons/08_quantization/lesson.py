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
# # 08 From floats to integers
#
# A weight of a trained network is a number like 0.0381926. Nobody needs that many digits: if every weight and every activation were rounded to one of a few hundred
# values, the recogniser would hardly notice. But then integers will do, and integers are small, fast, and the same on every chip. This lesson goes the whole way, by hand first. At the end
# a transducer transcribes speech without a single real number between its first layer and its last, and we measure what that costs and what it saves.
#
# ## What you will build
#
# Scale and zero point from a range, and a layer in integers that equals the library's bit for bit. A sigmoid without $e^x$. An LSTM in three versions, float, hybrid and integer, side by side on
# speech. Then you round with ever fewer bits until the network breaks, and train it to bear even that.
#
# ## Objectives
#
# After this lesson you can
#
# - turn a range into a scale and a zero point, and state how large the error can be;
# - say when steps should be symmetric, and when each row needs its own;
# - bring a sum of products back to 8 bits with one multiplication and one shift;
# - explain what is int8, int16 and int32 in an integer LSTM, and why its cell must be limited;
# - tell hybrid from full integer quantization, and predict which is faster;
# - find the layers that suffer most, and train a network for the rounding to come.
#
# ## Before you start
#
# You need [lesson 00](00_word_to_chip.ipynb), where a network became a `Program`, and for the second half lessons 05 and 06: a transducer, and the LSTM in it. The second paper
# of this course does what we do here (Shangguan et al. 2019, [arXiv 1909.12408](https://arxiv.org/abs/1909.12408), section 5); the integer LSTM itself is described by Li and Alvarez
# (2021, [arXiv 2101.05453](https://arxiv.org/abs/2101.05453)).
#
# ## Time and machine
#
# Seventy-five minutes to read and play; two or three minutes to run on two processor cores, with less than a gigabyte and a half of memory. Nothing is downloaded.
#
# ## The map of the course
#
# <!-- map -->
#
# ## Where this code lives
#
# <!-- code -->
#
# Weights have become fewer. Now each of them becomes smaller.

# %% alt="Eight boxes in a row, joined by arrows: recording, features, network, and so on to integers and chip; the box called integers is filled."
from tinycourse import plots

plots.path("08");

# %% [markdown]
# ## 1. One number, by hand
#
# Numbers of a range from *low* to *high* shall become integers from -128 to 127. Between these lie 255 equal steps, so the size of a step, the **scale**, is the range over 255. And 0.0 shall be
# exact, because padding and ReLU make so many zeros: it gets an integer of its own, the **zero point**.
#
# $$q = \mathrm{clamp}\left(\mathrm{round}(x / \mathit{scale}) + \mathit{zero\ point},\ -128,\ 127\right) \qquad \hat x = \mathit{scale} \cdot (q - \mathit{zero\ point})$$

# %% alt="Left, a staircase of sixteen steps along the diagonal, level at both ends. Right, a saw of errors within half a step that leaves these bounds outside of the range."
import numpy as np

from tinycourse.plots import lesson08 as figures
from tinycourse.program import affine_parameters, dequantize, quantize

low, high = -1.0, 4.1
scale = (high - low) / 255
zero_point = round(-128 - low / scale)  # -128 stands for low; 0.0 lies so many steps above it
print(f"scale {scale:.4f}, zero point {zero_point}; the library says {affine_parameters(low, high)[1]}")
for x in (-1.0, 0.0, 0.013, 1.2345, 4.1, 5.0):
    q = max(-128, min(127, round(x / scale) + zero_point))
    back = scale * (q - zero_point)
    print(f"{x:7.4f} -> {q:4} -> {back:7.4f}   off by {abs(back - x) / scale:5.2f} steps")
x, coarse = np.linspace(-1.3, 4.6, 2000), (high - low) / 15  # the same with 16 integers, for the eye
middle = round(-8 - low / coarse)
figures.staircase(x, coarse * (np.clip(np.rint(x / coarse) + middle, -8, 7) - middle), coarse);

# %% [markdown]
# Inside of the range nothing is off by more than half a step; the nearest integer is never farther away. Outside, numbers **saturate**, and the error has no bound. With 256 integers the steps are too fine for the eye; the figure has
# 4 bits, 16 integers.
#
# ## 2. A matrix, before and after
#
# Weights are different from activations. They are spread evenly around zero, and they are multiplied with every input. So they get no zero point (it is 0): **symmetric** quantization, where the largest magnitude becomes
# the largest integer. A product with a zero point z would need a correction,
#
# $$\sum_i w_i\,(q_i - z) = \sum_i w_i q_i - z \sum_i w_i.$$
#
# For the inputs' zero point that is a constant, known before any input comes, and it is folded into the bias. For a zero point of the weights it would have to be computed anew for every input.
#
# Here is a corner of a trained matrix: the recurrent weights in the encoder of the recogniser of [lesson 05](05_transducer.ipynb).

# %% alt="Three panels of eight by ten cells: weights with two digits, the integers that stand for them, and errors in steps, none above one half."
import torch

from tinycourse.quantization import signal_to_noise
from tinycourse.training import checkpoint

recogniser = checkpoint.load("rnnt-digits")
matrix = recogniser.network.encoder.layers[0].weight_recurrent.detach().numpy().astype(np.float64)  # [512, 128]
corner = matrix[:8, :10]
step = np.abs(corner).max() / 127
integers = quantize(corner, step)
print("bits   predicted   measured   (one step for the whole matrix)")
for bits in (8, 6, 4, 3, 2):
    coarse = np.abs(matrix).max() / (2 ** (bits - 1) - 1)
    predicted = 10 * np.log10(np.square(matrix).mean() / (coarse**2 / 12))
    print(f"{bits:4}{predicted:9.1f} dB{signal_to_noise(matrix, np.rint(matrix / coarse) * coarse):9.1f} dB")
figures.before_and_after(corner, integers, dequantize(integers, step), step);

# %% [markdown]
# The right panel looks like noise, and so it is. If errors are spread evenly over a step, their root mean square is the step over $\sqrt{12}$. That predicts the signal to noise ratio of a rounding before
# it is done; the table shows it for the whole matrix. Six decibels for each bit. When steps become so large that most weights round to zero the prediction fails: the error of a number that becomes 0 is the number itself, and no more.
#
# ### Which weights share a step?
#
# The rows of a weight differ in size, and those of a *depthwise* convolution most: each channel has a small filter of its own, and batch norm, folded in, makes it louder or softer. Here are the rows of the layer of DS-CNN-S in which they differ most. A row whose largest
# weight is below half of a step has nothing left.

# %% alt="Left, the largest weight of each row on a logarithmic axis, against half a step of each row and of all. Right, signal to noise by row: level for own steps, a slope for the shared one."
from tinycourse import data
from tinycourse.quantization import trace

words = checkpoint.load("ds-cnn-s")
graph = trace(words.network, (1, 49, 10))  # batch norm is folded into the weights
depthwise = [n for n in graph.nodes if n.kind == "conv" and n.parameters["groups"] > 1]
filters = [n.arrays["weight"].flatten(1).numpy() for n in depthwise]
rows = max(filters, key=lambda w: np.ptp(np.log(np.abs(w).max(1))))  # [64, 9], of the layer whose rows differ most
largest = np.abs(rows).max(1)
steps = {"its own": largest / 127, "shared": np.full(len(rows), largest.max() / 127)}
kept = {name: np.rint(rows / s[:, None]) * s[:, None] for name, s in steps.items()}
snr = {name: np.array([signal_to_noise(a, b) for a, b in zip(rows, back)]) for name, back in kept.items()}
for name, back in kept.items():
    print(f"{name:8} step: {signal_to_noise(rows, back):5.1f} dB in all, {snr[name].min():5.1f} dB in the worst row")
figures.rows(largest, steps, snr);

# %% [markdown]
# A scale for each row costs next to nothing: a row's sum is rescaled anyway, as section 4 shows, and it may as well be by a factor of its own. Inputs cannot have a scale for each channel. Their products are added up, and what is added must have the same unit.
#
# ## 3. An outlier, and observers of a range
#
# The range of a weight can be looked up. That of an activation has to be *watched*, on recordings like those to come. This is **calibration**, and what watches is an **observer**. Why not simply take the smallest and the largest number seen? Here are the
# activations behind a ReLU in DS-CNN-S. And into the map of one recording we put a single outlier, as a click would.

# %% alt="A histogram with a spike at zero and a tail, one bar far out on the right; below it the ranges of four observers, that of min-max reaching the outlier."
from tinycourse.quantization import OBSERVERS

tinywords = data.open_dataset("tinywords")
training, testing = (tinywords.clips(split).restrict(words.classes)[0] for split in ("training", "testing"))
inputs, features = (checkpoint.in_batches(words.frontend, part.audio) for part in (training, testing))  # [N, 1, 49, 10]
name = next(n.name for n in graph.nodes if n.clamp and n.path.startswith("2"))
with torch.no_grad():
    clean = graph.trace(inputs[:256])[name]
click = clean.clone()
click[40, 0, 0, 0] = 8 * clean.max()
chosen = {}
for kind, make in OBSERVERS.items():
    observer = make()
    for batch in click.split(32):
        observer.observe(batch)
    chosen[kind] = observer.range()
print(f"{'observer':20}{'range':>18}   {'the others':>12}{'with the click':>17}")
for kind, bounds in chosen.items():
    parameters, kept = affine_parameters(*bounds), []
    for x in (clean, click):
        x = x.numpy()
        kept.append(signal_to_noise(x, dequantize(quantize(x, *parameters), *parameters)))
    print(f"{kind:20}{bounds[0]:8.2f} to {bounds[1]:6.2f}   {kept[0]:9.1f} dB{kept[1]:14.1f} dB")
figures.ranges(click.flatten().numpy(), chosen);

# %% [markdown]
# Which column counts? *Min-max* gives nearly all integers to a number that came once. The others let the click saturate, and keep their steps for what comes every day. (The moving average had time to forget it: calm batches followed.) *Mean-square-error* tries ranges and takes the one whose squared error on everything seen, the outlier included, is smallest. So the
# right column measures what this observer itself makes small, and it may give up some steps for the outlier. There is no observer that is always right. The course uses mean-square-error, and looks at the result.
#
# ## 4. Back to 8 bits: requantization
#
# A layer multiplies int8 by int8, and the sum of the products needs 32 bits. What does it stand for? For a real number in steps of $s_x s_w$. The next layer wants steps of $s_y$. So the sum is to be multiplied by $s_x s_w / s_y$, which is not an integer. But it can be written with
# two: $\mathit{multiplier} / 2^{\mathit{shift}}$, where the multiplier uses 31 bits.

# %% tags=["nbval-check-output"]
from tinycourse.program import requantize
from tinycourse.program.fixed_point import fixed_point

factor = 0.0123456789
shift = 0
while round(factor * 2 ** (shift + 1)) < 2**31:
    shift += 1
multiplier = round(factor * 2**shift)
print(f"{factor} = {multiplier} / 2**{shift}, off by {abs(multiplier / 2**shift / factor - 1):.0e} of itself")
print("the library chooses the same:", (multiplier, shift) == tuple(int(n) for n in fixed_point(factor)))

sums = np.random.default_rng(0).integers(-(2**23), 2**23, 100_000)
mine = [(int(s) * multiplier + 2 ** (shift - 1)) >> shift for s in sums]  # 64-bit product, add half, shift
print("the same result for every sum:", np.array_equal(mine, requantize(sums, multiplier, shift)))
print("largest distance from the real product:", f"{np.abs(np.array(mine) - sums * factor).max():.3f}")

# %% [markdown]
# *64-bit product, add half, shift*: that is the only rounding inside an integer program, written once, and the same in Python and in C. Rounding twice, as some libraries do, looks harmless, yet it moves some results by one. Then one cannot tell a bug from such a difference.
#
# Now a whole layer: the last one of DS-CNN-S, from int8 to int8, computed by hand, beside what the library made of it.

# %% tags=["nbval-check-output"]
from tinycourse.quantization import channels_last, to_program

program = to_program(words.network, inputs[::8])  # calibrated on some of the training clips
last = next(op for op in program.operations if op.kind == "linear")
tensors = program.trace(program.quantize_input(channels_last(features[:50])))
x, a = tensors[last.inputs[0]].astype(np.int64), last.arrays  # [50, 64]
sums = (x - program.tensors[last.inputs[0]].zero_point) @ a["weight"].T.astype(np.int64) + a["bias"]  # int32 would do
y = requantize(sums, a["multiplier"], a["shift"]) + program.tensors[last.output].zero_point
print(f"{a['weight'].dtype} weights, {a['bias'].dtype} bias, a multiplier and a shift for each of {len(a['shift'])} rows")
print("equal in every bit:", np.array_equal(np.clip(y, -128, 127), tensors[last.output].reshape(y.shape)))

# %% [markdown]
# ### Layer by layer
#
# How far is each tensor of the integer network from the float one? All errors before it are included, so the bars tend to get shorter on the way. (The average pool is an exception: errors of many places cancel.) A bar that is suddenly short names the layer to look at.

# %% alt="Horizontal bars of signal to noise, one for each tensor of DS-CNN-S from the input to the scores, between twenty and fifty decibels."
from tinycourse.quantization import error_report

figures.snr(error_report(graph, program, features[:100]));

# %% [markdown]
# ## 5. Sigmoid and tanh without $e^x$
#
# A number in **fixed point** is an integer with an agreed place for its point. *12 bits after the point* means: divide by $2^{12}$ to read it. With int16 that reaches from -8 to 8, and beyond that a sigmoid is flat: just what a gate needs. The library keeps tanh in a table, on straight lines between
# its entries, and makes the sigmoid of it: $\sigma(x) = (1 + \tanh(x / 2)) / 2$. The results have 15 bits after the point.

# %% alt="Left, the curves of sigmoid and tanh. Right, their errors for all inputs of 16 bits: a band that stays within two units of the last place."
from tinycourse.program import fixed_point as fixed

x = np.arange(-(2**15), 2**15)  # every input that there is
curves = {"sigmoid": (fixed.sigmoid(x), 1 / (1 + np.exp(-x / 2**12))), "tanh": (fixed.tanh(x), np.tanh(x / 2**12))}
errors = {name: ours - 2**15 * real for name, (ours, real) in curves.items()}
for name, error in errors.items():
    print(f"{name:8} off by at most {np.abs(error).max():.2f} units of 2**-15")
figures.curves(x / 2**12, {name: ours / 2**15 for name, (ours, _) in curves.items()}, errors);

# %% [markdown]
# There are only as many inputs as an int16 has values, so this is no sample: it is a proof by trying everything.
#
# ## 6. An LSTM, three times
#
# Now the cell of [lesson 06](06_cells.ipynb). There are two ways to go.
#
# - **Hybrid.** Weights are int8. Everything else is float, but for the product: each vector is rounded on the fly, by the scale of its own largest number, multiplied in integers, and scaled back. It needs no calibration.
# - **Full integer.** Nothing is float. All scales are known beforehand, from calibration. Here is one step of a layer, as operations of a `Program`:

# %%
from tinycourse.data import sentences
from tinycourse.models import join
from tinycourse.quantization import quantize_layers

source = "spoken-digits" if data.find("spoken-digits") else "tinywords"  # people, or else the bundled synthetic voices
task = sentences.ConnectedDigits(source)
task.counts = {"training": 0, "validation": 6 if session.fast else 12, "testing": 8 if session.fast else 40}
heldout, strings = task.speech("validation"), task.speech("testing")


def heard(audio: torch.Tensor) -> torch.Tensor:
    """What the first layer of the encoder is given: [T, 120], three frames side by side."""
    config = recogniser.network.config
    x = checkpoint.in_batches(recogniser.frontend, audio[None])[0]  # [1, frames, 40]
    return join(x.new_zeros(1, config.stack - config.hop, config.features), x, config.stack, config.hop)[0][0]


layer = recogniser.network.encoder.layers[0]
step_program, _ = quantize_layers([layer], [heard(audio) for audio in heldout.audio[:6]])
for op in step_program.operations:
    out = step_program.tensors[op.output]
    into = " and ".join(f"int{step_program.tensors[i].bits}" for i in op.inputs)
    print(f"{op.kind:13} {into:16} -> int{out.bits}, step {out.scale:.2g}, {op.weight_bytes:,} bytes")

# %% [markdown]
# Read it from above. The products of int8 inputs and int8 weights add up in 32 bits, and are rescaled to int16 with 12 bits after the point, for the curves. The cell is int16 as well. A memory of 8 bits would not do: at every frame a little is added, and what is less than half a step would be lost, for ever. The output is
# int8 again, on its way to the next layer and to the next frame.
#
# One string of digits, and the state of one unit, three times:

# %% alt="Above, a cell state over time, three lines on top of each other. Below, the errors of the hybrid and of the integer cell, small against the signal."
from tinycourse.quantization import HybridRecurrent

x = heard(strings.audio[0])  # [T, 120]


@torch.no_grad()
def cells(layer: torch.nn.Module) -> np.ndarray:
    """The cell states [T, units] of a float or a hybrid layer."""
    state, seen = layer.start(1), []
    for frame in x:
        _, state = layer.step(frame[None], state)
        seen.append(state[1][0])
    return torch.stack(seen).numpy()


states, seen = step_program.start(1), []
for frame in step_program.quantize_input(x.numpy()):
    _, states = step_program.step(frame[None], states)
    seen.append(states["layer0.c"][0])
both = {"float": cells(layer), "hybrid": cells(HybridRecurrent(layer))}
both["integer"] = np.array(seen) * step_program.tensors["layer0.c"].scale
for way in ("hybrid", "integer"):
    print(f"{way:8} cells: {signal_to_noise(both['float'], both[way]):.1f} dB")
unit = both["float"].std(0).argmax()
frame = 3 * recogniser.frontend.config.hop / data.RATE
lines = {way: values[:, unit] for way, values in both.items()}
figures.step_by_step(lines, {way: lines[way] - lines["float"] for way in ("hybrid", "integer")}, frame, "cell state");

# %% [markdown]
# Which of the two is nearer to the float cell? Hybrid rounds with a fresh scale for every frame; integer has to live with what calibration saw. But ours gives every row of a weight its own scale, and the hybrid recipe of the paper has one for a matrix. And which is faster? Section 10 measures it.
#
# ## 7. A cell that overflows
#
# Here is where an LSTM differs from all that we have quantized before. Its cell can **grow without end**: a forget gate that stays open adds up frame after frame. In float that is harmless, since tanh flattens it. An int16 is full at some point: in the figure below, at the grey lines. Let us build such a cell, one unit that counts frames.

# %% alt="Cell state over frames: the float line climbs on and on, the saturating one stays level at the grey line, the wrapping one jumps from the top to the bottom, the clipped one stays low."
from dataclasses import replace

from tinycourse.models import CellConfig, Recurrent

counter = Recurrent(1, CellConfig(units=1))
for p in counter.parameters():
    p.data.zero_()
counter.bias.data = torch.tensor([0.5, 8.0, 8.0, 8.0])  # new value, input, forget and output gate
silence, lines, limit = torch.zeros(400, 1), {}, 64
for clip in (None, 10.0):
    counter.config = replace(counter.config, clip=clip)
    small, _ = quantize_layers([counter], [silence])
    state, values = small.start(1), []
    for frame in small.quantize_input(silence.numpy()):
        _, state = small.step(frame[None], state)
        values.append(int(state["layer0.c"][0, 0]) * small.tensors["layer0.c"].scale)
    lines["int16, saturates" if clip is None else "int16, clipped in training"] = np.array(values)
    print(f"clip {clip or 'none':>4}: steps of {small.tensors['layer0.c'].scale:.5f}")
g, keep = np.tanh(0.5) / (1 + np.exp(-8)), 1 / (1 + np.exp(-8))
growing = g * (1 - keep ** np.arange(1, 401)) / (1 - keep)
wrapped = (growing * 2**9).astype(np.int64).astype(np.int16) / 2**9
figures.overflow({"float": growing, **lines, "int16, wraps around": wrapped}, limit);

# %% [markdown]
# Wrapping around is the worst: the fullest cell becomes the emptiest, in one frame, and all that was counted turns into its opposite. So the integer cell **saturates**. But where? The wider its range, the coarser its steps. The way out is taken in training: **clip** the cell at 10, as the paper's authors do (their
# public code) and as all our transducers were trained. Since tanh is flat long before, nothing is lost, and the steps stay four times finer than those that reach 64. Look again at the figure of section 6:
# between the digits its cell rests exactly there.
#
# ## 8. A whole transducer
#
# The same for all layers, the embedding and the joint network: four programs. One call makes them. Labels are the most likely ones, and for that integers can be compared as they are. Beside it the float recogniser and the hybrid one, on the same strings.

# %%
import copy

from tinycourse.quantization import dynamic, integer_recogniser
from tinycourse.training import transducers
from tinycourse.transducer import errors


def with_network(network: torch.nn.Module) -> checkpoint.Recogniser:
    """The recogniser with another network in it."""
    other = copy.copy(recogniser)
    other._modules = recogniser._modules | {"network": network}
    return other


ways = {"float": recogniser, "hybrid": with_network(dynamic.hybrid_transducer(recogniser.network))}
ways["integer"] = integer_recogniser(recogniser, heldout.audio)
written = {way: transducers.transcribe(other, strings.audio) for way, other in ways.items()}
for i in range(3):
    print(f"said     {strings.texts[i]}", *(f"{way:8} {texts[i]}" for way, texts in written.items()), "", sep="\n")
numbers = sum(p.numel() for p in recogniser.network.parameters())
wrong = {way: errors(strings.texts, texts) for way, texts in written.items()}
for way, found in wrong.items():
    same = sum(a == b for a, b in zip(written[way], written["float"]))
    print(f"{way:8} {found.rate:6.2%} of {found.words} digits wrong; {same} of {len(strings.texts)} transcripts as in float")
print(f"{source}; weights: {4 * numbers:,} bytes in float, {ways['integer'].network.weight_bytes:,} in integers, scales included")

# %% [markdown]
# The strings are new, but the speakers are known from training: this is a comparison of number formats, not a test of the recogniser. (Where only the bundled synthetic voices are at hand, the float recogniser errs far more; the comparison stands.)
#
# ## 9. Fewer bits
#
# Why stop at eight? With four bits a weight takes half a byte. Which layers would bear it? Round **one weight at a time**, leave the rest in float, and see what it does to the scores. That is a *sensitivity analysis*.

# %% alt="A row for each weight of DS-CNN-S with two marks: the one for eight bits near fifty decibels, the one for four bits some twenty-five decibels to the left."
from tinycourse.quantization import qat

found = qat.sensitivity(words.network, features[:128])
figures.sensitivity(found);

# %% [markdown]
# Two things to see. Every weight loses about the same when it goes from eight bits to four: four bits of six decibels. But they begin at different places. The rounding errors of different weights are nearly independent, so their noise powers add up, and the total can be predicted. That makes it easy to spend a **budget of bytes**: first give four bits to the weight that
# adds least noise for each byte it saves, then to the next.

# %%
@torch.no_grad()
def accuracy(network: torch.nn.Module) -> float:
    return (network.eval()(features).argmax(1) == testing.labels).float().mean().item()


clean, eight, four = qat.answer(words.network, features), *(qat.weight_bytes(words.network, bits) for bits in (8, 4))
print(f"{'':22}{'bytes':>8}{'predicted':>12}{'measured':>12}{'accuracy':>10}")
for share in (1.0, 0.85, 0.7, 0.6, 0.0):
    bits = qat.mixed(found, max(four, round(share * eight)))
    network = qat.rounded(words.network, bits)
    measured = signal_to_noise(clean, qat.answer(network, features))
    name = f"{list(bits.values()).count(4)} of {len(bits)} in 4 bits"
    size = qat.weight_bytes(network, bits)
    print(f"{name:22}{size:8,}{qat.expected_snr(found, bits):9.1f} dB{measured:9.1f} dB{accuracy(network):10.1%}")

# %% [markdown]
# The bytes count what is stored: two weights of four bits share a byte, and each row has its factor. About speed: our kernels compute with int8, so a weight of four bits would have to be unpacked first. It saves memory, not time.
#
# (These accuracies are low throughout: the network was trained on people, and these are synthetic voices. Compare the rows, and do not read much into a point or two. That is a handful of clips.)
#
# ### Training for it
#
# With few bits the network breaks, unless it was trained for them. **Quantization-aware training** rounds in the forward pass, and then there is a problem: the staircase of section 1 is flat nearly everywhere, so its gradient is zero, and nothing is ever learned. The way out is the **straight-through estimator** (Bengio et al. 2013,
# [arXiv 1308.3432](https://arxiv.org/abs/1308.3432)): in the backward pass we pretend that nothing was rounded. The optimiser holds a weight with all its digits; the network sees it rounded.

# %% alt="Two lines over steps: a dashed one that climbs smoothly and a staircase that follows it and stops at the level wanted."
held, hidden, shown = torch.tensor([[7.0, 1.0]], requires_grad=True), [], []  # steps of 1 in a row whose largest weight is 7
for _ in range(80):
    weight = qat.round_rows(held, bits=4)
    loss = (weight[0, 1] - 3) ** 2 / 2
    hidden.append(held[0, 1].item())
    shown.append(weight[0, 1].item())
    (gradient,) = torch.autograd.grad(loss, held)
    held = (held - 0.02 * gradient).detach().requires_grad_()
print("what the network saw:", sorted(set(shown)))
figures.behind(hidden, shown, 3.0);

# %% [markdown]
# Each step is far too small to be seen from outside. They add up behind the rounding until one of them tips it over.
#
# `prepare` puts such a rounding in front of every weight, and of the input of every layer. Any training loop goes on as before. `strip` takes it out again, and leaves a plain checkpoint whose weights lie on their steps. Now a fair race: the same network, the same steps of training on the bundled words, rounded *after* or *during*.

# %% alt="Accuracy over bits: rounded during training the line stays near the unrounded level down to three bits, rounded afterwards it falls from four bits on."
def trained(bits: int, steps: int) -> torch.nn.Module:
    """DS-CNN-S trained on synthetic words, with its weights rounded to `bits` meanwhile; 0: not rounded."""
    network, random = copy.deepcopy(words.network).train(), torch.Generator().manual_seed(session.seed)
    if bits:
        qat.prepare(network, bits)
    optimizer = torch.optim.AdamW(network.parameters())
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 0.002 * (1 - step / steps)
        batch = torch.randint(len(inputs), (32,), generator=random)
        loss = torch.nn.functional.cross_entropy(network(inputs[batch]), training.labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return qat.strip(network) if bits else network


steps = 10 if session.fast else 60
plain, aware = trained(0, steps), {bits: trained(bits, steps) for bits in (4, 3, 2)}
race = {"rounded afterwards": [(bits, accuracy(qat.rounded(plain, bits))) for bits in (8, 6, 5, 4, 3, 2)]}
race["rounded in training"] = [(bits, accuracy(network)) for bits, network in aware.items()]
print(f"not rounded         {accuracy(plain):.1%}")
for name, points in race.items():
    print(f"{name:20}" + "".join(f"{bits:4} bits {value:6.1%}" for bits, value in points))
figures.bits_and_accuracy(race, accuracy(plain));

# %% [markdown]
# From eight bits down to five, rounding afterwards loses next to nothing, so there is nothing to win back. The fewer bits, the more training helps. With two bits a weight can only be minus one, zero or one step, and that is too few even then. And the stripped network is an ordinary one, so `to_program` takes it. Its weights lie on steps of 4 bits; the 8 bits of the program hold them easily:

# %%
program = to_program(aware[4], inputs[::8])
scores = program.dequantize_output(program.run(program.quantize_input(channels_last(features))))
most = max(len(np.unique(row)) for op in program.operations if op.kind == "linear" for row in op.arrays["weight"])
right = (torch.from_numpy(scores).argmax(1) == testing.labels).float().mean()
print(f"4-bit weights, trained: {accuracy(aware[4]):.1%} in float; as an integer program {right:.1%}")
print(f"a row of its last layer has at most {most} different weights")

# %% [markdown]
# ## 10. Is it faster?
#
# Now the time. One frame goes through a whole layer of the paper's encoder: 2,048 units, 640 inputs, a projection to 640 (Shangguan et al. 2019). A recogniser that listens to a stream does little else. All in one thread, on this machine, now, so only ratios count. Our C is first compared with its reference; integers, bit for bit (a hybrid layer may round an output to the neighbouring integer where floats differ in their last bit). The last bar
# goes back to lesson 07: four in five of the blocks of eight outputs by one input are zero there, and left out.

# %%
import time

from tinycourse.host import FloatLayer, HybridLayer, IntegerLayers
from tinycourse.pruning import choose
from tinycourse.quantization import run_steps

torch.set_num_threads(1)
torch.manual_seed(0)
large, frames = Recurrent(640, CellConfig("lstm", 2048, 640)).eval(), torch.randn(1, 5, 640)
whole, _ = quantize_layers([large], [frames[0]])
contestants = {"float, our C": FloatLayer(large), "hybrid: int8 weights": HybridLayer(large), "full int8": IntegerLayers(whole)}
contestants["full int8, plain C"] = IntegerLayers(whole, ("-DTN_PLAIN",))
x = {name: whole.quantize_input(frames.numpy())[0] if "full" in name else frames[0].numpy() for name in contestants}
found = {name: np.stack([one(frame) for frame in x[name]]) for name, one in contestants.items()}  # [frames, 640]
assert np.array_equal(found["full int8"], run_steps(whole, x["full int8"][None])[0][0])
assert np.array_equal(found["full int8"], found["full int8, plain C"])
with torch.no_grad():
    for name, reference in (("float, our C", large), ("hybrid: int8 weights", HybridRecurrent(large))):
        assert np.allclose(found[name], reference(frames)[0][0], atol=1e-3), name

# %% alt="Horizontal bars of time relative to torch's float layer: float in C below one, hybrid and integer a small part of it, integer without special instructions not far behind, the sparse one shortest."
with torch.no_grad():
    for name in ("weight_input", "weight_recurrent"):
        getattr(large, name).mul_(choose({"w": getattr(large, name)}, (8, 1), 0.8)["w"])
    contestants["full int8, 80 % pruned"] = IntegerLayers(quantize_layers([large], [frames[0]])[0])
    x["full int8, 80 % pruned"], start = x["full int8"], large.start(1)
    taken = {"torch": []} | {name: [] for name in contestants}
    for _ in range(30):
        for name, times in taken.items():
            begin = time.perf_counter()
            large.step(frames[:, 0], start) if name == "torch" else contestants[name](x[name][0])
            times.append(time.perf_counter() - begin)
figures.speed({name: min(times) / min(taken["torch"]) for name, times in taken.items()});

# %% [markdown]
# Two things make the difference. Weights in int8 are a quarter of the bytes that have to come from memory. And many processors multiply and add whole rows of 8-bit numbers in one instruction; the bar called *plain C* does without. (Compare integers with *float, our C*, code of the same kind; torch is slower still for reasons that have nothing to do with bits.) Hybrid is about as fast as full int8 here: this computer has float units for the rest of the cell. On a chip without them that rest runs in software, slowly. And pruning pays beside all this, if enough is gone: lesson 07 showed where it begins.
#
# ## Play with it
#
# Choose a weight, its bits, which weights share a step, and at which share of the largest number the range ends. Put in an outlier, and watch the others vanish. Then try to save them: with steps of their own, and by cutting the outlier off. Which of the two helps, and why not both?

# %% tags=["widget", "nbval-ignore-output"] alt="Controls above three pictures of a matrix: as float, as integers, and the error in steps; below them signal to noise and bytes."
from tinycourse.widgets.lesson08 import RoundingExplorer

RoundingExplorer({name: getattr(layer, own) for name, (layer, own) in list(qat.matrices(words.network).items())[1:5]})

# %% [markdown]
# ## An honest comparison
#
# What the paper reports and what we measured. Their transducer has 122.1M parameters, and its word error rates are those of three internal sets (Shangguan et al. 2019, tables). Their integer network needs about 30 % of the float one's time, the whole recogniser on a small core of a phone (same paper). Ours are strings
# of digits; the time is that of one layer of the paper's size, on this computer, and 1 is our own float C: against torch our integers would look better than they are.

# %%
print(f"{'':9}{'paper: word error rate':>26}{'time':>7}   {'here: digit error rate':>24}{'time':>7}{'weights':>13}")
ours = {"float": "float, our C", "hybrid": "hybrid: int8 weights", "integer": "full int8"}
ratio = {way: min(taken[name]) / min(taken["float, our C"]) for way, name in ours.items()}
layers = [m for m in ways["hybrid"].network.modules() if isinstance(m, HybridRecurrent)]
size = {"float": 4 * numbers, "integer": ways["integer"].network.weight_bytes}
size["hybrid"] = size["float"] - sum(3 * w.numel() - 4 for m in layers for w in m.integers.values())  # one scale a matrix
for way, theirs, speed in (("float", "6.6 / 19.5 / 8.1", "1"), ("hybrid", "", ""), ("integer", "", "0.30")):
    print(f"{way:9}{theirs:>26}{speed:>7}   {wrong[way].rate:24.2%}{ratio[way]:7.2f}{size[way]:11,} B")

# %% [markdown]
# Empty cells are numbers that we do not repeat because we could not check them against the paper. The claim itself, *integers cost a recogniser next to nothing*, holds on our digits, and it can be tested on any recogniser that you train: `integer_recogniser` is one line. What ours cannot show is a large vocabulary, where a close call between
# two words happens in every sentence.
#
# ## Quiz
#
# Decide first, then open the answer.
#
# **1. Activations behind a ReLU are quantized symmetrically, zero point 0. What is lost?**
#
# (a) Nothing. (b) The zeros. (c) One bit: all negative integers stay unused.
#
# <details><summary>Answer</summary>
#
# **(c).** Half of the integers stand for numbers that never come, so the steps are twice as large. (a) would be true of weights. (b): zero is exact in both schemes.
# </details>
#
# **2. Weights get a scale for each row, inputs do not. Why?**
#
# (a) A sum adds products of all inputs: they must have one unit. (b) There are more weights. (c) Inputs are all alike.
#
# <details><summary>Answer</summary>
#
# **(a).** Within a row all products share the row's scale, so the sum has a unit. With a scale for each input they would have to be rescaled one by one, before they are added. (b) is true and no reason. (c) is false, as section 3 shows.
# </details>
#
# **3. An integer LSTM transcribes well for ten seconds, and then writes nonsense until it is started anew. What do you look at first?**
#
# (a) The sigmoid's table. (b) The rounding of the weights. (c) The cell states: they may have left the range that was calibrated.
#
# <details><summary>Answer</summary>
#
# **(c).** Only the cell has a memory that grows. Calibrate on long recordings, clip in training, and see that it saturates. (a) and (b) are wrong from the first frame on, or never.
# </details>
#
# **4. In quantization-aware training the gradient of rounding is taken to be one. That is false. Why does it work?**
#
# (a) The rounding is random. (b) On average over a step the staircase does climb as fast as the straight line. (c) The optimiser corrects it.
#
# <details><summary>Answer</summary>
#
# **(b).** Seen from far away a staircase is a slope. The weight behind it moves along that slope, and the steps are met on the way. (a): rounding to the nearest has no chance in it. (c): an optimiser believes its gradient.
# </details>
#
# ## Three take-aways
#
# 1. A quantized number has a bound for its error, half a step, as long as it does not saturate. So everything is about choosing the range.
# 2. All rescaling is one product, half added, one shift. If that is the only rounding there is, results can be equal bit for bit everywhere.
# 3. Eight bits are nearly free. Below that, look at which layers suffer, and train with the rounding in place.
#
# ## What comes next
#
# Do [the exercises of this lesson](../exercises/08_quantization.ipynb): scale and zero point, requantization, steps for each row, a sigmoid from a table, and the memory of an LSTM, all in integers. [Lesson 09](09_on_the_chip.ipynb) takes the integers to the chip.
#
# ## References
#
# - Y. Shangguan, J. Li, Q. Liang, R. Alvarez, I. McGraw: *Optimizing Speech Recognition For The Edge*, 2019,
#   [arXiv 1909.12408](https://arxiv.org/abs/1909.12408).
# - J. Li, R. Alvarez: *On the Quantization of Recurrent Neural Networks*, 2021, [arXiv 2101.05453](https://arxiv.org/abs/2101.05453).
# - B. Jacob et al.: *Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference*, 2018,
#   [arXiv 1712.05877](https://arxiv.org/abs/1712.05877).
# - Y. Bengio, N. Léonard, A. Courville: *Estimating or Propagating Gradients Through Stochastic Neurons*, 2013,
#   [arXiv 1308.3432](https://arxiv.org/abs/1308.3432).
# - L. Lai, N. Suda, V. Chandra: *CMSIS-NN: Efficient Neural Network Kernels for Arm Cortex-M CPUs*, 2018, [arXiv 1801.06601](https://arxiv.org/abs/1801.06601).
