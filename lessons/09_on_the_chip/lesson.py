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
# # 09 Everything on the chip
#
# The integers are ready. What is missing is the machine that adds them up: a chip for the price of a coffee, without an operating system, without a heap, with less memory than this notebook's text. Nothing about it is magic, and today nothing
# stays hidden. We read the C that the course writes, line by line. We draw where every byte lies, and count every instruction. At the end you can say of any network what it will cost, and which of its costs can be made smaller.
#
# ## What you will build
#
# A network of five operations, from torch to C to the emulated chip. A loop in C of your own, in three versions, and what each costs. Pictures of memory, before and after planning. The cost report of TinySpeech-M, layer by layer, on two chips, and a
# *roofline* that explains it. And a recogniser of sentences that takes samples and runs in a stream.
#
# ## Objectives
#
# After this lesson you can
#
# - read generated C, and find in it the layers, weights, scales and zero points that you know;
# - say what a product costs on a processor, where the other instructions go, and how to get rid of some;
# - draw the lifetimes of tensors, and state a lower bound that no planner can beat;
# - explain why instructions are not proportional to multiply-adds;
# - judge whether a network fits a chip, and say what eight bits and a planner have to do with it.

# %% [markdown]
# ## Before you start
#
# You need [lesson 00](00_word_to_chip.ipynb) and the first half of [lesson 08](08_quantization.ipynb): scale, zero point, requantization; for section 7 also the transducer of lessons 05 to 07. Some C is good to have seen; nothing deeper than a loop and an array comes up. The kernels are
# written in the manner of CMSIS-NN (Lai et al. 2018, [arXiv 1801.06601](https://arxiv.org/abs/1801.06601)).
#
# ## Time and machine
#
# Seventy-five minutes to read and play; one or two minutes to run on two processor cores, with less than a gigabyte of memory. No board is needed, and nothing is downloaded.
#
# ## The map of the course
#
# <!-- map -->
#
# ## Where this code lives
#
# <!-- code -->
#
# One box is left on the path.

# %% alt="Eight boxes in a row, joined by arrows: recording, features, network, and so on to integers and chip; the box called chip is filled."
from tinycourse import plots

plots.path("09");

# %% [markdown]
# ## 1. A network that fits on a page
#
# Generated code looks frightening because there is so much of it. So begin with a network of five operations: a convolution, a 1x1 convolution under a skip, the addition that ends the skip, an average, a classifier. Its weights are random. It will recognise nothing, but its C is that of any network.

# %% tags=["nbval-check-output"]
import torch
from torch import nn

from tinycourse.codegen import emitter
from tinycourse.quantization import to_program


