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
# # 09 Everything on the chip: exercises
#
# [Lesson 09](../notebooks/09_on_the_chip.ipynb) took a network to a chip. Here you write four tools for that work: `peak` says how much memory a network needs at
# least, `first_fit` finds every tensor a place, `smlad` is the instruction that makes a Cortex-M4 fast, and `prices` finds out what a product costs.
#
# **How it works.** Write your answer where it says `YOUR CODE HERE` and remove the line `raise NotImplementedError()`.
# Run the cell, then the check below it. The check draws new inputs each time and says *passed*, or what it expected, what it
# got, and what is probably the matter. Three hints stand below each check. If you are stuck, go on: the catch-up line puts a
# slow but right version in place, and says so.

# %%
import numpy as np
import torch

from tinycourse import check
from tinycourse.plots import lesson09 as figures
from tinycourse.program import Program
from tinycourse.quantization import to_program
from tinycourse.search import instruction_model
from tinycourse.studies import lesson09 as study
from tinycourse.training import checkpoint

torch.manual_seed(9)


def on_noise(name: str) -> Program:
    """A shipped network as an integer program, calibrated on noise: its answers mean nothing, its shapes and costs are right."""
    recogniser = checkpoint.load(name)
    return to_program(recogniser.network, torch.randn(4, *recogniser.frontend(torch.zeros(1, 16_000)).shape[1:]))


tinyspeech, ds_cnn = on_noise("tinyspeech-m"), on_noise("ds-cnn-s")
print(f"to play with: TinySpeech-M, {len(tinyspeech.operations)} operations, and DS-CNN-S, {len(ds_cnn.operations)}")

# %% [markdown]
# ## Exercise 1: the peak of a schedule
# <!-- card peak difficulty=2 importance=5 minutes=15 points=3 -->
#
# Operations run one after the other. A tensor lives from the operation that writes it to the last one that reads it. **While an operation runs, these are alive:** its inputs, its output, and everything that was written
# before and that a later operation reads. The tensor that is given is there from the beginning, and what the last operation writes is the result. **Write `peak`**: the most bytes that are ever alive at once. No plan can do with less.


# %%
def peak(sizes: dict[str, int], operations: list[tuple[tuple[str, ...], str]], given: str) -> int:
    """The most bytes alive at any one step.

    sizes: bytes of each tensor, by name. given: the tensor that is there before the first operation.
    operations: (names of the inputs, name of the output), in the order in which they run; an input may be named twice, and still
    has its bytes once.
    Every tensor is read by some operation, but for the result of the last.

    >>> peak({"x": 10, "a": 30, "b": 20}, [(("x",), "a"), (("a", "x"), "b")], given="x")  # x + a = 40, then x + a + b
    60
    """
    ### BEGIN SOLUTION
    last = {name: step for step, (inputs, _) in enumerate(operations) for name in inputs}
    alive, most = {given}, 0
    for step, (_, output) in enumerate(operations):
        alive.add(output)
        most = max(most, sum(sizes[name] for name in alive))
        alive = {name for name in alive if last.get(name, len(operations)) > step}
    return most
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson09.peak(peak)
### BEGIN HIDDEN TESTS
check.lesson09.peak.grade(peak)
assert peak({"x": 4, "y": 8}, [(("x", "x"), "y")], "x") == 12
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# First find out for each tensor which operation is the last to read it.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# A dict `last` that is overwritten while you go through the operations does that: what stays in it is the last one. Then go through them again, with a *set* of the tensors that are alive.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# In each step: add the output to the set; sum up the sizes and keep the largest sum; then drop those whose last reader is this step. The result has no reader, so it never goes.
# </details>

# %%
peak = check.lesson09.peak.catch_up(peak)

# %% [markdown]
# ### What it is good for
# TinySpeech-M and DS-CNN-S, without any overwriting, and the layouts of the library, which must not be below your number. Where both are equal there is nothing left to win by planning.

# %%
for name, program in (("TinySpeech-M", tinyspeech), ("DS-CNN-S", ds_cnn)):
    copies = [op for op in program.operations if op.kind != "reshape"]  # a reshape is another name for the same bytes
    same = {op.output: op.inputs[0] for op in program.operations if op.kind == "reshape"}
    steps = [(tuple(same.get(n, n) for n in op.inputs), op.output) for op in copies]
    sizes = {n: t.bytes for n, t in program.tensors.items()}
    tensors = tuple(b for b in study.apart(program) if b.tensors)  # without scratch
    found = study.searched(tensors).arena
    print(f"{name:13} at least {peak(sizes, steps, program.input):7,} bytes; the planner found {found:7,}")

