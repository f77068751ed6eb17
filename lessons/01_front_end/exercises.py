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
# # 01 From sound to features: exercises
#
# [Lesson 01](../notebooks/01_front_end.ipynb) took a word through the front end. Here you write its parts yourself: `frame` cuts,
# `mel_filters` makes the mel bands, `cepstrum` makes MFCC, `mix_at_snr` disturbs, and `to_keep` lets all this run on a
# stream that never ends.
#
# **How it works.** Write your answer where it says `YOUR CODE HERE` and remove the line `raise NotImplementedError()`.
# Run the cell, then the check below it. The check draws new inputs each time and says *passed*, or what it expected, what it
# got, and what is probably the matter. Three hints stand below each check. If you are stuck, go on: the catch-up line puts a
# slow but right version in place, and says so.

# %%
import math

import matplotlib.pyplot as plt
import torch
from IPython.display import Audio, display

from tinycourse import check, data, plots

words = data.open_dataset("tinywords").clips("validation")  # synthetic voices, bundled
stop = words.waveforms()[words.labels == words.classes.index("stop")][1]  # float32 [16000]
print(f"{len(words)} clips; the one to play with is a 'stop' of {len(stop)} samples")

# %% [markdown]
# ## Exercise 1: cut into frames
# <!-- card frame difficulty=2 importance=5 minutes=10 points=2 -->
#
# Speech changes all the time, but hardly within a few hundredths of a second. So we cut it into short *frames* that overlap: each
# is `size` samples long, and the next one begins `hop` samples later. **Write `frame`.** Only whole frames count: samples at the
# end that do not fill one are left out. How many frames are there? Draw it before you write it: the classic mistake here is to be
# wrong by one.


# %%
def frame(samples: torch.Tensor, size: int, hop: int) -> torch.Tensor:
    """Overlapping frames.

    samples: float32 [T]. size: samples in a frame, at most T. hop: samples from the beginning of one to that of the next.
    Returns float32 [count, size]: frame i begins at sample i * hop; `count` is the number of frames that fit.

    >>> frame(torch.arange(7.0), size=3, hop=2)
    tensor([[0., 1., 2.],
            [2., 3., 4.],
            [4., 5., 6.]])
    """
    ### BEGIN SOLUTION
    count = 1 + (len(samples) - size) // hop
    return torch.stack([samples[i * hop : i * hop + size] for i in range(count)])
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson01.frame(frame)
### BEGIN HIDDEN TESTS
check.lesson01.frame.grade(frame)
assert frame(torch.arange(16_000.0), 480, 160).shape == (98, 480)
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# The first frame needs `size` samples. After it, every `hop` further samples make one more.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# So there are `1 + (T - size) // hop`. With T = size that is one; with one sample less than the next hop it is still one.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Two lines: the count, and `torch.stack` of a list of slices `samples[i * hop : i * hop + size]`.
# </details>

# %%
frame = check.lesson01.frame.catch_up(frame)

# %% [markdown]
# ### What it is good for
# Frames tell when somebody speaks. Their mean power, on a logarithmic scale, is the simplest detector of speech there is. The *t*
# of "stop" has a silence of its own: find it.

# %% alt="Power of each frame in decibels over time: low before the word, two humps with a dip between them, low again."
pieces = frame(stop, 480, 160)  # [98, 480]
power = 10 * torch.log10(pieces.square().mean(dim=1) + 1e-9)  # [98]
figure, axes = plt.subplots(figsize=(7, 2.6))
axes.plot(torch.arange(len(power)) / 100, power)
axes.set_xlabel("time (s)")
axes.set_ylabel("power of the frame (dB)")
plt.show()

# %% [markdown]
# ## Exercise 2: mel filters
# <!-- card mel_filters difficulty=3 importance=4 minutes=15 points=3 -->
#
# Our ear tells low pitches apart finely, high ones coarsely. The *mel* scale says how finely:
#
# $$m(f) = 2595 \cdot \log_{10}(1 + f / 700) \qquad f(m) = 700 \cdot (10^{m / 2595} - 1).$$
#
# For `mels` bands take `mels + 2` edges, **evenly spaced in mel** from $m(\mathit{low})$ to $m(\mathit{high})$, and turn them into
# hertz. Band $i$ is a triangle: 0 at edge $i$, 1 at edge $i + 1$, 0 at edge $i + 2$, straight lines between, and 0 outside. Its
# weight at bin $k$ of the FFT is the height of the triangle at the bin's frequency: the bins go evenly from 0 to half the rate.
# **Write `mel_filters`.**


