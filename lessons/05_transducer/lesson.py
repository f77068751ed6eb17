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
# # 05 The RNN transducer
#
# Until now a clip held one word. People do not speak in clips. They speak in streams, and a recogniser has to find out at once *what* was said and *when*, though
# nobody ever marked the times. The transducer solves this with a lattice, a picture that fits on a sheet of paper, and one recursion through it. The recogniser of our second paper
# is built on it: it runs on a phone, and needs no server.
#
# ## What you will build
#
# The lattice of a four-frame utterance, walked by hand. Its loss, by listing, by recursion and by the library. The gradient as a picture. Then a recogniser for
# strings of spoken digits, trained from scratch before your eyes; and beside it another that seems to learn nothing, and you will know why. At the end yours
# runs on a stream, and you measure how late it answers.
#
# ## Objectives
#
# After this lesson you can
#
# - say what CTC cannot express, and what a prediction network adds;
# - draw the lattice of a transducer, and name what each node and each step mean;
# - compute alpha, beta and the loss by hand, and read the gradient off a picture;
# - explain why a transducer says nothing at first, and tell from the loss what it has learned already;
# - follow greedy and beam search step by step, and say when they disagree;
# - measure how late each word is written, and prove that a stream changes nothing.
#
# ## Before you start
#
# You need [lesson 00](00_word_to_chip.ipynb) and [lesson 01](01_front_end.ipynb), and to know what a recurrent network is: one that hands a state from each frame to the next. [Lesson 06](06_cells.ipynb)
# looks inside; here it is a box.
#
# ## Time and machine
#
# Seventy-five minutes to read and play. The training takes some minutes on two processor cores, all the rest seconds; less than a gigabyte of memory. Nothing is downloaded.
#
# ## The map of the course
#
# <!-- map -->
#
# ## Where this code lives
#
# <!-- code -->
#
# One box of the path is open today: from words in clips to words in a stream.

# %% alt="Eight boxes in a row, joined by arrows: recording, features, network, design, transducer, and so on; that of the transducer is filled."
from tinycourse import plots

plots.path("05");

# %% [markdown]
# ## 1. What CTC cannot say
#
# There is an older way to train without marks, and it is simpler. **CTC** (Graves et al. 2006) gives every frame a distribution over all labels and *blank*. To read off a transcript, merge runs of equal
# labels and drop the blanks. The probability of a transcript is the sum over all rows of symbols that read so. One thing is built in: **given the sound, the frames are independent.** What one frame says, no other frame
# knows.
#
# Is that bad? Say a sound that means *ice cream* half of the time and *I scream* the other half. <!-- definition --> We free both models of every limit but their own: no network, just a table of scores, trained on
# both transcripts. CTC's table has a row for each frame. The transducer's has one for each frame *and each word that may have come before*. What is the best that each can do?

# %% alt="Two bar charts over four transcripts: CTC gives each of them a quarter, the transducer gives a half to the two that were meant."
import torch

from tinycourse.plots import lesson05 as figures
from tinycourse.studies import lesson05 as study
from tinycourse.transducer import alignments

symbols = ("(blank)", "ice", "I", "cream", "scream")
meant = [(1, 3), (2, 4)]  # ice cream, I scream
panels = {}
for name, best_of in (("CTC", study.best_ctc), ("transducer", study.best_transducer)):
    found = best_of(meant, frames=4, words=len(symbols), blank=0)
    panels[name] = {" ".join(symbols[i] for i in said): found[said] for said in (*meant, (1, 4), (2, 3))}
    print(f"{name:10} gives what was meant {panels[name]['ice cream'] + panels[name]['I scream']:.2f}")
figures.transcripts(panels, meant=("ice cream", "I scream"));

# %% [markdown]
# The frame that says *cream* cannot know whether another one said *ice*. So CTC has to give the same probability to *ice scream*, and more frames do not help it. A language model on
# top can repair some of this after the fact, and with a large encoder CTC is a fine recogniser. But the flaw is in the model, not in its size. There is a second limit: in CTC a frame
# says at most one label. A transducer may say several, so it can look at the sound much more coarsely. That saves work, as we shall see.
#
# ## 2. Three networks
#
# A transducer (Graves 2012, [arXiv 1211.3711](https://arxiv.org/abs/1211.3711)) splits the question. The **encoder** describes the sound up to frame t. The **prediction network** says what may follow
# the u labels that were said, and takes no sound at all: it is a language model. The **joint network** takes one vector of each and gives a score to every label and to blank.

