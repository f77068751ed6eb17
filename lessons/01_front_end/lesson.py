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
# # 01 From sound to features: MFCC front ends
#
# No network of this course takes sound as it is. Each takes a small picture that somebody decided to make of it. Whatever that picture
# leaves out, no training brings back; whatever it arranges badly, every layer pays for. This lesson takes the picture apart, builds
# it again with bare hands, and then asks of each of its numbers: what do you cost, and what do you bring?
#
# ## What you will build
#
# An MFCC front end from nothing: frames, window, spectrum, mel filters, logarithm, cosine transform. After each step you compare
# with torchaudio. Then a test bench that measures what a setting is worth, noise and masks to train with, a stream that
# gives the same features chunk by chunk, and a remedy against noise that is newer than MFCC.
#
# ## Objectives
#
# After this lesson you can
#
# - compute MFCC by hand, and say what each of the six steps is for;
# - choose window, hop, bands and coefficients for a device, and know what each choice costs;
# - explain why a network that slides along the bands wants log-mel, and when MFCC is as good;
# - mix noise at a signal to noise ratio, and mask features;
# - turn a front end into a stream, and prove that nothing changed;
# - say what per-channel energy normalisation (PCEN) does that a logarithm cannot.

# %% [markdown]
# ## Before you start
#
# You need [lesson 00](00_word_to_chip.ipynb), or to have seen a waveform and a convolution. A sum of cosines should not frighten you.
#
# ## Time and machine
#
# An hour to read and play; a few minutes to run on two processor cores, with less than a gigabyte and a half of memory. Nothing is downloaded.
# Headphones help. A microphone is welcome, and not needed.
#
# ## The map of the course
#
# <!-- map -->
#
# ## Where this code lives
#
# <!-- code -->

# %% [markdown]
# One box of the path is open today, the second. What goes in is a second of sound; what comes out is a picture.

# %% alt="Eight boxes in a row, joined by arrows: recording, features, network, design, and so on; the box of features is filled."
from tinycourse import plots

plots.path("01");
# %% [markdown]
# ## 1. Frames
#
# Here is a *yes*, spoken by a synthesizer. We keep it as 64-bit floats for a while: then two ways of computing the same thing differ only
# by rounding, rounding is tiny, and a mistake stands out.

# %% tags=["nbval-ignore-output"]
import torch
from IPython.display import Audio, display

from tinycourse import data
from tinycourse.plots import lesson01 as figures

words = data.open_dataset("tinywords").clips("testing")
word = words.waveforms()[words.labels == words.classes.index("yes")][3].double()  # float64 [16000]
display(Audio(word.numpy(), rate=data.RATE))

# %% [markdown]
# A word is a sequence of sounds, so one spectrum for the whole second would be a blur. Our mouth moves slowly, though: within a few
# hundredths of a second a sound hardly changes. So we cut the second into short **frames**. They overlap, because a sound that falls on the
# edge of one frame should fall into the middle of the next.
#
# The paper takes windows of 30 ms and begins a new one every 10 ms (TinySpeech paper, section 3). At 16,000 samples a second that is 480
# and 160 samples. <!-- definition --> A frame here is a little longer, 512, because a fast Fourier transform likes powers of two; the
# window will fade out the rest. Frames are centred on their instant. So that the first and the last frame are complete, both ends
# of the sound are continued by their mirror image.