# %% [markdown]
# ## Exercise 2: a planner
# <!-- card first_fit difficulty=3 importance=5 minutes=20 points=4 -->
#
# A *buffer* is a number of bytes that live from step `first` to step `last`, **both included**: in its last step it is still read. Two buffers that live in one step must not overlap. All others may share bytes. **Write `first_fit`**:
# give each buffer, in the order of the list, the lowest offset at which it overlaps none of those placed before that live at the same time. A gap between two of them is welcome, if it is large enough.


# %%
def first_fit(buffers: list[tuple[int, int, int]]) -> list[int]:
    """Where each buffer begins.

    buffers: (bytes, first step, last step) of each; the bytes are multiples of 4, so that every offset is one, too.
    Returns the offsets, in the order of the buffers.

    >>> first_fit([(8, 0, 1), (12, 1, 2), (8, 2, 3), (4, 1, 1)])  # the third takes the place of the first
    [0, 8, 0, 20]
    """
    ### BEGIN SOLUTION
    offsets = []
    for i, (size, first, last) in enumerate(buffers):
        offset = 0
        met = [j for j in range(i) if first <= buffers[j][2] and buffers[j][1] <= last]
        for start, end in sorted((offsets[j], offsets[j] + buffers[j][0]) for j in met):
            if offset + size <= start:
                break
            offset = max(offset, end)
        offsets.append(offset)
    return offsets
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson09.first_fit(first_fit)
### BEGIN HIDDEN TESTS
check.lesson09.first_fit.grade(first_fit)
assert first_fit([(4, 0, 0), (4, 1, 1), (4, 0, 1)]) == [0, 0, 4]
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Which buffers live at the same time as a new one? Two lives overlap if each begins before or when the other ends: `first <= other_last and other_first <= last`.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# Take the places `(start, end)` of all that it meets, sorted by where they start. Begin with offset 0 and go upwards.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# If offset plus size is at most the next start, the gap is large enough: stop. If not, go on from `max(offset, end)`: places of buffers that do not meet each other may overlap, so an end can lie below.
# </details>

# %%
first_fit = check.lesson09.first_fit.catch_up(first_fit)

# %% [markdown]
# ### What it is good for
# Your planner on the tensors of TinySpeech-M, in two orders. Which tensor comes first decides how much is wasted: small tensors that take the low places early on leave gaps in which nothing large fits.