# %% alt="Boxes: features lead to the encoder, labels said so far to the prediction network, both to the joint network; out come a label, which leads back, or blank."
figures.networks();

# %% [markdown]
# **A label is said, and we stay in the frame. A blank says nothing, and leads to the next frame.** That is all there is to know about how a transducer runs.
#
# Here is the smallest one that deserves the name, made by hand. Someone says *two six*, in four frames: a pause, *two*, *six*, a pause. The encoder gives a row of scores for each frame.
# The prediction network gives a row for each label before: whoever has just said *two* should not say it again. The joint network adds the two, and a softmax makes them probabilities.

# %% tags=["nbval-check-output"]
words = ("(blank)", "two", "six")
encoder_out = torch.tensor([[2.5, 0.0, 0.0], [0.5, 2.5, 0.0], [0.5, 0.0, 2.5], [2.5, 0.0, 0.0]])  # [T, V]: pause, two, six, pause
prediction_out = torch.tensor([[0.0, 0.0, 0.0], [1.0, -3.0, 0.0], [1.0, 0.0, -3.0]])  # [V, V]: after nothing, two, six
target = torch.tensor([1, 2])
before = torch.tensor([0, 1, 2])  # the label behind us in each row u: none, two, six
logits = encoder_out[:, None] + prediction_out[before]  # [T, U + 1, V] = [4, 3, 3]
log_probs = logits.log_softmax(-1)
for t, u in ((1, 0), (1, 1)):
    shares = ", ".join(f"{word} {p:.2f}" for word, p in zip(words, log_probs[t, u].exp().tolist()))
    print(f"frame {t}, {u} labels said: {shares}")

# %% [markdown]
# The same sound, frame 1, twice. Before *two* is said it wins; once it is said blank does, and we move on. Without a prediction network frame 1 would say *two* for ever.
#
# ## 3. The lattice
#
# Put all of it into one picture. A **node** (t, u) means: t frames are behind us, and u labels have been said. A blank leads to the right, the next label up. An **alignment** is a path from the lower left to the end;
# its probability is the product of its steps. Each puts the words at other times. Which one is true, nobody knows, so **the probability of the transcript is the sum over all of
# them**.

# %% alt="A lattice of four frames and two labels with a probability on every arrow; the likeliest path goes right, up, right, up, right and out."
ways = study.ranked(log_probs, target, blank=0)
for way, p in ways:
    print(f"{p:.5f}  {' '.join('-' if step == 'blank' else 'said' for step in way)}")
total = sum(p for _, p in ways)
print(f"{total:.5f}  all {len(ways)} together: the loss is {-torch.tensor(total).log():.4f}")
for frames, labels in ((20, 4), (100, 20)):
    print(f"{frames} frames, {labels} labels: {study.count(frames, labels):.2g} alignments")
both = torch.stack([log_probs[..., 0], log_probs[:, torch.arange(3), torch.tensor([1, 2, 0])]], -1)  # blank, next label
figures.lattice(4, words[1:], steps=both.exp(), way=alignments.nodes(ways[0][0]));

# %% [markdown]
# Ten alignments we can list. In general the last step is a blank, and the U labels stand anywhere among the T - 1 + U steps before it: a sentence of twenty words in a hundred frames has more alignments than anyone could list (the last line above).
#
# ## 4. Alpha and beta
#
# All alignments that pass a node have come there in one of two ways. So one number for each node is enough: **alpha**, the probability of coming there, by whatever path,
#
# $$\alpha(t, u) = \alpha(t-1, u)\, p_{\text{blank}}(t-1, u) + \alpha(t, u-1)\, p_{\text{label}}(t, u-1).$$
#
# Seen from the other side, **beta** is the probability of going from a node to the end. The two together are the *forward-backward algorithm*. Each needs one visit to each node, whatever the number of alignments. In code both are kept as logarithms:
# products of hundreds of probabilities are too small for any float.