# %%
def mel_filters(bins: int, mels: int, low: float, high: float, rate: int) -> torch.Tensor:
    """A bank of triangular filters.

    bins: of the power spectrum, from 0 to rate / 2 hertz. mels: bands, from `low` to `high` hertz. rate: samples a second.
    Returns float32 [bins, mels]: what each bin weighs in each band, so that power [frames, bins] @ filters is [frames, mels].

    >>> mel_filters(bins=5, mels=2, low=0.0, high=4000.0, rate=8000)
    tensor([[0.0000, 0.0000],
            [0.6759, 0.3241],
            [0.0000, 0.9055],
            [0.0000, 0.4528],
            [0.0000, 0.0000]])
    """
    ### BEGIN SOLUTION
    first, last = (2595 * math.log10(1 + hertz / 700) for hertz in (low, high))
    edges = 700 * (10 ** (torch.linspace(first, last, mels + 2, dtype=torch.float64) / 2595) - 1)  # hertz
    hertz = torch.linspace(0, rate / 2, bins, dtype=torch.float64)[:, None]  # [bins, 1]
    rising = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])  # [bins, mels]
    falling = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    return torch.minimum(rising, falling).clamp(min=0).float()
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson01.mel_filters(mel_filters)
### BEGIN HIDDEN TESTS
check.lesson01.mel_filters.grade(mel_filters)
assert (mel_filters(257, 40, 20.0, 4000.0, 16_000)[130:] == 0).all()
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# `torch.linspace(first, last, mels + 2)` gives the edges in mel, `torch.linspace(0, rate / 2, bins)` the bins in hertz. The numbers
# are small: float64 costs nothing here.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# A triangle is the smaller of two straight lines: one rises from 0 at the left edge to 1 at the centre, the other falls from 1 at the
# centre to 0 at the right edge. Where the smaller one is negative, the filter is 0.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# With `hertz` as [bins, 1] and slices of the edges, `edges[:-2]`, `edges[1:-1]` and `edges[2:]`, as [mels], both lines are [bins, mels]
# at once. Then `torch.minimum`, `.clamp(min=0)` and `.float()`.
# </details>

# %%
mel_filters = check.lesson01.mel_filters.catch_up(mel_filters)

# %% [markdown]
# ### What it is good for
# With your two functions the whole way from samples to mel energies is one line. Here are the energies of "stop", with a
# logarithm.

# %% alt="A log-mel picture of the word stop: hiss at the top for the s, a gap for the t, bright bending bands for the vowel."
window = torch.hann_window(480)
spectrum = torch.fft.rfft(pieces * window, n=512).abs().square()  # [98, 257]
energy = spectrum @ mel_filters(257, 40, 20.0, 7_600.0, data.RATE)  # [98, 40]
plots.feature_map((energy + 1e-6).log(), title="stop, to 7.6 kHz")
plt.show()

# %% [markdown]
# ## Exercise 3: from bands to coefficients
# <!-- card cepstrum difficulty=3 importance=4 minutes=15 points=3 -->
#
# Two steps make *mel frequency cepstral coefficients* of the energies $E_n$ of the $N$ bands of a frame: the natural logarithm, and the
# orthonormal cosine transform (DCT-II),
#
# $$c_k = s_k \sum_{n=0}^{N-1} \log(E_n + \mathit{floor}) \cdot \cos\left(\frac{\pi k (n + 1/2)}{N}\right) \qquad
# s_0 = \sqrt{1 / N}, \quad s_k = \sqrt{2 / N}.$$
#
# The *floor* is there because recordings have digital silence, and the logarithm of 0 is not a number to work with. It is **added**
# to every energy. **Write `cepstrum`**: the first `coefficients` of the $c_k$.