# %% alt="Two arenas side by side, boxes over steps: in the order of the steps with gaps between the boxes, and with the largest first, closer to the dashed lower bound."
buffers = study.overwritten(tinyspeech)
plans = {}
for name, key in study.ORDERS.items():
    order = sorted(range(len(buffers)), key=[key(b) for b in buffers].__getitem__)
    sizes = [(4 * -(-buffers[i].bytes // 4), buffers[i].first, buffers[i].last) for i in order]  # rounded up to fours
    placed = dict(zip(order, first_fit(sizes)))
    plans[name] = study.Layout(buffers, tuple(placed[i] for i in range(len(buffers))))
figures.arena(dict(list(plans.items())[::2]));

# %% [markdown]
# ## Exercise 3: two products at once
# <!-- card smlad difficulty=3 importance=4 minutes=15 points=3 -->
#
# A register holds 32 bits, and an int8 needs 8 of them. The DSP instructions of a Cortex-M4 use what is left over. **SMLAD** takes two registers with two signed 16-bit numbers each, and a third one:
#
# $$\mathit{total} + a_{\mathit{low}}\, b_{\mathit{low}} + a_{\mathit{high}}\, b_{\mathit{high}}$$
#
# all in one instruction. What does not fit into 32 bits is lost: the result wraps around, from $2^{31} - 1$ to $-2^{31}$. **Write `smlad`** with Python's integers, which have no end; so you have to do the wrapping, and the signs of the halves.


# %%
def smlad(a: int, b: int, total: int) -> int:
    """The DSP instruction SMLAD.

    a, b: words of 32 bits as numbers from 0 to 2**32 - 1; bits 0 to 15 and bits 16 to 31 are a signed number each (two's
    complement).
    total: a signed number of 32 bits. Returns one, too.

    >>> smlad(0x0003_FFFF, 0x0005_0002, total=100)  # 100 + (-1) * 2 + 3 * 5
    113
    """
    ### BEGIN SOLUTION

    def signed(x, bits):
        x &= (1 << bits) - 1
        return x - (1 << bits) if x >> (bits - 1) else x

    low = signed(a, 16) * signed(b, 16)
    high = signed(a >> 16, 16) * signed(b >> 16, 16)
    return signed(total + low + high, 32)
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson09.smlad(smlad)
### BEGIN HIDDEN TESTS
check.lesson09.smlad.grade(smlad)
assert smlad(0x8000_8000, 0x8000_8000, 0) == -(2**31)
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# `x & 0xFFFF` are the low 16 bits of x, as a number from 0 to $2^{16} - 1$; `x >> 16` are the high ones. Which of these stand for negative numbers?
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# Those from $2^{15}$ on: subtract $2^{16}$ from them. Write a helper `signed(x, bits)`, and use it for the total with 32 bits, too.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# In the helper: keep the low bits with `&` and a mask of as many ones, `(1 << bits) - 1`; if the result is at least `1 << (bits - 1)`, subtract `1 << bits`. Python's `&` works for negative x as if it had endlessly many bits, which is just right.
# </details>

# %%
smlad = check.lesson09.smlad.catch_up(smlad)

# %% [markdown]
# ### What it is good for
# Four int8 lie in one word of memory. SXTB16 makes two halves of bytes 0 and 2, and after a rotation of bytes 1 and 3. Then two of your instructions do four products.

# %% tags=["nbval-check-output"]
random = np.random.default_rng(0)
x, w = (random.integers(-128, 128, 64).astype(np.int8) for _ in range(2))


def sxtb16(word: int) -> int:
    """Bytes 0 and 2 of a word as two signed 16-bit halves."""
    low, high = (int(np.uint8(word >> at & 0xFF).astype(np.int8)) & 0xFFFF for at in (0, 16))
    return low | high << 16


def rotated(word: int) -> int:
    """By 8 bits to the right."""
    return (word >> 8 | word << 24) & 0xFFFF_FFFF


total, used = 0, 0
for a, b in zip(x.view(np.uint32).tolist(), w.view(np.uint32).tolist()):
    total = smlad(sxtb16(a), sxtb16(b), total)
    total = smlad(sxtb16(rotated(a)), sxtb16(rotated(b)), total)
    used += 2
print(f"{total}, and numpy says {x.astype(int) @ w.astype(int)}: {len(x)} products with {used} SMLAD")

# %% [markdown]
# ## Exercise 4: what does a product cost?
# <!-- card prices difficulty=3 importance=4 minutes=15 points=3 -->
#
# The emulator counts the instructions of a layer, and we know how many products it makes and how many outputs. Each product has a price, and so has each output: its bias, its rescaling, its place. A layer then costs about
#
# $$\mathit{instructions} \approx \mathit{product} \cdot \mathit{products} + \mathit{output} \cdot \mathit{outputs}.$$
#
# **Write `prices`**: the two numbers for which the squared errors, summed over all layers, are smallest (*least squares*).


# %%
def prices(products: np.ndarray, outputs: np.ndarray, instructions: np.ndarray) -> tuple[float, float]:
    """The price of a product and that of an output, in instructions.

    products, outputs, instructions: float64 [layers].

    >>> product, output = prices(np.array([100.0, 400.0, 900.0]), np.array([10.0, 20.0, 30.0]), np.array([700.0, 1800.0, 3300.0]))
    >>> round(product, 6), round(output, 6)
    (2.0, 50.0)
    """
    ### BEGIN SOLUTION
    found = np.linalg.lstsq(np.stack([products, outputs], axis=1), instructions, rcond=None)[0]
    return float(found[0]), float(found[1])
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson09.prices(prices)
### BEGIN HIDDEN TESTS
check.lesson09.prices.grade(prices)
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Put the two columns side by side into a matrix [layers, 2]. Then it is matrix times prices = instructions, as well as possible.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# `np.linalg.lstsq(matrix, instructions, rcond=None)` solves just that; its first result is the vector of prices.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# `np.stack([products, outputs], axis=1)` is the matrix. Return two Python floats, first that of a product.
# </details>

# %%
prices = check.lesson09.prices.catch_up(prices)

# %% [markdown]
# ### What it is good for
# The convolutions of both networks, counted by the emulator. With your two prices you can say in advance where a layer lies, and why layers with few products for each output are slow: the price of an output is shared by few.

# %% alt="Marks for 1x1 convolutions on a line that rises to the right and levels off below a dotted ceiling."
measured = instruction_model.measure(ds_cnn, "cortex-m4") + instruction_model.measure(tinyspeech, "cortex-m4")
rows = [(work, counted) for kernel, work, counted in measured if kernel == "pointwise"]
products, outputs = (np.array([work[name] for work, _ in rows], float) for name in ("products", "elements"))
counted = np.array([count for _, count in rows], float)
each, output = prices(products, outputs, counted)
print(f"{each:.2f} instructions for a product, {output:.1f} for an output")
figures.roofline({"1x1 convolutions": (products / outputs, products / counted)}, {"1x1 convolutions": (each, output)});

# %% [markdown]
# ## Done
# You have planned memory, and found out what a product costs. The library does the same in `studies/lesson09.py` and `search/instruction_model.py`, and its kernels for the M4 use SMLAD as you wrote it.
# [The solutions](../solutions/09_on_the_chip.ipynb) show one way to write each.