# %% alt="Two lattices with numbers in their nodes: alpha begins with one at the lower left and fades, beta is largest near the end."
from tinycourse.transducer import reference_alpha, reference_beta

alpha, beta = (f(log_probs, target, 0) for f in (reference_alpha, reference_beta))  # [4, 3] each, logarithms
figures.lattices(4, words[1:], {"alpha: to come here": alpha.exp(), "beta: from here to the end": beta.exp()});

# %% [markdown]
# Check one by hand: to node (1, 1) lead a label from (1, 0) and a blank from (0, 1); take their probabilities from the picture of section 3. Beta of node (0, 0) is the probability of everything. And here is a test worth keeping.
# Every alignment crosses every **anti-diagonal** of the lattice exactly once. So on each of them alpha times beta has to add up to the same number:

# %% tags=["nbval-check-output"]
for d in range(5):
    crossed = [(alpha + beta)[t, d - t].exp() for t in range(4) if 0 <= d - t <= 2]
    print(f"t + u = {d}: {sum(crossed):.6f}, by {len(crossed)} nodes")

# %% [markdown]
# The nodes of one anti-diagonal do not need each other. That is how the library is fast: it walks diagonal by diagonal, all nodes of all utterances of a batch in one operation.
#
# ## 5. Loss and gradient
#
# The loss is minus the logarithm of that number. For training we need its gradient. Alpha times beta over the total is the **occupancy** of a node (its *posterior probability*), the share of alignments that pass it. The same
# goes for each step, with the step's own probability between:

# %% alt="The lattice with occupancies in the nodes and arrows as wide as they are used: nearly everything flows along one path."
visited, taken = study.occupancy(log_probs, target, 0)  # [4, 3], [4, 3, 2]
figures.lattice(4, words[1:], nodes=visited, widths=taken);

# %% [markdown]
# And the gradient, for a logit of symbol v at a node, is
#
# $$\underbrace{p(v)\ \times\ \text{occupancy of the node}}_{\text{what the network does here}}\ -\ \underbrace{\text{occupancy of the step}}_{\text{what the alignments would like}}.$$
#
# Where no alignment comes by, nothing is learned. Elsewhere the network is moved from what it does to what the good alignments do. Nobody told it which ones are good: their probabilities are the network's own, of a moment ago. So it
# gets surer of what it believes already. In blue, what is to rise:

# %% alt="Three tables of frames by labels said, for blank, two and six: blue where a label should be said, red where the network says too much."
from tinycourse.transducer import reference_loss, rnnt_loss

loss, slopes = reference_loss(logits, target, 0)
figures.gradient({word: slopes[..., v] for v, word in enumerate(words)}, words[1:]);

# %% [markdown]
# Four ways to the same numbers: listing all alignments, the readable recursion, the library's fast loss, and *finite differences*: move each logit a little and see what the loss does.

# %% tags=["nbval-check-output"]
leaf = logits.double().requires_grad_()
fast = rnnt_loss(leaf[None], target[None], torch.tensor([4]), torch.tensor([2]), blank=0)
(exact,) = torch.autograd.grad(fast, leaf)
blunt, h = torch.zeros_like(exact), 1e-4
for place in torch.cartesian_prod(*map(torch.arange, logits.shape)).tolist():
    bump = torch.zeros_like(exact)
    bump[tuple(place)] = h
    up, down = (reference_loss(leaf.detach() + sign * bump, target, 0)[0] for sign in (1, -1))
    blunt[tuple(place)] = (up - down) / (2 * h)
print(f"loss: listed {-torch.tensor(total).log():.5f}, recursion {loss:.5f}, library {fast:.5f}")
print("gradients agree:", torch.allclose(exact, slopes.double(), atol=1e-6), torch.allclose(exact, blunt, atol=1e-6))

# %% [markdown]
# ## 6. Why it says nothing at first
#
# A real network now, for strings of digits. Before it trains, think. What is the easiest thing to learn, for a network that has learned nothing of the sound yet? Every alignment of T frames takes T blanks, and only U labels, whatever was said. So: **say blank more often.** Let blank have the
# same probability at every node, and the ten digits share the rest evenly. Then the loss has a closed form, and we can compute the best that a network can do that ignores the sound.

