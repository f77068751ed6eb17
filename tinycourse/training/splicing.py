"""New sentences from old ones: recordings are cut where a recogniser hears a word end, and words of one speaker joined in any order.

A few hundred sentences teach a network which sentences there are, rather than what a word sounds like; and a word that follows itself,
as in "four four", is hardly among them. Alignments by an earlier recogniser are how speech recognition has long found its words.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from tinycourse.data.sentences import ConnectedDigits, Disturbance, Example, SentenceEnergies, Sentences, drawn_words
from tinycourse.errors import TinycourseError
from tinycourse.models import TRANSDUCERS
from tinycourse.models.rnnt import BLANK
from tinycourse.training import checkpoint
from tinycourse.training.checkpoint import Recogniser
from tinycourse.transducer import alignments
from tinycourse.transducer.vocabulary import BEGIN, Vocabulary

BEFORE, BEHIND = 1, 3  # outputs of the encoder around the one that says a word, among which its quiet end is looked for
FIRST = 10  # outputs of the encoder that the first word may take: the rest is silence before it
SHORTEST = 5  # frames; what is shorter was cut wrongly


def cutter(name: str, task: ConnectedDigits | Sentences) -> Recogniser:
    """The transducer that shall cut a task's recordings. Raises TinycourseError if it is none, or if they are words already."""
    if not isinstance(task, Sentences):
        raise TinycourseError(f"{task.name} is joined of single words already: leave --splice out, or train on sentences (an4).")
    recogniser = checkpoint.load(name)
    if recogniser.name not in TRANSDUCERS:
        raise TinycourseError(f"{name} holds {recogniser.name}, which knows one word at a time; give --splice a transducer.")
    return recogniser


@torch.no_grad()
def cuts(recogniser: Recogniser, energies: Tensor, text: str) -> list[int]:
    """Where the words of a recording begin, and where the last one ends, in frames of its mel energies [frames, mels].

    Each cut is the quietest frame near the place where the most probable alignment says the last label of a word.
    """
    network, vocabulary = recogniser.network, Vocabulary(recogniser.classes)
    labels = vocabulary.encode(text)
    encoder_out, _ = network.encoder(recogniser.frontend.finish(energies[None])[:, 0])
    log_probs = network.lattice(encoder_out, torch.tensor([labels]))[0].log_softmax(-1)  # [T', U + 1, V]
    places = alignments.places(alignments.best(log_probs.numpy(), np.array(labels), BLANK))
    begins = [vocabulary.pieces[label].startswith(BEGIN) for label in labels]
    ends = [place for place, last in zip(places, [*begins[1:], True]) if last]
    size, level = network.config.hop * network.config.reduction, energies.mean(1)
    found = [max(0, ends[0] - FIRST) * size]
    for end, following in zip(ends, [*ends[1:], len(encoder_out[0])]):
        first = min(max(found[-1] + 1, (end - BEFORE) * size), len(level) - 1)
        last = max(first + 1, min((end + BEHIND) * size, (end + following) * size // 2))
        found.append(first + int(level[first:last].argmin()))
    return found


class Spliced:
    """Supplies a share of new sentences, of up to `longest` words, among those of `whole`."""

    def __init__(self, whole: SentenceEnergies, recogniser: Recogniser, share: float = 0.5, again: float = 0.25, longest: int = 8):
        self.whole, self.share, self.again, self.longest = whole, share, again, longest
        self.fingerprint = whole.fingerprint
        self.words = {}  # speaker -> [(word, mel energies [frames, mels])]
        for energies, text, speaker in zip(tqdm(whole.energies, desc="cutting", delay=2, leave=False), whole.texts, whole.speakers):
            places = cuts(recogniser, energies.float(), text)
            parts = [(word, energies[a:b]) for word, a, b in zip(text.split(), places, places[1:]) if b - a >= SHORTEST]
            self.words.setdefault(speaker, []).extend(parts)

    def __len__(self) -> int:
        return len(self.whole)

    def epoch(self, disturb: Disturbance, chance: np.random.RandomState, share: float = 1.0) -> Iterator[Example]:
        """As the epoch of `whole`, with a share of its examples replaced."""
        for example in self.whole.epoch(disturb, chance, share):
            yield self.sentence(disturb, chance) if chance.random_sample() < self.share else example

    def sentence(self, disturb: Disturbance, chance: np.random.RandomState) -> Example:
        """A new sentence: mel energies [frames, mels] and its text."""
        chosen = drawn_words(self.words, chance, self.longest, self.again)
        return disturb(torch.cat([part for _, part in chosen]).float(), self.whole.noise, chance), " ".join(word for word, _ in chosen)
