"""Vocabularies of recognisers that write: from a transcript to labels and back, and how wrong a transcript is.

Labels are pieces of words in the notation of sentencepiece, where "▁" begins a word. A vocabulary of whole words, one of characters
and one of word pieces differ in nothing but what their pieces are. Label 0 is blank.
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass

from tinycourse.errors import TinycourseError

BLANK_TOKEN, BEGIN = "<blank>", "▁"


@dataclass(frozen=True)
class Vocabulary:
    """`pieces[0]` is blank. What a checkpoint calls its classes."""

    pieces: tuple[str, ...]

    @classmethod
    def of(cls, texts: Iterable[str], kind: str) -> "Vocabulary":
        """The vocabulary that can write `texts`: "words", "characters", or how many word pieces (by sentencepiece), as in "500"."""
        words = sorted({word for text in texts for word in text.split()})
        if kind == "words":
            pieces = [BEGIN + word for word in words]
        elif kind == "characters":
            pieces = [BEGIN, *sorted(set("".join(words)))]
        elif kind.isdecimal():
            pieces = word_pieces(texts, int(kind))
        else:
            raise TinycourseError(f"There is no vocabulary of {kind!r}: choose words, characters, or a number of word pieces.")
        return cls((BLANK_TOKEN, *pieces))

    def encode(self, text: str) -> list[int]:
        """Labels of a text: in every word the longest piece that fits, then the next. Raises TinycourseError if none fits."""
        place, labels = {piece: i for i, piece in enumerate(self.pieces)}, []
        for word in text.split():
            rest = BEGIN + word
            while rest:
                length = next((n for n in range(len(rest), 0, -1) if rest[:n] in place), None)
                if length is None:
                    raise TinycourseError(f"The vocabulary cannot write {word!r}: use one made from these transcripts, or of characters.")
                labels.append(place[rest[:length]])
                rest = rest[length:]
        return labels

    def decode(self, labels: Iterable[int]) -> str:
        """The text that labels say."""
        return " ".join("".join(self.pieces[label] for label in labels).replace(BEGIN, " ").split())


def word_pieces(texts: Iterable[str], size: int) -> list[str]:
    """`size` - 1 word pieces of byte pair encoding, and every character, so that any word can be written. By sentencepiece."""
    try:
        import sentencepiece
    except ImportError:
        raise TinycourseError("Word pieces need sentencepiece: pip install sentencepiece, or choose words or characters.") from None
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts), model_writer=model, vocab_size=size, model_type="bpe", character_coverage=1.0,
            bos_id=-1, eos_id=-1, minloglevel=2, num_threads=1,
        )  # fmt: skip
    except RuntimeError:
        raise TinycourseError(f"These transcripts do not give {size} word pieces: ask for fewer, or more than their characters.") from None
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return [processor.id_to_piece(i) for i in range(processor.get_piece_size()) if not processor.is_unknown(i)]


@dataclass(frozen=True)
class Errors:
    """Words that differ between what was said and what was written; `words` were said, in `count` utterances."""

    substitutions: int
    deletions: int
    insertions: int
    words: int
    count: int

    @property
    def rate(self) -> float:
        """Word error rate, 0 for none; it can pass 1."""
        return (self.substitutions + self.deletions + self.insertions) / self.words

    def as_dict(self) -> dict:
        """For `--json`."""
        kinds = {"substitutions": self.substitutions, "deletions": self.deletions, "insertions": self.insertions}
        return {"word_error_rate": self.rate, "count": self.count, "words": self.words, **kinds}


def errors(said: list[str], written: list[str]) -> Errors:
    """Compare transcripts word by word, by jiwer, whatever their case. Raises TinycourseError if nothing was said."""
    import jiwer

    said, written = ([text.lower() for text in texts] for texts in (said, written))
    words = sum(len(text.split()) for text in said)
    if not words:
        raise TinycourseError("There is no word to recognise in these utterances: give others.")
    found = jiwer.process_words(said, written)
    return Errors(found.substitutions, found.deletions, found.insertions, words, len(said))