# %% alt="The loss of a network that ignores the sound over its probability of blank: it falls from the left, has its lowest point where blank is likely, and rises again."
from tinycourse import data
from tinycourse.data import sentences
from tinycourse.training import transducers
from tinycourse.transducer import Vocabulary

source = "spoken-digits" if data.find("spoken-digits") else "tinywords"  # people, or else the bundled synthetic voices
task = sentences.ConnectedDigits(source)
task.longest, task.epoch = 3, 640  # short strings: we have minutes
task.counts = {"training": 0, "validation": 60, "testing": 100}
mine = transducers.recogniser_for("rnnt-digits", Vocabulary.of(task.texts(), "words"), session.seed)
strings, step = task.speech("validation"), study.frame_seconds(mine)
sizes = [(int(len(a) / data.RATE / step), len(text.split())) for a, text in zip(strings.audio, strings.texts)]  # frames, digits
blank, digits = torch.linspace(0.02, 0.995, 196, dtype=torch.float64), sum(u for _, u in sizes)
deaf = sum(study.losses_knowing_nothing(t, u, 10, blank) for t, u in sizes) / digits
said = mine.network.joint.output.bias.softmax(0)[0].item()  # of blank, before training
at = {"all symbols alike": 1 / 11, "ours, untrained": said, "the best it can do": float(blank[deaf.argmin()])}
points = {name: int((blank - p).abs().argmin()) for name, p in at.items()}
print(f"{source}: {len(sizes)} strings, {digits} digits; the loss for each, if nothing is heard:")
for name, i in points.items():
    print(f"{name:20} blank {blank[i]:.2f}   loss {deaf[i]:6.2f}")
print(f"{'knows when only':20}              loss {torch.tensor(10.0).log():6.2f}")
figures.plateau(blank, {"deaf network": deaf}, {name: (float(blank[i]), float(deaf[i])) for name, i in points.items()});

# %% [markdown]
# So much better, and nothing of the sound was used. What would such a network say? At every node blank is by far the likeliest symbol, so greedy search takes it every time: **nothing**. All digits are wrong while the loss falls and falls. This is the *blank-only plateau*, and
# on it many people have given up on a transducer that was fine.
#
# The next level can be predicted as well. A network that knows *when* a digit is said, but not *which*, still has to guess one of ten, and a guess costs the logarithm of ten: the last line above. Only below that level does it know digits.
#
# ### A trap, and a way around it
#
# There is a cheap way to know when. **Say everything in the first frame.** Nobody asked for the true moment: an alignment that guesses all digits before the first is spoken is an alignment like others, and a network that makes it the likeliest one has the loss of the last line. But in that frame there is
# no digit yet, and the gradient flows only where alignments come by. So it stays there. In our trials a network that began with all symbols alike sat at this level for thousands of steps; below you see one begin to. Ours starts with blank nine times out of ten, one line in `models/rnnt.py`: then to say many
# labels at once is what costs, the alignments are spread over the whole utterance, and so is the gradient.
#
# ## 7. Train it
#
# Two LSTM layers as encoder, one as prediction network, word labels. Between the encoder's layers every two neighbouring frames are joined: that halves the lattice. Strings are made anew for every batch, from recordings of one
# speaker each, with gaps as between spoken words. Each gets some noise; to learn fast we leave out all other changes, of tempo and voice. And for a quarter of the time we train the same network with all symbols alike at first. Go and make tea; it takes some minutes.

# %%
from dataclasses import replace

from tinycourse import models
from tinycourse.training import checkpoint

if session.fast:  # a short run goes on from the checkpoint that the course ships
    mine, task.epoch = checkpoint.load("rnnt-digits"), 64