# %%
def cepstrum(energy: torch.Tensor, coefficients: int, floor: float) -> torch.Tensor:
    """Mel frequency cepstral coefficients.

    energy: float32 [frames, mels], 0 or more. coefficients: how many to keep, 1 to mels. floor: added to every energy.
    Returns float32 [frames, coefficients].

    >>> cepstrum(torch.tensor([[0.0, 1.0, 9.0, 0.0]]), coefficients=3, floor=0.01)
    tensor([[-3.5010, -0.5922, -5.7093]])
    """
    ### BEGIN SOLUTION
    mels = energy.shape[1]
    n, k = torch.arange(mels, dtype=torch.float64)[:, None], torch.arange(coefficients)
    dct = math.sqrt(2 / mels) * torch.cos(math.pi * k * (n + 0.5) / mels)  # [mels, coefficients]
    dct[:, 0] /= math.sqrt(2)
    return ((energy.double() + floor).log() @ dct).float()
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson01.cepstrum(cepstrum)
### BEGIN HIDDEN TESTS
check.lesson01.cepstrum.grade(cepstrum)
assert cepstrum(torch.zeros(3, 40), 10, 1e-6).isfinite().all()
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# The transform is a product with a matrix [mels, coefficients] that does not depend on the sound. Build it once; then multiply the
# logarithms by it with `@`.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# With `n` as a column [mels, 1] and `k` as a row [coefficients], `torch.cos(math.pi * k * (n + 0.5) / mels)` is that matrix, without
# the scale. Column 0 is all ones.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Multiply the matrix by `math.sqrt(2 / mels)`, and divide column 0 by `math.sqrt(2)`. Then `(energy + floor).log() @ matrix`. Make `n`
# float64 if you want the last digits right, and end with `.float()`.
# </details>

# %%
cepstrum = check.lesson01.cepstrum.catch_up(cepstrum)

# %% [markdown]
# ### What it is good for
# Orthonormal means: nothing is lost, and lengths stay as they are. So the square of each coefficient says how much of the whole picture it
# carries. Coefficient 0 is the loudness of the frame; leave it aside, and add up the others.

# %% alt="A curve that rises steeply over the first coefficients and then flattens towards one."
squares = cepstrum(energy, 40, 1e-6)[:, 1:].square().mean(dim=0)  # [39]
share = squares.cumsum(0) / squares.sum()
figure, axes = plt.subplots(figsize=(7, 2.6))
axes.plot(range(1, 40), share, "o-", markersize=3)
axes.set_xlabel("coefficients kept, besides number 0")
axes.set_ylabel("share of the variation")
plt.show()
print(f"the first 9 carry {share[8]:.0%}, the first 19 carry {share[18]:.0%}")

# %% [markdown]
# ## Exercise 4: noise at a ratio
# <!-- card mix_at_snr difficulty=2 importance=5 minutes=10 points=2 -->
#
# A recogniser that was trained without noise fails in a kitchen. So we add noise while it trains, and say how much in decibels: the
# *signal to noise ratio* is
#
# $$\mathit{snr} = 10 \cdot \log_{10} \frac{P_\mathit{speech}}{P_\mathit{noise}},$$
#
# where the power $P$ of some samples is the mean of their squares. **Write `mix_at_snr`**: scale the noise, and only the noise, so that
# this ratio comes out, and add it. Mind the difference between power and amplitude.


# %%
def mix_at_snr(speech: torch.Tensor, noise: torch.Tensor, snr: float) -> torch.Tensor:
    """Speech with noise `snr` decibels below it.

    speech, noise: float32 [T], neither of them all zero. snr: decibels, any number; below 0 the noise is louder.
    Returns float32 [T]: the speech as it was, plus scaled noise.

    >>> mix_at_snr(torch.tensor([4.0, -4.0]), torch.tensor([0.1, 0.1]), snr=20.0)
    tensor([ 4.4000, -3.6000])
    """
    ### BEGIN SOLUTION
    ratio = speech.square().mean() / noise.square().mean()
    return speech + noise * torch.sqrt(ratio / 10 ** (snr / 10))
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson01.mix_at_snr(mix_at_snr)
### BEGIN HIDDEN TESTS
check.lesson01.mix_at_snr.grade(mix_at_snr)
assert mix_at_snr(torch.tensor([1.0, -1.0]), torch.tensor([3.0, 3.0]), 0.0).tolist() == [2.0, 0.0]
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# Scaling samples by a gain g scales their power by g squared.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# The noise should end with the power `P_speech / 10 ** (snr / 10)`, and it begins with `P_noise`. The gain is the square root of the
# quotient of these two.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# Two lines: `ratio`, the quotient of the two means of squares, and `speech + noise * torch.sqrt(ratio / 10 ** (snr / 10))`.
# </details>