class Page(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.classify = nn.Linear(4, 3)

    def forward(self, x):  # [N, 1, 6, 8]
        x = self.first(x).relu()  # [N, 4, 6, 8]
        x = x + self.second(x).relu()
        return self.classify(x.mean((2, 3)))  # [N, 3]


torch.manual_seed(session.seed)
page = to_program(Page(), torch.randn(50, 1, 6, 8))
sources = emitter.generate(page)
for op in page.operations:
    print(f"{op.kind:13} {', '.join(op.inputs):14} -> {op.output:14} {page.tensors[op.output].shape}")

# %% [markdown]
# Of the files that were made, `model.c` is what is particular to this network; the kernels are shared: each network brings along those that it calls. Two excerpts tell nearly everything. The first is what the chip executes: one call after the other. There is no loop over layers, no interpreter, nothing to be looked up.
# All tensors lie in one block, the **arena**; `bytes + ...` is a place in it, decided before the chip was ever switched on. The second excerpt is a layer's *constants*. Look for what you know: weights in int8; a 32-bit bias; a multiplier and a shift for each row, as in lesson 08;
# the zero point of the output; and the ReLU, which has become the lower limit: nothing below the zero point.

# %%
from tinycourse.plots import lesson09 as figures
from tinycourse.targets import inline_c

c = sources["model.c"]
print(inline_c.excerpt(c, "static union"), "\n")
print(inline_c.excerpt(c, "void model_run"), "\n")
for i in range(len(page.operations)):
    print(inline_c.excerpt(c, f"model_layer_{i}(void)"))
print(f"\n{c[c.index('/* 1:') : c.index('/* 2:')]}")

# %% [markdown]
# One number in there is not in the program: the bias. A product needs $\sum_i (x_i - z)\, w_i + b$, where $z$ is the zero point of the input. But $\sum_i x_i w_i + (b - z \sum_i w_i)$ is the same, and its bracket does not depend on the input. So it is computed
# here, once, and the chip never subtracts a zero point in this layer. What happens to a sum afterwards is the same for every layer that multiplies: *product, half, shift*, then the zero point, then the limits.

# %% tags=["nbval-check-output"]
op = page.operations[1]
weight = op.arrays["weight"].reshape(4, 4).astype(int)  # [outputs, inputs]
zero_point = page.tensors[op.inputs[0]].zero_point
folded = op.arrays["bias"] - zero_point * weight.sum(1)
written = emitter.translate(page)[0][1].arrays["bias"]
print("the bias in C is the folded one:", (folded == written).all(), "\n")
print(inline_c.excerpt(sources["kernels.h"], "int8_t tc_dense_output"), "\n")
print(inline_c.excerpt(sources["fixed_point.h"], "int32_t tc_requantize"))

# %% [markdown]
# That is all there is to read; convolutions, pools and additions are loops around such lines. Does it compute what the program says? On this computer, and on two emulated chips:

# %% tags=["nbval-check-output"]
import tempfile
from pathlib import Path

import numpy as np

from tinycourse.export import package

folder = Path(tempfile.mkdtemp())
x = np.random.default_rng(0).integers(-128, 128, (5, 6, 8, 1), np.int8)
for target in ("host", "cortex-m4", "cortex-m0plus"):
    package.export(page, target, folder / f"page-{target}")
    answer = package.load(folder / f"page-{target}").run(x)
    print(f"{target:14} differs in {(answer != page.run(x)).sum()} of {answer.size} numbers")

# %% [markdown]
# ## 2. What a product costs
#
# A processor does one small thing at a time: load a number from memory, multiply and add, jump. Here is the shortest loop there is for a sum of products, and what the compiler makes of its body for two processors. Every line behind a label is one instruction.

# %%
ONE_BY_ONE = """
int32_t dot(const int8_t *x, const int8_t *w)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < N; i++)
        sum += x[i] * w[i];
    return sum;
}"""
for target in ("cortex-m4", "cortex-m0plus"):
    print(target, *inline_c.loop(inline_c.assembly(ONE_BY_ONE, 256, target)), sep="\n")

# %% [markdown]
# Two loads (`ldrsb`); a product that is added at once (`smlabb`, on the small processor `muls` and `adds`); the rest counts, and jumps back. *The product is the smallest part of the work.* There are two ways out, and they go together.
#
# - **Load once, use often.** Four outputs read the same inputs. Compute them side by side, and each input is loaded once for four products.
# - **Do two at once.** A register has 32 bits and an int8 needs 8. The DSP instructions of the M4 use the rest: `SXTB16` makes two 16-bit numbers of two bytes, `SMLAD` multiplies two pairs of them and adds both products. In [exercise 3](../exercises/09_on_the_chip.ipynb) you write it.
#
# Here are both. Each of the three loops makes 256 products: one row of 256, or four rows of 64 that share their input. (What the last two return only has to depend on all four sums; the cell after this one checks it against numpy.)

# %%
ROWS = "const int8_t *w1 = w + N / 4, *w2 = w1 + N / 4, *w3 = w2 + N / 4; int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;"
FOUR_ROWS = f"""
int32_t dot(const int8_t *x, const int8_t *w)
{{
    {ROWS}
    for (int32_t i = 0; i < N / 4; i++) {{
        const int32_t a = x[i];
        s0 += a * w[i]; s1 += a * w1[i]; s2 += a * w2[i]; s3 += a * w3[i];
    }}
    return s0 ^ s1 ^ s2 ^ s3;
}}"""
IN_PAIRS = f"""
static int32_t load(const int8_t *p) {{ int32_t word; __builtin_memcpy(&word, p, 4); return word; }}
#define ADD(sum, row) b = load(row + i); \\
    sum = __smlad(__sxtb16(a), __sxtb16(b), __smlad(__sxtb16(__ror(a, 8)), __sxtb16(__ror(b, 8)), sum))
int32_t dot(const int8_t *x, const int8_t *w)
{{
    {ROWS}
    for (int32_t i = 0; i < N / 4; i += 4) {{
        int32_t a = load(x + i), b;
        ADD(s0, w); ADD(s1, w1); ADD(s2, w2); ADD(s3, w3);
    }}
    return s0 ^ s1 ^ s2 ^ s3;
}}"""

# %% alt="Horizontal bars of instructions for each product: one by one the most, on both chips; four rows together fewer; in pairs fewest."
x, w = np.random.default_rng(0).integers(-128, 128, (2, 256), np.int8)
rows = w.reshape(4, 64).astype(np.int32) @ x[:64]
mixed = np.bitwise_xor.reduce(rows)
truth = {"one by one": x.astype(int) @ w, "four rows": mixed, "four rows, in pairs": mixed}
code = {"one by one": ONE_BY_ONE, "four rows": FOUR_ROWS, "four rows, in pairs": IN_PAIRS}
spent = {}
for target, chip in (("cortex-m4", "M4"), ("cortex-m0plus", "M0+")):
    for way, text in list(code.items())[: 3 if chip == "M4" else 2]:  # an M0+ has no DSP instructions
        result, instructions = inline_c.run(text, x, w, target)
        assert result == truth[way], (chip, way)
        spent[f"{chip}: {way}"] = instructions / len(x)
times = spent["M4: one by one"] / spent["M4: four rows, in pairs"]
print(f"on an M4 the first loop needs {times:.1f} times the instructions of the last")
figures.variants(spent);

# %% [markdown]
# The kernels of the course do both. They are plain C99 where that is enough, and the fast versions are checked against the plain ones, bit for bit.
#
# ## 3. A picture of memory
#
# A chip has two memories. *Flash* keeps code and weights when the power goes; *RAM* is for what changes, and it is always too small. What has to be in it, and when? A tensor **lives** from the operation that writes it to the last one that reads it.

# %% alt="Above, a bar for each tensor of the small network from the step that writes it to the last that reads it; below, bytes alive at each step, the largest hatched."
from tinycourse.studies import lesson09 as study

buffers = study.apart(page)
figures.lifetimes(buffers, study.live(buffers), [op.kind for op in page.operations]);

# %% [markdown]
# The skip is easy to see: the first map has to wait while the second one is made of it. *Scratch* is what a kernel needs for itself while it runs; `conv` copies each window into one straight column, and the rest is a product like any other. The hatched bar is the **lower bound**:
# so many bytes live at one moment, and no arrangement can do with less.
#
# Now give them places. *Nobody plans*: one behind the other. *Shared*: two tensors that never live at the same time may have the same place. *Overwritten*: an addition reads element $i$ and never comes back to it, so its result may lie where its input was. (A convolution
# may not: its neighbours are still to be read.)

# %% alt="Three arenas of boxes over steps and bytes: a staircase when nobody plans, a lower pile when places are shared, a still lower one when inputs are overwritten."
over = study.overwritten(page)
plans = {
    "nobody plans": study.side_by_side(buffers),
    "shared": study.searched(buffers),
    "overwritten": study.searched(over),
}
figures.arena(plans);

# %% [markdown]
# Orange boxes are places with several tensors one after the other. The dashed line is the lower bound; where the pile touches it, there is nothing left to win. Putting boxes of given width into the lowest pile is a famous hard problem (NP-hard), but *largest first, at the lowest free place* comes close
# (Pisarchyk and Lee 2020, [arXiv 2001.03288](https://arxiv.org/abs/2001.03288)); you write it in [exercise 2](../exercises/09_on_the_chip.ipynb). The course tries some more orders after that.
#
# ### A real one
#
# TinySpeech-M of lesson 00, trained on people, quantized on the bundled words. Under each layout stands the moment at which most is alive.

# %% alt="Two arenas of TinySpeech-M over its steps: shared, with its highest pile at the last steps; with overwriting, lower, and highest at the first steps."
from tinycourse import data
from tinycourse.export import deploy
from tinycourse.training import checkpoint

recogniser = checkpoint.load("tinyspeech-m")
clips = {s: data.open_dataset("tinywords").clips(s).restrict(recogniser.classes)[0] for s in ("training", "testing")}
program = deploy.program_of(recogniser, clips["training"].audio[::8])
buffers, over = study.apart(program), study.overwritten(program)
plans = {
    "nobody plans": study.side_by_side(buffers),
    "shared": study.searched(buffers),
    "overwritten": study.searched(over),
}
for name, layout in plans.items():
    above = layout.arena / layout.lower_bound - 1
    print(f"{name:14}{layout.arena:8,} bytes, {above:6.1%} above its lower bound of {layout.lower_bound:,}")
    step = int(np.argmax(study.live(layout.buffers))) - 1  # the first entry is step -1
    alive = ", ".join(f"{figures.name_of(b)} {b.bytes:,}" for b in layout.buffers if b.first <= step <= b.last)
    print(f"{'':14}step {step}, {program.operations[step].kind}: {alive}")
figures.arena({name: plans[name] for name in ("shared", "overwritten")});

# %% [markdown]
# Whoever wants to use less RAM has to change the moment of the peak, and nothing else helps: not smaller weights, and no fewer layers elsewhere. And overwriting *moved* the peak. A bound holds for given lifetimes; an activation that is computed in place has no
# second map any more, and so the bound itself went down.

# %% [markdown]
# ## 4. On two chips
#
# A **Cortex-M4** multiplies 32 x 32 bits to 64 in one instruction, and has the DSP instructions. A **Cortex-M0+** is smaller, cheaper and more frugal; it has neither. The emulator executes the compiled program of either and counts. What comes out is what they *need*; no board takes part.

# %%
targets = {"M4": "cortex-m4", "M0+": "cortex-m0plus"}
reports = {chip: package.export(program, target, folder / target) for chip, target in targets.items()}
total = {chip: report["instructions"] for chip, report in reports.items()}
print(f"{'':6}{'code':>9}{'weights':>9}{'arena':>9}{'stack':>7}{'instructions':>14}{'for each multiply-add':>24}")
for chip, report in reports.items():
    flash, ram = report["flash"], report["ram"]
    sizes = f"{flash['code_bytes']:9,}{flash['weight_bytes']:9,}{ram['arena_bytes']:9,}{ram['stack_bytes']:7,}"
    print(f"{chip:6}{sizes}{total[chip]:14,}{total[chip] / report['multiply_adds']:24.1f}")
print(f"At 80 million instructions a second: {total['M4'] / 80e3:.0f} ms on an M4, {total['M0+'] / 80e3:.0f} ms on an M0+")

inputs = deploy.inputs(program, clips["testing"].audio[::40])
truth = program.run(inputs)
for chip, target in targets.items():
    answer = package.load(folder / target).run(inputs)
    print(f"{chip:4} differs from the interpreter in {(answer != truth).sum()} of {truth.size} scores")

# %% [markdown]
# (Instructions are not cycles. An M4 needs one cycle for most, and some more for loads and for jumps that are taken; the last line of the report assumes one each.) The **stack** is not what this run happened to use, which would be no promise for the next. The compiler notes the frame of every function, the code
# says who calls whom, and the deepest path from `model_run` is the most that any input can need (`tinycourse/targets/stack.py`). That works because no function here calls itself, or calls another through a pointer.
#
# ## 5. Where the instructions go
#
# Add them up by kernel, on both chips.

# %% alt="Grouped horizontal bars of thousand instructions for each kernel on an M4 and on an M0+; conv is far ahead on both, pools and additions follow."
counts = {chip: {} for chip in reports}
for chip, report in reports.items():
    for layer in report["layers"]:
        if layer["kernel"] != "alias":
            counts[chip][layer["kernel"]] = counts[chip].get(layer["kernel"], 0) + layer["instructions"]
layers = [layer for layer in reports["M4"]["layers"] if layer["kernel"] != "alias"]
idle = sum(layer["instructions"] for layer in layers if not layer["multiply_adds"])
print(f"layers without a single multiply-add take {idle / total['M4']:.0%} of the instructions on an M4")
print("an M0+ needs, for the same kernel, so many times the instructions of an M4:")
ratio = {kernel: counts["M0+"][kernel] / counts["M4"][kernel] for kernel in counts["M4"]}
for kernel in sorted(ratio, key=ratio.get, reverse=True):
    print(f"   {kernel:14}{ratio[kernel]:5.1f}")
figures.by_kernel(counts);

# %% [markdown]
# What gains most from the larger chip is what its special instructions do in one step. Kernels that multiply have SMLAD there, and the 64-bit product behind every output; on an M0+ that product is a function call. Even copying is
# dearer on the small chip: it cannot read a word of four numbers where the word does not begin at a multiple of four, so it goes number by number.
#
# An addition has no multiply-add at all and yet is dear: its two maps come on different scales, so each element is multiplied twice and rounded once, on the way to a third scale. And a max pool compares, element by element. Here is every layer of the network by both counts:

# %% alt="Instructions over multiply-adds of all layers on logarithmic axes, by kernel: convolutions lie between one and ten instructions each, a depthwise one far above, and a column of layers at the left has none."
figures.layers(layers);

# %% [markdown]
# If instructions were multiply-adds, all marks would lie on one grey line. They do not, and the papers' column of multiply-adds says less about time than it seems to.
#
# ### A roofline
#
# Can we *explain* where a mark lies? Suppose a layer pays a price for every product and another for every output: the bias, the rescaling, the place. With $k$ products for each output, it makes
#
# $$\frac{\text{multiply-adds}}{\text{instructions}} = \frac{k}{\mathit{product} \cdot k + \mathit{output}}$$
#
# of them for each instruction. With few products the output's price rules, and speed grows with $k$. With many it levels off below a **ceiling**, 1 / product. Computer architects call such a picture a roofline (Williams et al. 2009, [doi 10.1145/1498765.1498785](https://doi.org/10.1145/1498765.1498785)); theirs
# has memory traffic where ours has outputs. Two prices for each kernel, by least squares, on TinySpeech-M and DS-CNN-S:

# %% alt="Multiply-adds for each instruction over products for each output, logarithmic: marks of four kernels, each with a line that rises and levels off below its dotted ceiling."
other = deploy.program_of(checkpoint.load("ds-cnn-s"), clips["training"].audio[::8])  # it has the same classes
rows = layers + package.export(other, "cortex-m4", folder / "ds-cnn-s")["layers"]
points, prices = {}, {}
for kernel in ("conv", "pointwise", "depthwise"):
    mine = [row for row in rows if row["kernel"] == kernel]
    products, outputs, counted = (
        np.array(column, float) for column in zip(*((r["multiply_adds"], np.prod(r["shape"]), r["instructions"]) for r in mine))
    )
    share = 1 / np.sqrt(counted)  # so that the large layers do not decide alone
    columns = np.stack([products, outputs], 1) * share[:, None]
    prices[kernel] = tuple(np.linalg.lstsq(columns, counted * share, rcond=None)[0])
    points[kernel] = products / outputs, products / counted
    each, output = prices[kernel]
    print(f"{kernel:10}{each:6.2f} instructions for a product, {output:6.1f} for an output ({len(mine)} layers)")
figures.roofline(points, prices);

# %% [markdown]
# Now a design can be judged before it exists. A depthwise layer has nine products for each output, or one in a TinySpeech, so it lives at the left end of its line, however clever its code. A 1x1 convolution has as many as there are channels: double the channels, and each
# product gets cheaper. The library's cost model (lesson 04) is this idea with some more prices for each kernel.
#
# ## 6. What eight bits and a planner buy
#
# The same network, four ways: in float32 or int8, without a planner or with one. RAM first. The line is what the smallest chip of lesson 04 has, less its stack.

# %% alt="Four horizontal bars of RAM: float without a plan far beyond the dashed limit, int8 with a plan far below it, the other two in between."
from tinycourse.search import costs

small = costs.PRESETS["cortex-m0plus"]
apart = study.apart(program)
ways = {
    "float32, nobody plans": study.side_by_side(study.wider(apart, 4)),
    "float32, planned": study.searched(study.wider(over, 4)),
    "int8, nobody plans": plans["nobody plans"],
    "int8, planned": plans["overwritten"],
}
least, most = (ways[name].arena for name in ("int8, planned", "float32, nobody plans"))
print(f"{most:,} bytes became {least:,}: a factor of 4 by eight bits, and one of {most / 4 / least:.1f} by planning")
figures.memory({name: {"arena": layout.arena} for name, layout in ways.items()}, small.ram, "what the smallest chip leaves");

# %% [markdown]
# The two do not compete: they multiply. And flash: code, weights, what quantization adds to them (a multiplier, a shift and a wider bias for each row), and the struct of each layer that says how large its maps are. Float32 is counted without code, since a float program was not built; on these chips each of its operations would be a function call.

# %% alt="Two horizontal bars of flash, far below a dashed limit: weights in float32, and int8 with weights, other constants, code and the layers' sizes."
parameters = sum(op.arrays["weight"].size for op in program.operations if "weight" in op.arrays)
built = reports["M4"]["flash"]
flash = {
    "float32, weights alone": {"weights": 4 * parameters},
    "int8, all of it": {
        "weights": parameters,
        "scales, biases, tables": built["weight_bytes"] - parameters,
        "code": built["code_bytes"],
        "sizes and places of layers": built["total_bytes"] - built["code_bytes"] - built["weight_bytes"],
    },
}
figures.memory(flash, 64 * 1024, "the course's limit for TinySpeech-M", "flash");

# %% [markdown]
# The network is so small that its weights are the smaller part of what it takes. *Smaller weights* are no longer worth much here; RAM and instructions are what is left to save.
#
# ## 7. From sound to a sentence
#
# Until now the chip was given a map of features, a second at a time. A recogniser of sentences gets no such map: sound comes, and does not end. So the *front end* of lesson 01 has to be on the chip too, in integers: a Hann window in 16 bits, an FFT that halves its numbers at all stages but the first two, so that none
# overflows, sums of energies, a logarithm from a table of 33 numbers. Behind it goes the transducer of lessons 05 to 08 in its last form: CIFG cells in the encoder, SRU in the prediction network, 8x1 blocks of the gates pruned, integers throughout, greedy search. `samples=True` puts this front end before it. The chip takes 160 samples at a time, ten milliseconds, and gives a label when it has recognised one.

# %%
from tinycourse.data import sentences as sequences
from tinycourse.transducer import Vocabulary

writer = checkpoint.load("rnnt-digits-sparse")
source = "spoken-digits" if data.find("spoken-digits") else "tinywords"  # people, or else the bundled synthetic voices
task = sequences.open_task("connected-digits", source=source)
sentences = deploy.transducer_program_of(writer, task.speech("validation").audio[:50], samples=True)
cost_report = package.export(sentences, "cortex-m4", folder / "sentences")
ear, strings = package.load(folder / "sentences"), task.speech("testing")
for i in (0, 1, 3):
    rows = deploy.rows(sentences, strings.audio[i])  # [T, 160]
    truth, encoded = sentences.run(rows)
    labels, heard = ear.run(rows)
    text, same = Vocabulary(writer.classes).decode(labels), labels == truth and (heard == encoded).all()
    print(f"said {strings.texts[i]}\nchip {text}\n     {'every bit as the interpreter' if same else 'the interpreter differs'}")
busy = ear.instructions / (len(rows) * 0.01) / 80e6
flash, ram = (cost_report[memory]["total_bytes"] for memory in ("flash", "ram"))
print(f"flash {flash:,} bytes, RAM {ram:,}; at 80 MHz busy for {busy:.0%} of the time ({source})")

# %% [markdown]
# (*Busy* assumes one instruction for each cycle once more.) A mean hides what matters in a stream: between two rows there are ten milliseconds, and when they are over, the next samples are there. Here is the last string again, run by run.

# %% alt="Thin bars of instructions over two seconds, in four heights from the front end alone to all networks; the three tallest, hatched, stand below the words three, six, eight; all below a dashed line."
cost = {part: row["instructions"] for part, row in cost_report["parts"].items()}
steps = {
    "front end": cost["ears"],
    "and lower encoder": cost["front"],
    "and upper encoder, joint network": cost["back"] + cost["joint"],
    "and, for a label, prediction\nand joint network once more": cost["prediction"] + cost["joint"],
}
levels = dict(zip(steps, np.cumsum(list(steps.values()))))
print(f"the dearest run takes {ear.worst:,} instructions: {ear.worst / 80e3:.1f} of its 10 ms at 80 MHz")
most = max(levels.values()) + (sentences.symbols - 1) * list(steps.values())[-1]
print(f"with {sentences.symbols} labels for one output of the encoder, the most that the search allows: {most:,}")
figures.stream(ear.costs, list(zip(ear.when, text.split())), levels, seconds=0.01, budget=800_000);

# %% [markdown]
# Every row costs the front end. Every third one completes a stack of frames for the lower layer of the encoder, every sixth a pair of its outputs for the upper one; and only where a label is said does the prediction network run at all. That is why a transducer suits a chip: its work comes in portions of known size, and speech costs hardly more than silence. Compare the last number printed with the dashed line before you promise anything: nobody says three digits within one output of the encoder, but who may never be late has to allow for it, with fewer labels, a buffer for one more row, or a faster clock.
#
# ## Play with it
#
# Be the planner. Choose a network and which tensors may choose a place first, forbid overwriting, go back to float32, and walk through the steps: the outlined boxes live. Which order fails, and on which network? Is there a network for which no plan is enough?

# %% tags=["widget", "nbval-ignore-output"] alt="Menus for network, order and numbers, a box for overwriting and a slider for the step above an arena of boxes; below it bytes and what lives."
from tinycourse.widgets.lesson09 import ArenaExplorer

ArenaExplorer({"one page": page, "TinySpeech-M": program, "DS-CNN-S": other})

# %% [markdown]
# ## An honest comparison
#
# TinySpeech-M was made for microcontrollers, under constraints that its paper states: validation accuracy of at least 90 %, fewer than 15K parameters, weights of 8 bits, and only operations that TensorFlow Lite for Microcontrollers has (paper, section 3.1). It did not say what the network takes on a chip: no flash, no RAM, no instructions. We
# measured ours. It is our reading of that network, as lessons 00 and 03 tell, and has ten classes.

# %%
from tinycourse.program import Listener
from tinycourse.quantization import with_samples

tflm = {"conv", "linear", "max_pool", "average_pool", "add", "crop", "pad", "upsample", "reshape"}  # by other names
foreign = sorted({op.kind for op in program.operations} - tflm)
device = package.export(Listener(with_samples(program, recogniser.frontend)), "cortex-m4", folder / "device")
flash_bytes, ram_bytes = (device[memory]["total_bytes"] for memory in ("flash", "ram"))
accuracy = recogniser.info["validation"]["accuracy"]
size = {array.dtype.itemsize for op in program.operations if "weight" in op.arrays for array in [op.arrays["weight"]]}
table = (
    ("validation accuracy, float (paper)", "at least 90.0%", f"{accuracy:.1%}", accuracy >= 0.9),
    ("parameters (paper)", "below 15,000", f"{parameters:,}", parameters < 15_000),
    ("weights (paper)", "8 bits", f"{8 * max(size)} bits", size == {1}),
    ("operations (paper)", "those of TFLM", "all but " + ", ".join(foreign) if foreign else "all", not foreign),
    ("flash, the whole device (ours)", "64 KB", f"{flash_bytes / 1024:.1f} KB", flash_bytes < 64 * 1024),
    ("RAM, the whole device (ours)", "32 KB", f"{ram_bytes / 1024:.1f} KB", ram_bytes < 32 * 1024),
)
for what, limit, here, met in table:
    print(f"{what:36}{limit:>16}{here:>24}   {'met' if met else 'not met'}")

# %% [markdown]
# The accuracy is that of the float network, on real recordings, and stands in its checkpoint; what eight bits change is measured in lesson 00. One constraint of the paper our network breaks: `shift`, which moves the copies to the side (lesson 03), and `lookup`, a table of 256 numbers for the last activation, are no operations of
# [TensorFlow Lite for Microcontrollers](https://github.com/tensorflow/tflite-micro); each would have to be put together from several. For our exporter they are kernels of a few lines.
#
# The *whole device* is what [lesson 10](10_capstone.ipynb) builds: a keyword spotter that takes samples in chunks, with the front end in integers, a ring buffer for a second of features, the network, and the decision; its stack is counted.
#
# ## Quiz
#
# Decide first, then open the answer.
#
# **1. You prune half of the weights of a network. How much does its arena shrink?**
#
# (a) By half. (b) Not at all. (c) It depends on the planner.
#
# <details><summary>Answer</summary>
#
# **(b).** The arena holds activations, and the maps keep their sizes unless whole channels disappear. Weights are in flash, where (a) may be true. (c): every planner sees the same buffers as before.
# </details>
#
# **2. Why may an addition write over one of its inputs, and a 3x3 convolution not?**
#
# (a) The addition is faster. (b) The convolution reads an element again, for the neighbours, after it would have been overwritten. (c) The convolution's output is always larger.
#
# <details><summary>Answer</summary>
#
# **(b).** What matters is whether element $i$ is read after element $i$ was written. (a) is about time, not about places. (c) is often not so, and then it still may not.
# </details>
#
# **3. Two networks have equally many multiply-adds: one of 1x1 convolutions with many channels, the other of depthwise ones. Which is faster on the M4?**
#
# (a) The 1x1 convolutions. (b) The depthwise ones. (c) Both are alike.
#
# <details><summary>Answer</summary>
#
# **(a).** They have many products for each output, so they come close to the ceiling; depthwise layers, (b), pay for an output after a few products. (c) is what the column of multiply-adds would make you believe.
# </details>
#
# **4. The planner's arena equals the lower bound. How can the network still be made to fit into less RAM?**
#
# (a) With a better planner. (b) Not at all. (c) By other lifetimes or sizes: another order of the operations, a smaller map at the peak, more overwriting.
#
# <details><summary>Answer</summary>
#
# **(c).** The bound is one of *these* buffers. Change the buffers, at the moment of the peak, and the bound changes; so (b) is wrong. (a) cannot be: nothing lies below a lower bound.
# </details>
#
# ## Three take-aways
#
# 1. A network on a chip is a list of calls, tables of integers, and one block of memory whose places were decided before. You can read it.
# 2. RAM is decided at one moment, the peak; speed is decided by what surrounds the products. Look at the moment, and at the surroundings.
# 3. Multiply-adds count what a paper can count. Instructions count what a chip does. Report both, and say who counted.
#
# ## What comes next
#
# Do [the exercises of this lesson](../exercises/09_on_the_chip.ipynb): the peak of a schedule, a planner, two products in one instruction, and the price of a product. [Lesson 10](10_capstone.ipynb) is yours: your own wake words, from recording to chip.
#
# ## References
#
# - A. Wong, M. Famouri, M. Pavlova, S. Surana: *TinySpeech: Attention Condensers for Deep Speech Recognition Neural Networks on
#   Edge Devices*, 2020, [arXiv 2008.04245](https://arxiv.org/abs/2008.04245).
# - L. Lai, N. Suda, V. Chandra: *CMSIS-NN: Efficient Neural Network Kernels for Arm Cortex-M CPUs*, 2018, [arXiv 1801.06601](https://arxiv.org/abs/1801.06601).
# - Y. Pisarchyk, J. Lee: *Efficient Memory Management for Deep Neural Net Inference*, 2020, [arXiv 2001.03288](https://arxiv.org/abs/2001.03288).
# - S. Williams, A. Waterman, D. Patterson: *Roofline: An Insightful Visual Performance Model for Multicore Architectures*, 2009,
#   [doi 10.1145/1498765.1498785](https://doi.org/10.1145/1498765.1498785).
# - R. David et al.: *TensorFlow Lite Micro: Embedded Machine Learning on TinyML Systems*, 2020, [arXiv 2010.08678](https://arxiv.org/abs/2010.08678).