length = {"epochs": 1, "warmup": 1, "learning_rate": 1e-4} if session.fast else {"epochs": 40, "validate": 2}
calm = sentences.Disturbance(tempo=0, voice=0, noise=1, snr=(15, 40), gain=0)  # noise as in the test strings, no more
recipe = transducers.SequenceConfig(time=0, bands=0, disturb=calm, seed=session.seed, **length)
untrained = models.build("rnnt-digits", 11).eval()
alike = transducers.recogniser_for("rnnt-digits", Vocabulary(mine.classes), session.seed)
torch.nn.init.zeros_(alike.network.joint.output.bias)
histories = {"all symbols alike at first": transducers.fit(alike, task, replace(recipe, epochs=-(-recipe.epochs // 4)))}
histories["ours, blank likely at first"] = history = transducers.fit(mine, task, recipe)
found = transducers.evaluate(mine, task.speech("testing"))
steps = task.epoch // recipe.batch
print(f"{sum(p.numel() for p in mine.network.parameters()):,} weights, {len(history) * steps} steps of {recipe.batch} strings")
print(f"of {found.words} digits of the test strings {found.rate:.1%} are wrong: {found.substitutions} mistaken, "
      f"{found.deletions} left out, {found.insertions} invented")  # fmt: skip

# %% [markdown]
# And here is what happened. The upper curves are the loss of each digit, with the levels that we predicted. The lower ones are the share of digits that greedy search got wrong.

# %% alt="Above, one loss rests at the two dotted levels while the other falls far below them; below, errors stay at one hundred percent for the first and vanish for the second."
labels = (1 + task.longest) / 2  # in a string, on average
levels = {"hears nothing": deaf.min(), "knows when, not which": torch.tensor(10.0).log()}
runs = {}
for name, epochs in histories.items():
    wrong = {h["epoch"] * steps: h["word_error_rate"] for h in epochs if "word_error_rate" in h}
    runs[name] = [h["epoch"] * steps for h in epochs], [h["loss"] / labels for h in epochs], wrong
figures.training(runs, levels);

# %% [markdown]
# Read the two together. Both losses fall quickly, and at first neither network says anything right. The one that began with all symbols alike comes to rest between the two levels; all of its digits are wrong. Ours goes through the same level, and then, within a few hundred steps, digits appear. **A loss
# is not an error rate**; a transducer that says nothing is not broken as long as its loss still falls. And where it rests tells you what it has not learned.
#
# Now look at the lattice of one string, before and after. Before, all alignments are nearly as good as each other, and they fill the lattice like fog. After, the fog has gathered into a staircase: the network knows when.

# %% alt="Two maps of a lattice: before training a broad band of fog, after training a sharp staircase with one step for each digit."
recordings = task.recordings("testing")
spoken = study.draw(recordings, count=60, longest=3, seed=3)
one = next(s for s in spoken if len(s.words) == 3)  # an utterance of three digits
said, vocabulary = tuple(word for *_, word in one.words), Vocabulary(mine.classes)
target = torch.tensor(vocabulary.encode(" ".join(said)))
mel, encoder_out = study.encode(mine, one.audio)
with torch.no_grad():
    after = mine.network.lattice(encoder_out, target[None])[0].log_softmax(-1)  # [T, U + 1, 11]
    fog = untrained.lattice(untrained.encoder(mel[None])[0], target[None])[0].log_softmax(-1)
lattices = {"before training": fog, "after training": after}
occupied = {name: study.occupancy(x, target, 0)[0] for name, x in lattices.items()}
figures.maps(occupied, said);

# %% [markdown]
# ## 8. Saying it: greedy search
#
# In use nobody tells us the labels. **Greedy search** asks for the best symbol at every node. A label: say it, feed it to the prediction network, ask again in the same frame. Blank: go on. The line below climbs one step for every word that it says. In the middle is how sure it was of
# blank each time it left a frame; above, the sound as features, and when the words were really spoken.

# %% alt="A log-mel map with the spoken words above it; below it bars of the probability of blank, which dip at the words; below that a staircase of what was said."
followed = study.follow(mine, one)
print(f"said: {' '.join(said)}; it says: {followed.text}")
figures.decoding(*followed[:-1], one.words);

# %% [markdown]
# ### When greedy is wrong
#
# Greedy search follows one alignment. The probability of a transcript is a sum over many. Two frames are enough to see the difference: in each, *six* has probability 0.4 and blank 0.6, and once *six* is said only blank follows.
# <!-- definition --> Greedy takes blank, twice, and says nothing. Yet *six* can be said in the first frame or in the second one. **Beam search** keeps several hypotheses and adds up the alignments that say the same:

# %% alt="Hypotheses after each of two frames: nothing leads with 0.6 after the first, six leads with 0.64 after the second."
hypotheses, rows = {"(nothing)": 1.0}, []
for _ in range(2):
    nothing, six = hypotheses["(nothing)"], hypotheses.get("six", 0.0)
    hypotheses = {"(nothing)": 0.6 * nothing, "six": six + 0.4 * nothing}  # two alignments meet in one hypothesis
    rows.append([(text, torch.tensor(p).log()) for text, p in sorted(hypotheses.items(), key=lambda pair: -pair[1])])
print({text: round(p, 2) for text, p in hypotheses.items()})
figures.beam(rows, best="six");

# %% [markdown]
# How often does that matter in real life? The recogniser that the course ships was trained for longer, on longer strings. Here are yours and the shipped one on new strings of at most seven digits: greedy on all of them, greedy and with a beam on some. Yours was never trained on more than three in a row. Before you run it: what will it get wrong?

# %%
from tinycourse.transducer import Beam, Limits, errors

shipped, longer = checkpoint.load("rnnt-digits"), sentences.ConnectedDigits(source)
longer.counts = {"testing": 150}
strings = longer.speech("testing")
some = sentences.Speech(strings.audio[:40], strings.texts[:40])
for name, recogniser in (("yours", mine), ("shipped", shipped)):
    transcripts = transducers.transcribe(recogniser, strings.audio)
    rates = [transducers.evaluate(recogniser, some, Limits(beam=width), beam=width > 1).rate for width in (1, 2, 6)]
    print(f"{name:8} {errors(strings.texts, transcripts).rate:6.1%} of all", end="; of some: ")
    print("greedy {:.1%}, beam of two {:.1%}, of six {:.1%}".format(*rates))
    for text, wrong in [pair for pair in zip(strings.texts, transcripts) if pair[0] != pair[1]][:4]:
        print(f"         {text:40} heard as  {wrong}")
best, second = Beam(shipped.network, Limits(beam=6)).push(study.encode(shipped, one.audio)[1][0]).best()[:2]
for hypothesis in (best, second):
    print(f"{torch.tensor(hypothesis.score).exp():8.2g}  {vocabulary.decode(hypothesis.labels)}")

# %% [markdown]
# A well trained transducer on easy speech is nearly always sure, and then a beam changes little. It pays on long sentences with word pieces, where the first piece of a word decides what the others can be; and whenever you want the *second* best answer, with its probability, as above.
#
# And yours? It does not mistake a digit here and there. It *stops after the third one*. The prediction network takes no sound, but it can count: no string of its training had a fourth digit, so after three labels nothing but blank is likely. A transducer learns the language of its training along with the sound; whoever wants long
# sentences has to train on long sentences. Among what the shipped one still gets wrong there are doubled digits. Once *three* is said, the prediction network holds back a second *three*, because in most frames of a *three* it would be an echo. Here too the cure was in the data: in the strings that it has learned
# from, a digit follows itself more often than by chance.
#
# ## 9. In a stream
#
# All three networks run forward in time, so nothing has to wait for the end. The state between two chunks is what the recurrent layers remember, and the frames that wait for their neighbours to be joined. Does it matter how the sound is cut?

# %% tags=["nbval-check-output"]
from tinycourse.transducer import Greedy

whole = Greedy(shipped.network).push(study.encode(shipped, one.audio)[1])
for size in (1, 7, 50):
    state, stream = None, Greedy(shipped.network)
    for chunk in study.encode(shipped, one.audio)[0][None].split(size, dim=1):  # [1, size, bands]
        with torch.no_grad():
            encoder_out, state = shipped.network.encoder(chunk, state)
        stream.push(encoder_out)
    same = (stream.labels, stream.frames) == (whole.labels, whole.frames) and torch.allclose(stream.scores, whole.scores)
    print(f"chunks of {size:2} frames: the same labels, at the same frames, with the same score: {same}")

# %% [markdown]
# Not at all. But *when* does it write a word? The loss does not care: an alignment that waits is as good as one that does not, and whoever waits knows more of the sound. So a transducer may be late, by as much as it finds useful. We know where the words of our strings end, so we can measure it. Zero is the end of
# the word; to the left of it the word was written before it was over.

# %% alt="A row of dots for each digit: seconds from the end of the word to its label, most within a few tenths of a second, with a bar at each mean."
late = study.delays(shipped, spoken)
everything = torch.tensor([x for values in late.values() for x in values])
print(f"{len(everything)} digits; median {everything.median():+.2f} s, one in ten later than {everything.quantile(0.9):+.2f} s")
print(f"the encoder gives a frame every {study.frame_seconds(shipped):.2f} s: times are no finer than that")
figures.delays({word: late[word] for word in data.DIGITS if word in late});

# %% [markdown]
# Which digits come early, and why these? Think of which sounds they begin with, and when you yourself could tell them from all others.
#
# ## Play with it
#
# Choose a lattice, and drag the words: a slider for each says in which frame it is said. Above the lattice stands the probability of that one alignment, and its share of all. How far can you move a word before the share is gone? Which word can be moved furthest? And in the lattice from *before training*: can you find
# any alignment that is worth more than the others?

# %% tags=["widget", "nbval-ignore-output"] alt="Sliders for each word above three panels: the features, the lattice with one alignment drawn through it, and the log-probability of each of its steps."
from tinycourse.widgets.lesson05 import AlignmentExplorer

own = {f"your digits, {name}": study.Lattice(x, target, said, mel) for name, x in reversed(lattices.items())}
AlignmentExplorer(own | {"two six, by hand": study.Lattice(log_probs, torch.tensor([1, 2]), words[1:])})

# %% [markdown]
# ## An honest comparison
#
# The second paper of this course (Shangguan et al. 2019) starts from a transducer of eight encoder layers and two prediction layers. Its test sets are private. So here is what they report, and what is ours; do *not* rank the columns by their errors.

# %%
from tinycourse.models import rnnt

paper = rnnt.paper()
rows = {
    "parameters": [f"{sum(paper.counts(4096).values()):,}"],
    "encoder, prediction layers": [f"{paper.layers}, {paper.prediction_layers}"],
    "labels": ["4,096 word pieces"],
    "speech": ["VoiceSearch, private", "strings of digits", "AN4"],
    "word error rate": ["6.6 % (their table)"],
}
for name in ("rnnt-digits", "rnnt-an4"):
    one = checkpoint.load(name)
    rows["parameters"].append(f"{sum(p.numel() for p in one.network.parameters()):,}")
    rows["encoder, prediction layers"].append(f"{one.network.config.layers}, {one.network.config.prediction_layers}")
    rows["labels"].append(f"{len(one.classes) - 1} words")
    rows["word error rate"].append(f"{one.info['testing']['word_error_rate']:.1%} (measured)")
print(f"{'':28}{'paper':24}{'rnnt-digits':24}rnnt-an4")
for name, cells in rows.items():
    print(f"{name:28}" + "".join(f"{cell:24}" for cell in cells).rstrip())
print(f"yours, after {len(history)} short epochs: {found.rate:.1%} of {found.words} digits, strings of at most {task.longest}")
print("\nWrong digits of a speaker who was kept out of training")
print(study.table(study.measured()))
print("\nHow rnnt-an4 was made")
print(one.info["command"].replace(" && ", "\n"))

# %% [markdown]
# The parameters in the left column are counted by our code from the paper's layer sizes; the paper says 122.1M (paper, table 1). The widths of embedding and joint network, which it does not state, are our fit. And mind what our numbers mean. The digits' test strings are new, but **all speakers are known from training**. AN4 (letters, numbers and dates, read by some seventy people) is tested on new speakers, and so its recogniser errs far more often.
#
# AN4 has few recordings, and spelled words have no grammar. A recurrent prediction network would learn its sentences by heart; this one has no layers and remembers the last word only. What helped most there is told by the commands behind the checkpoint, printed last: a first network only finds *where* each word ends (the best path through its lattice, as in section 3, also called the *Viterbi* path). Along these cuts every recording falls into words, and half of what the last network trains on are new sentences, joined of
# words of one speaker (`tinycourse/training/splicing.py`). It was made against one kind of error above all: "four four", recognised as one, because a word seldom follows itself in those sentences.
#
# And a voice that was not in the training? The lower table keeps one of the six speakers out of training, and tests on that one alone. Each of its numbers is a training of some minutes, so they were made before, by `benchmarks/voices.py`.
#
# On the others' new takes, the last column, each of them is a fine recogniser. On a new voice it fails on every third or fourth digit, and how badly depends on whose voice it is. That is not the lattice's fault. **Six people are not mankind**: a network trained on five voices has learned five voices. Does it help to change tempo and
# vocal tract more, so that five people sound like more? Or to let the voices of a synthesizer speak half of the strings? Compare the rows, and mind that each number is one training: what rescues one speaker does nothing for the other, or harms. Nothing that we tried made a new voice as easy as a known one. What does
# is known from every product: recordings of thousands of people.
#
# ## Quiz
#
# Decide first, then open the answer.
#
# **1. You train a transducer. After an hour its loss has fallen to a fifth, and it transcribes every sentence as nothing. What now?**
#
# (a) There is a bug in the decoder. (b) Look at the loss for each label: it may still be on the plateau. (c) Lower the probability of blank by hand.
#
# <details><summary>Answer</summary>
#
# **(b).** Section 6 computes how far the loss falls for a network that ignores the sound. If yours is at that level, it is on the way; if it has been there for long, its learning rate or its features are wrong. (a) is possible, but rare, and a lattice after training would show it. (c) makes it write labels, whatever was said.
# </details>
#
# **2. Two alignments of the same transcript differ by one frame in where a word is said. In the loss they**
#
# (a) compete, only the better one counts. (b) add up. (c) are averaged.
#
# <details><summary>Answer</summary>
#
# **(b).** The transcript is right whichever of them happened, so their probabilities add up. (a) would be training on the best path alone. (c) would make a transcript less probable the more ways there are to say it.
# </details>
#
# **3. What does the prediction network know of the sound?**
#
# (a) Everything up to now. (b) Only the current frame. (c) Nothing, except by way of the labels that were said.
#
# <details><summary>Answer</summary>
#
# **(c).** It reads labels alone. That is why it can be trained on text, and why it may learn a small training set's sentences by heart, and ignore the sound.
# </details>
#
# **4. You double the frames that are joined, so the encoder gives half as many. Which must still be possible for a transducer, and not for CTC?**
#
# (a) More labels than frames. (b) Repeating a label. (c) Silence.
#
# <details><summary>Answer</summary>
#
# **(a).** A transducer may say several labels in a frame; CTC says at most one. (b) both can, CTC with a blank between. (c) is what blank is for in both.
# </details>
#
# ## Three take-aways
#
# 1. A transducer sums over all alignments on a lattice of frames and labels; alpha and beta make that sum as cheap as visiting each node twice.
# 2. Its gradient moves it from what it does to what the good alignments do, and which are good it says itself. It learns first to be silent, then when to speak, then what to say. Each stage has a loss that you can compute beforehand.
# 3. Greedy search follows one alignment, a beam adds up several. Both run in a stream without changing a bit, and how late they are is something to measure, not to hope for.
#
# ## What comes next
#
# Do [the exercises of this lesson](../exercises/05_transducer.ipynb): you write the lattice, alpha, the gradient and greedy search, and they train and speak. [Lesson 06](06_cells.ipynb) opens the boxes: what an LSTM cell computes, and how CIFG and SRU do it with less.
#
# ## References
#
# - A. Graves: *Sequence Transduction with Recurrent Neural Networks*, 2012, [arXiv 1211.3711](https://arxiv.org/abs/1211.3711).
# - A. Graves, S. Fernández, F. Gomez, J. Schmidhuber: *Connectionist Temporal Classification*, 2006, [the paper](https://www.cs.toronto.edu/~graves/icml_2006.pdf).
# - Y. Shangguan, J. Li, Q. Liang, R. Alvarez, I. McGraw: *Optimizing Speech Recognition For The Edge*, 2019, [arXiv 1909.12408](https://arxiv.org/abs/1909.12408).
# - Y. He, T. Sainath, R. Prabhavalkar et al.: *Streaming End-to-end Speech Recognition For Mobile Devices*, 2018, [arXiv 1811.06621](https://arxiv.org/abs/1811.06621).
# - Z. Jackson et al.: [*Free Spoken Digit Dataset*](https://github.com/Jakobovski/free-spoken-digit-dataset).