# %%
mix_at_snr = check.lesson01.mix_at_snr.catch_up(mix_at_snr)

# %% [markdown]
# ### What it is good for
# Listen, from easy to hard. At which ratio do you lose the word? A recogniser loses it earlier.

# %% tags=["nbval-ignore-output"]
hiss = torch.randn(len(stop), generator=torch.Generator().manual_seed(0))
for snr in (20, 5, -5):
    mixed = mix_at_snr(stop, hiss, float(snr))
    print(f"{snr} dB")
    display(Audio((mixed / mixed.abs().max()).numpy(), rate=data.RATE))

# %% [markdown]
# ## Exercise 5: what a stream has to remember
# <!-- card to_keep difficulty=3 importance=4 minutes=10 points=2 -->
#
# A device listens all day. Samples arrive in chunks of any size, and every frame should be computed as soon as its last sample is there.
# Afterwards most samples can go. Some must stay: the beginning of the next frame, which overlaps with the past, may already
# be in. Frames are those of exercise 1. `total` samples have come in since the beginning, and all frames that they complete have
# been computed. **Write `to_keep`**: how many of the newest samples does the next frame still need?


# %%
def to_keep(total: int, size: int, hop: int) -> int:
    """How many of the newest samples have to be kept.

    total: samples that have come in so far, 0 or more. size: samples in a frame. hop: from one frame to the next, less than size.
    Returns an int: the number of samples from the beginning of the first frame that is not complete yet, up to the newest one.

    >>> [to_keep(total, size=4, hop=3) for total in range(9)]
    [0, 1, 2, 3, 1, 2, 3, 1, 2]
    """
    ### BEGIN SOLUTION
    count = max(0, (total - size) // hop + 1)  # complete frames
    return total - count * hop
    ### END SOLUTION


# %% tags=["nbval-check-output"]
check.lesson01.to_keep(to_keep)
### BEGIN HIDDEN TESTS
check.lesson01.to_keep.grade(to_keep)
assert max(to_keep(total, 480, 160) for total in range(5_000)) == 479
### END HIDDEN TESTS

# %% [markdown]
# <details>
# <summary>Hint 1</summary>
#
# The next frame has a number: the count of the complete ones. So you know where it begins.
# </details>
#
# <details>
# <summary>Hint 2</summary>
#
# Frame number i begins at sample i * hop. From there to the newest sample there are `total - i * hop`.
# </details>
#
# <details>
# <summary>Hint 3</summary>
#
# The count is that of exercise 1, with one difference: before the first frame is complete it must be 0, and the formula gives less. Use
# `max(0, ...)`.
# </details>

# %%
to_keep = check.lesson01.to_keep.catch_up(to_keep)

# %% [markdown]
# ### What it is good for
# Here is a stream, made of your two functions. Chunks have random sizes, as they do when a driver delivers them. The frames must be the
# very same as those of the whole recording: not about the same.

# %% tags=["nbval-check-output"]
random = torch.Generator().manual_seed(1)
kept, found, total, most = torch.zeros(0), [], 0, 0
while total < len(stop):
    size = int(torch.randint(1, 700, (), generator=random))
    chunk = stop[total : total + size]
    kept, total = torch.cat([kept, chunk]), total + len(chunk)
    if len(kept) >= 480:
        found.append(frame(kept, 480, 160))
    kept = kept[len(kept) - to_keep(total, 480, 160) :]
    most = max(most, len(kept))
print(f"{len(torch.cat(found))} frames, equal to those of the whole: {torch.equal(torch.cat(found), pieces)}")
print(f"never more than {most} samples kept")

# %% [markdown]
# That bound is what a chip needs to know: the memory of the stream is smaller than one frame, however long the day. On a chip these samples
# live in a *ring buffer*: an array of one frame in which new samples overwrite the oldest, so that nothing has to be moved.
#
# ## Done
# You have written a front end, and the test bench for it. [The solutions](../solutions/01_front_end.ipynb) show one way to write each
# function. There are others: the checks accept every one that is right.
