"""From what a transducer computes to labels: its loss, alignments, decoding, vocabulary.

Lesson 05 teaches it.
Add a search to `decoding.py`.
"""

from tinycourse.transducer.decoding import Beam, Greedy, Limits
from tinycourse.transducer.loss import reference_alpha, reference_beta, reference_loss, rnnt_loss
from tinycourse.transducer.vocabulary import Vocabulary, errors

__all__ = ["Beam", "Greedy", "Limits", "Vocabulary", "errors", "reference_alpha", "reference_beta", "reference_loss", "rnnt_loss"]