# %% alt="A piece of a waveform; below it five overlapping bars for five frames, each a hop further right."
window, hop, fft = 480, 160, 512
mirrored = torch.nn.functional.pad(word[None], (fft // 2, fft // 2), mode="reflect")[0]  # [16512]
starts = range(0, len(mirrored) - fft + 1, hop)
frames = torch.stack([mirrored[start : start + fft] for start in starts])  # [101, 512]
print(f"{len(word)} samples became {len(frames)} frames of {frames.shape[1]}: each sample is in {window // hop} windows")
figures.framing(word, first=7_000, count=5, size=window, hop=hop);
# %% [markdown]
# ## 2. Window and spectrum
#
# Which frequencies are in a frame, and how strong? Multiply it with a cosine and a sine of each frequency, and add up: where
# the frame swings along, the sums grow. That is the discrete Fourier transform, two matrix products. The *fast* Fourier transform gives
# the same numbers with far less work. What we keep is the **power**, the sum of the two squares; the phase, which says when the
# swing began, is thrown away. We hardly hear it.

# %%
n, k = torch.arange(fft).double(), torch.arange(fft // 2 + 1)
hann = 0.5 - 0.5 * torch.cos(2 * torch.pi * torch.arange(window).double() / window)
hann = torch.nn.functional.pad(hann, ((fft - window) // 2,) * 2)  # [512]: the window in the middle, zeros around it
faded = frames * hann
angle = 2 * torch.pi * n[:, None] * k / fft  # [512, 257]
by_hand = (faded @ angle.cos()).square() + (faded @ angle.sin()).square()  # [101, 257]
power = torch.fft.rfft(faded).abs().square()
print(f"by hand and by FFT differ by {(by_hand - power).abs().max() / power.max():.0e} of the largest power")

# %% [markdown]
# Why fade the frame at all? A cut is a sudden step at both ends, and a step contains all frequencies. They smear over the whole
# spectrum and cover what is soft. The **Hann window** brings both ends to zero gently. Compare the floor between the peaks:

# %% alt="Left, a frame as cut and faded by the window; right, both power spectra: the faded one has sharper peaks and a much lower floor."
loudest = int(power.sum(dim=1).argmax())  # the frame that we follow
cut = torch.fft.rfft(frames[loudest]).abs().square()
figures.leakage(frames[loudest], hann, cut, power[loudest]);
# %% [markdown]
# Now the first comparison with torchaudio. Its `MFCC` is a chain of the same steps, and each can be asked for its result; every tenth
# frame will do. Where torchaudio does not load, which the next cell then says, stored values stand in for it. `compare` fails
# if a difference exceeds the bound: a billionth, which leaves room for rounding in 64 bits and for nothing else. (While this lesson was
# written it failed twice, on tables that had been computed in 32 bits by oversight. No picture would have shown that.)

# %%
from tinycourse.features import peers

theirs = peers.mfcc_steps(word)  # with the paper's settings


def compare(step: str, ours: torch.Tensor, reference: torch.Tensor, bound: float = 1e-9) -> None:
    difference = (ours - reference).abs().max()
    assert difference <= bound, f"{step}: {difference}"
    print(f"{step:16}{str(list(ours.shape)):12} differs by {difference:.0e}, bound {bound:.0e}")


compare("power spectrum", power[::10], theirs["power spectrum"])

# %% [markdown]
# ## 3. Mel filters
#
# The spectrum has more than 250 bins, evenly spaced. Our ear is not even: it tells two low pitches apart that are a few hertz from each
# other, and high ones only if they are a hundred apart. The *mel* scale $m = 2595 \log_{10}(1 + f / 700)$ puts pitches at equal distances
# that sound so. Bands of equal width in mel are narrow at the bottom and wide at the top. Each is a triangle, and neighbours overlap by
# half.
#
# The paper's bands reach from 20 Hz to 4 kHz (TinySpeech paper, section 3). Forty bands are the usual choice.

# %% alt="Above, mel over hertz with even steps; below, forty triangles, narrow at low and wide at high frequencies."
mels = 40
low, high = 2595 * torch.log10(1 + torch.tensor([20.0, 4000.0]).double() / 700)  # in mel
edges = 700 * (10 ** (torch.linspace(low, high, mels + 2, dtype=torch.float64) / 2595) - 1)  # [42], in hertz
hertz = torch.linspace(0, data.RATE / 2, fft // 2 + 1, dtype=torch.float64)[:, None]  # [257, 1]
rising = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])  # [257, 40]
falling = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
bank = torch.minimum(rising, falling).clamp(min=0)
energy = power @ bank  # [101, 40]
compare("mel filters", bank, theirs["mel filters"])
compare("mel energies", energy[::10], theirs["mel energies"])
figures.filter_bank(bank);
# %% [markdown]
# ## 4. Logarithm and cosine transform
#
# Energies of speech span a factor of a million, and we hear by ratios: twice the energy is one step louder, whether whispered or
# shouted. The logarithm makes equal ratios equal distances. It also has one trap: digital silence is exactly zero, and the logarithm
# of zero is minus infinity. One such number, and the mean of a whole training set is lost. So a small floor is added first.

# %% alt="The same word twice: as energies almost all dark with a few bright spots, as logarithms a clear picture of soft and loud parts."
log_mel = (energy + 1e-6).log()  # [101, 40]
print(f"energies from {energy.min():.1e} to {energy.max():.1e}, logarithms from {log_mel.min():.1f} to {log_mel.max():.1f}")
figures.logarithm(energy, floor=1e-6);
# %% [markdown]
# This is the **log-mel** map, and many recognisers stop here. **MFCC**, mel frequency cepstral coefficients, go one step further. Neighbouring bands say nearly the
# same, and the classifiers of the nineteen-eighties wanted numbers that do not. The cosine transform asks of each frame's 40 values: how
# much of a constant is in you, of half a wave, of a whole one, ...? Low numbers describe the coarse shape, which is that of the mouth,
# high ones the fine ripple, which is that of the voice. Scaled so that the matrix is orthonormal, it is nothing but a rotation:
# nothing is lost, and its transpose is the way back.

# %% alt="Left, the first cosines over the bands: a constant, half a wave, a whole one and so on; right, the whole matrix in red and blue."
band = torch.arange(mels).double()[:, None] + 0.5  # the middle of each band, [40, 1]
dct = (2 / mels) ** 0.5 * torch.cos(torch.pi * torch.arange(mels).double() * band / mels)  # [bands, coefficients]
dct[:, 0] /= 2**0.5
mfcc = log_mel @ dct  # [101, 40]
compare("cosines", dct, theirs["cosines"])
compare("MFCC", mfcc[::10], theirs["MFCC"])
compare("back again", mfcc @ dct.T, log_mel)
figures.cosines(dct);
# %% [markdown]
# All six steps, on one page: the orange frame is followed through the upper half. The library's `Frontend`, which all lessons use, does the
# same for a whole batch of clips, in 32 bits. Before the network it takes out the mean and the spread of every band.

# %% alt="Six rows: waveform with one frame marked, that frame, its spectrum, its bands as bars, the log-mel map, the MFCC map."
from tinycourse.features import Frontend, FrontendConfig

compare("Frontend", Frontend(FrontendConfig()).features(word[None].float())[0], mfcc, bound=1e-2)
figures.stages(word, loudest, faded[loudest], power[loudest], bank, log_mel, mfcc, hop / data.RATE);

# %% [markdown]
# ### Ten coefficients or forty?
#
# Keep only the first few coefficients, go back, and see what is left: a blurred picture. The formants, the broad bands that make a vowel,
# survive ten coefficients. The thin stripes, the harmonics of the voice, do not. For *which word* that may be just right:
# who speaks, and how high, is not the question.

# %% alt="The log-mel map of the word, and what twenty, ten and five coefficients leave of it: ever smoother along the bands."
rebuilt = {count: mfcc[:, :count] @ dct[:, :count].T for count in (20, 10, 5)}
figures.kept(log_mel, rebuilt)
for count, x in rebuilt.items():
    print(f"{count:2} coefficients keep {1 - (x - log_mel).var() / log_mel.var():.1%} of the variance of this map")

# %% [markdown]
# ## 5. What a setting costs and brings
#
# Pictures do not decide; accuracy does. `study` trains two small networks on any setting. They make different assumptions about
# the second axis of the map. The network called **2-D** slides small filters along time *and* bands, as TinySpeech does: neighbours belong
# together, and a pattern means the same a little higher up. The one called **1-D** slides along time only: every band has its own weights.
#
# First here, in a minute, on synthetic words. The test voices come from another synthesizer as well, so do not expect much.

# %%
from tinycourse.studies import lesson01 as study

training_words = data.open_dataset("tinywords").clips("training")
epochs = 2 if session.fast else 16
print(f"{len(training_words)} clips, {epochs} epochs: 2-D and 1-D network")
for name in ("MFCC, 40 of 40", "MFCC, 10 of 40", "log-mel", "PCEN"):
    right = study.run(study.SETTINGS[name], training_words, words, epochs, session.seed)
    print(f"{name:20}{right['2-D']:10.1%}{right['1-D']:10.1%}")

# %% [markdown]
# One seed, few clips: a hint, not a result. So the same was done with people, for longer, three seeds for each setting. The results come
# with the course. The command that made them is printed below; whoever has the recordings can run it. A third network joins in for three
# settings, with one seed: TinySpeech-M, which lesson 03 takes apart.

# %% alt="Dots for three seeds and a bar at their mean, for each setting of the front end and each network."
measured = study.measured()
print(measured["command"], f"{measured['data']}, {measured['epochs']} epochs", sep="\n")
accuracy = study.by_setting(measured["rows"])
print(study.table(measured["rows"]))
figures.settings(accuracy);
# %% [markdown]
# How to read it. The dots of one setting lie a point or two apart; a smaller difference between settings says nothing. A few epochs on a
# part of the data are a short training: it rewards features that make learning easy.
#
# - **Window and hop.** A slightly shorter window changes nothing that three seeds could show. Twice the hop, with a longer window,
#   halves the work of the network, and accuracy stays, or rises.
# - **Ten coefficients beat forty**, by much in the 2-D network. The other thirty carry ripple. A network with weights for each
#   coefficient can learn to ignore them. One that slides the same filters over all of them cannot.
# - **Log-mel beats forty MFCC**, by little in the 1-D network, by more in the 2-D one, and by far in TinySpeech.
#   (Trained with noise it does not: section 8.)
# - **Higher bands** mostly help on clean clips: there the *s* lives. In noise that nobody trained for, they cost more than they bring.
# - **PCEN** is ahead on clean clips, and by far in noise. What it is comes in section 8.
#
# ### Why the network decides
#
# A convolution assumes two things about an axis. *Locality*: what belongs together stands side by side. *Translation*: a pattern means the same
# wherever it stands. Both are true of time. Of mel bands they nearly are: a formant is a bump over a few neighbouring bands, and with a shorter
# throat, a child's, the whole pattern moves up. Of cepstral coefficients neither is true. Coefficient 7 and coefficient 8
# are two different cosines over *all* bands; they were made to have nothing in common. Look at how the numbers of a frame go together:

# %% alt="Two correlation matrices: for log-mel a broad band around the diagonal, for MFCC little more than the diagonal itself."
related = {}
for kind in ("log-mel", "mfcc"):
    x = Frontend(FrontendConfig(kind=kind)).features(words.waveforms()[::4]).flatten(0, 1)  # [frames, 40]
    related[kind] = torch.corrcoef(x.T)  # [40, 40]
    print(f"{kind:8} mean |correlation| of neighbours: {related[kind].diagonal(1).abs().mean():.2f}")
figures.correlations(related);
# %% [markdown]
# A network that gives every band its own weights can do without neighbours. The cosine transform is a rotation, and a first layer that
# mixes all bands can undo it, if the training is long enough to find out. MFCC were made for classifiers that could not: with a diagonal
# Gaussian, uncorrelated numbers are the whole point. The TinySpeech paper feeds MFCC to two-dimensional convolutions, as its predecessors
# did (paper, section 3).
#
# ## 6. Augmentation
#
# The same word is spoken early or late, in a kitchen or a car, into a bad microphone. A training set never has all of that, so we make it
# up, anew for every clip in every epoch. A **shift** moves the word. **Noise** is mixed in at a *signal to noise ratio* (SNR): the power
# of the word over that of the noise, in decibels. **SpecAugment** (Park et al. 2019, [arXiv
# 1904.08779](https://arxiv.org/abs/1904.08779)) acts on the features: it blanks a stretch of time and some bands, so that the network
# cannot lean on a single one.

# %% tags=["nbval-ignore-output"] alt="Four log-mel maps: the word as it is, moved to the right, in noise, and with two blank stripes."
from tinycourse.features import add_noise, shift, spec_augment

random = torch.Generator().manual_seed(1255)  # a seed that shows all three well
clean = word[None].float()  # [1, 16000]
kitchen = torch.from_numpy(data.open_dataset("tinywords").noise("training")[1][:16_000])[None]
frontend = Frontend(FrontendConfig(kind="log-mel")).fit(words.waveforms())
moved, drowned = shift(clean, 4_000, random), add_noise(clean, kitchen, torch.tensor([5.0]))
maps = {"as it is": frontend(clean), "moved": frontend(moved), "noise, 5 dB": frontend(drowned)}
maps["masked"] = spec_augment(maps["as it is"], 25, 12, random)
figures.maps({"mel band": {name: x[0, 0] for name, x in maps.items()}})
for snr in (20.0, 5.0, -5.0):
    print(f"{snr:.0f} dB: the noise has {10 ** (-snr / 10):.2f} times the power of the word")
    display(Audio(add_noise(clean, kitchen, torch.tensor([snr]))[0].numpy(), rate=data.RATE))
# %% [markdown]
# Labels must survive. A word moved out of the clip is no word, and *up* far below the noise is anybody's guess. How hard to
# disturb is a setting like any other: measure it. And mind the unit. Decibels compare *powers*; who scales the amplitudes by the ratio of
# powers, without its root, is off by twice the decibels. Exercise 4 is about that.
#
# ## 7. As a stream
#
# Until now the whole second was there before we began. A device cannot wait: it gets a few samples at a time, without end. But a frame
# needs only its own samples. As soon as the last one is in, it can be computed, and all samples before the *next* frame's
# beginning can go. What is kept is the **state**. It goes into every step and comes out of it.

# %% alt="A bar of samples, the older ones gone, the newer ones kept; below, three complete frames and one that is not."
from tinycourse.features import streaming

frontend = Frontend(FrontendConfig()).fit(words.waveforms())
state, maps, most, audio = streaming.start(), [], 0, clean[0]
while len(audio):
    size = int(torch.randint(1, 1_000, (), generator=random))  # chunks come as they like
    features, state = streaming.step(frontend, audio[:size], state)  # [none or more frames, 40]
    maps.append(features)
    most, audio = max(most, len(state.kept)), audio[size:]
maps.append(streaming.finish(frontend, state))
compare("stream", torch.cat(maps), frontend(clean)[0, 0], bound=1e-4)
print(f"{len(maps) - 1} chunks; at most {most} samples kept, {most / data.RATE * 1000:.0f} ms of sound")
figures.stream(fft, hop, arrived=910, frames=3, kept=910 - 3 * hop);
# %% [markdown]
# Equal, but for rounding: the bound is a ten-thousandth of a band's spread. The same frames meet the same tables; only the order in which
# 32-bit sums are taken may differ. This test is worth keeping: most bugs of streaming front ends sit at the seam between two chunks, and
# a picture does not show them.
#
# ## 8. Beyond: PCEN
#
# The logarithm makes equal ratios equal, and so it makes what is soft large: the hum of a fridge becomes a bright carpet. And when the speaker
# steps back, the whole map darkens. **Per-channel energy normalisation** (Wang et al. 2017, [arXiv
# 1607.05666](https://arxiv.org/abs/1607.05666)) follows the recent loudness $M$ of every band, with a moving average, and divides by it:
#
# $$M_t = (1 - s)\,M_{t-1} + s\,E_t \qquad \mathrm{PCEN}_t = \left(\frac{E_t}{(\varepsilon + M_t)^\alpha} + \delta\right)^r - \delta^r$$
#
# What stays the same, such as a hum, divides itself away. What begins, such as a syllable, stands out. A root instead of the logarithm
# keeps soft things soft. By hand, every average waits for the one before. The library computes them at once: each $M_t$ is a weighted
# sum of all energies so far, so one product with a triangular matrix gives them all.

# %% alt="Two rows of three maps: the logarithm shows the noise and darkens the soft word, PCEN shows the word."
s, alpha, delta, r, epsilon = 0.025, 0.98, 2.0, 0.5, 1e-6  # (Wang et al. 2017, section 3)
average = [energy[0]]
for now in energy[1:]:
    average.append((1 - s) * average[-1] + s * now)
pcen = (energy / (epsilon + torch.stack(average)) ** alpha + delta) ** r - delta**r  # [101, 40]
compare("PCEN", Frontend(FrontendConfig(kind="pcen")).features(clean)[0], pcen, bound=1e-3)

heard = {"as it is": clean, "noise, 5 dB": drowned, "20 dB softer": clean / 10}
kinds = {name: Frontend(FrontendConfig(kind=name.lower())) for name in ("log-mel", "PCEN")}
grid = {kind: {name: frontend.features(x)[0] for name, x in heard.items()} for kind, frontend in kinds.items()}
figures.maps(grid, together=True);

# %% [markdown]
# Pictures do not decide. Here are the two networks again, on the validation clips as they are, in noise that was not in the training,
# and recorded softly. Each front end was trained twice: on clean clips, and on clips of which half had noise added.

# %% alt="Four panels, by network and by training on clean or noisy clips: accuracy of MFCC, log-mel and PCEN over four conditions."
print(f"noise: {measured['noise']}")
figures.conditions(study.in_noise(measured["rows"], ("MFCC, 40 of 40", "log-mel", "PCEN")));
# %% [markdown]
# Trained on clean clips, the logarithm loses a good part of what it knew in moderate noise, PCEN little. Where word and noise are equally
# strong, all of them fail more often than not. A softer recording alone costs log-mel several points, for the whole map has moved, and
# the network never saw it there; PCEN does not notice, and MFCC suffer less than log-mel, for loudness is a matter of coefficient 0
# alone. Training with noise helps every front end in noise, at the price of some accuracy on clean clips in so short a training. There
# MFCC are as good as log-mel, or better: features are ranked by what they are used for. PCEN leads throughout. That agrees with what its
# authors report for far and noisy speech (Wang et al. 2017, section 4). Two caveats: they also *train* $\alpha$, $\delta$, $r$ and $s$,
# which we leave as they are; and PCEN has a state, so a clip that begins in the middle of a word looks different from the same word in a
# stream.
#
# ## Play with it
#
# Choose a clip, upload one, or record your own voice: say *yes*, then whisper it. Then move the sliders. Make the window long, then short:
# which becomes sharper, time or pitch? Let the bands end early: where did the *s* go? Take many bands that end early, and read
# what the message says. Switch to PCEN, and whisper again.

# %% tags=["widget", "nbval-ignore-output"] alt="Controls and sliders above three pictures of a clip: waveform, log-mel, MFCC."
from tinycourse.widgets.lesson01 import FrontEndExplorer

FrontEndExplorer(words)

# %% [markdown]
# ## An honest comparison
#
# What others chose, and what our small networks make of the same choice. They are not the same experiments: other networks, far more
# training. Compare the rows with each other, not with the papers' accuracies.

# %% tags=["nbval-check-output"]
choices = {
    "MFCC, 40 of 40": "TinySpeech (paper, section 3)",
    "MFCC, 10 of 40, 40/20 ms": "Hello Edge, DS-CNN (Zhang et al. 2017)",
    "log-mel": "this course, from lesson 00 on",
    "PCEN": "far and noisy speech (Wang et al. 2017)",
}
print(study.table(measured["rows"], choices))

# %% [markdown]
# Of these four settings, forty MFCC are the hardest for small networks and short trainings. That does not refute the TinySpeech paper: its
# networks train longer, and its accuracies are what they are. But it is why the networks of this course take log-mel. *Hello Edge*
# chose for microcontrollers, and it shows: its setting is by far the cheapest, and among the best. Whether a long training with PCEN
# beats log-mel on the paper's own task is a question that this table asks and does not answer.
#
# ## Quiz
#
# Decide first, then open the answer.
#
# **1. A clip has digital silence at its end, and the training loss becomes NaN in the first step. What happened?**
#
# (a) The window was forgotten. (b) The logarithm of zero. (c) The cosine transform is not orthonormal.
#
# <details><summary>Answer</summary>
#
# **(b).** The logarithm of zero is minus infinity, and the cosine transform spreads it over the whole frame; infinities of both signs add
# up to NaN. (a) smears spectra, but keeps them finite. (c) scales coefficients, and finite ones stay finite.
# </details>
#
# **2. You halve the number of frames by doubling the hop. What becomes cheaper?**
#
# (a) Only the front end. (b) The front end, and every convolution behind it. (c) Only the memory for weights.
#
# <details><summary>Answer</summary>
#
# **(b).** Every layer slides over half as many frames, so multiply-adds and activations halve all through the network. (a) overlooks that
# the map is what the network works on. (c) is wrong: how often a weight is used does not change how many there are.
# </details>
#
# **3. A two-dimensional convolution does worse on 40 MFCC than on 40 log-mel bands. Is information missing in the MFCC?**
#
# (a) Yes, the cosine transform loses it. (b) No, it is arranged so that small sliding filters find it hard to use. (c) Yes, the floor
# hides it.
#
# <details><summary>Answer</summary>
#
# **(b).** Forty of forty coefficients are a rotation, and its transpose leads back. (a) would be true of ten coefficients, which may even
# help. (c): the floor is the same in both.
# </details>
#
# **4. You mix noise at a ratio of zero decibels. What is true?**
#
# (a) There is no noise. (b) Word and noise have the same power. (c) The noise has the same largest sample as the word.
#
# <details><summary>Answer</summary>
#
# **(b).** Zero decibels is a ratio of one, of powers. (a) would be an infinite ratio. (c) compares peaks, which say little about power.
# </details>

# %% [markdown]
# ## Three take-aways
#
# 1. Every step of a front end is a few lines, and each can be compared with a reference to a bound that rounding explains.
# 2. Features and network belong together: a layout that suits one kind of layer does not suit another. Measure the pair.
# 3. A stream is the same computation with a state. Prove it by equality, not by looking.
#
# ## What comes next
#
# Do [the exercises of this lesson](../exercises/01_front_end.ipynb): five functions, from the first frame to the stream. Lesson 02 then
# brings the networks that came before TinySpeech, and the ways to tell how good one is.
#
# ## References
#
# - S. Davis, P. Mermelstein: *Comparison of Parametric Representations for Monosyllabic Word Recognition in Continuously Spoken
#   Sentences*, IEEE Transactions on Acoustics, Speech, and Signal Processing 28(4), 1980.
# - A. Wong, M. Famouri, M. Pavlova, S. Surana: *TinySpeech*, 2020, [arXiv 2008.04245](https://arxiv.org/abs/2008.04245).
# - Y. Zhang, N. Suda, L. Lai, V. Chandra: *Hello Edge: Keyword Spotting on Microcontrollers*, 2017,
#   [arXiv 1711.07128](https://arxiv.org/abs/1711.07128).
# - Y. Wang, P. Getreuer, T. Hughes, R. Lyon, R. Saurous: *Trainable Frontend for Robust and Far-Field Keyword Spotting*, 2017,
#   [arXiv 1607.05666](https://arxiv.org/abs/1607.05666).
# - D. Park et al.: *SpecAugment: A Simple Data Augmentation Method for Automatic Speech Recognition*, 2019,
#   [arXiv 1904.08779](https://arxiv.org/abs/1904.08779).
