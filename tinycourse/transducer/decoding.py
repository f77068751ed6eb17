"""From what a transducer heard to labels, while the speaker is still speaking: greedy search and beam search.

Both take the encoder's outputs in chunks of any size (`push`) and hold what they found so far; the chunks do not change the result.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from tinycourse.models.cells import State
from tinycourse.models.rnnt import BLANK, Transducer
from tinycourse.transducer.loss import log_add


@dataclass(frozen=True)
class Limits:
    """What a search may do."""

    symbols: int = 3  # labels that one frame may emit
    blank_penalty: float = 0.0  # taken from blank's log-probability: above 0 fewer labels are lost, more are invented
    beam: int = 4  # hypotheses kept, in beam search


class Hypothesis(NamedTuple):
    """Labels, and the log-probability of the alignments that were followed to them, penalties included."""

    labels: tuple[int, ...]
    score: float


def log_probabilities(network: Transducer, encoder_out: Tensor, prediction_out: Tensor, limits: Limits) -> Tensor:
    """Of every label, blank's penalty taken off: widths [..., joint] -> [..., labels]."""
    scores = network.joint(encoder_out, prediction_out).log_softmax(-1)
    scores[..., BLANK] -= limits.blank_penalty
    return scores


class Greedy:
    """The most likely label at every node, for a batch: blank leads to the next frame, as do `limits.symbols` labels.

    `labels` and `frames`: for each utterance what was said, and at which frame of the encoder; `scores` [B]: log-probability of the
    one alignment that was followed.
    """

    @torch.no_grad()
    def __init__(self, network: Transducer, batch: int = 1, limits: Limits | None = None):
        self.network, self.limits = network.eval(), limits or Limits()
        start = torch.full((batch, 1), BLANK, device=network.device)
        self.prediction_out, self.state = self._predict(start, None)
        self.labels, self.frames, self.time = [[] for _ in range(batch)], [[] for _ in range(batch)], 0
        self.scores = self.prediction_out.new_zeros(batch, dtype=torch.float64)

    def _predict(self, label: Tensor, state) -> tuple[Tensor, tuple[State, ...]]:
        y, state = self.network.prediction(label, state)
        return self.network.joint.expected(y[:, 0]), state

    @torch.no_grad()
    def push(self, encoded: Tensor, lengths: Tensor | None = None) -> "Greedy":
        """More outputs of the encoder [B, T, outputs], of which `lengths` [B] are valid (all, if it is not given)."""
        encoder_out = self.network.joint.heard(encoded)  # [B, T, joint]
        lengths = torch.full((len(encoder_out),), encoder_out.shape[1]) if lengths is None else lengths
        for t in range(encoder_out.shape[1]):
            active = (t < lengths).to(encoder_out.device)
            for symbol in range(self.limits.symbols + 1):
                scores = log_probabilities(self.network, encoder_out[:, t], self.prediction_out, self.limits)  # [B, labels]
                score, label = (scores if symbol < self.limits.symbols else scores[:, : BLANK + 1]).max(-1)
                self.scores += torch.where(active, score, 0.0)
                active = active & (label != BLANK)
                if not active.any():
                    break
                self._say(label, active)
            self.time += 1
        return self

    def _say(self, label: Tensor, active: Tensor) -> None:
        """Append a label to the utterances that are `active` [B] and move their prediction networks on."""
        for i in active.nonzero().flatten().tolist():
            self.labels[i].append(int(label[i]))
            self.frames[i].append(self.time)
        prediction_out, state = self._predict(label[:, None], self.state)
        self.prediction_out = torch.where(active[:, None], prediction_out, self.prediction_out)
        self.state = tuple(
            tuple(torch.where(active[:, None], new, old) for new, old in zip(after, before)) for after, before in zip(state, self.state)
        )


class Beam:
    """The `limits.beam` most likely sequences of labels of one utterance, summed over the alignments that were followed.

    Frame by frame (Graves 2012, section 2.5, without its search for prefixes): the kept sequences grow by up to `limits.symbols` labels,
    best first; whatever leaves a frame by a blank and says the same is one hypothesis. With a beam that holds everything the scores
    are minus the transducer's loss.
    """

    @torch.no_grad()
    def __init__(self, network: Transducer, limits: Limits | None = None):
        self.network, self.limits = network.eval(), limits or Limits()
        self.scores: dict[tuple[int, ...], float] = {(): 0.0}  # of the kept hypotheses
        self.seen: dict[tuple[int, ...], tuple[Tensor, tuple[State, ...]]] = {}  # what the prediction network says behind each
        self._predict([()])

    def _predict(self, sequences: list[tuple[int, ...]]) -> Tensor:
        """What the prediction network says behind each sequence [n, joint]; it runs once for each new one."""
        new = [s for s in sequences if s not in self.seen]
        if new:
            before = [self.seen[s[:-1]][1] for s in new] if new[0] else []
            state = tuple(tuple(map(torch.cat, zip(*layer))) for layer in zip(*before)) if before else None
            y, state = self.network.prediction(torch.tensor([[s[-1] if s else BLANK] for s in new], device=self.network.device), state)
            prediction_out = self.network.joint.expected(y[:, 0])
            for i, s in enumerate(new):
                self.seen[s] = prediction_out[i], tuple(tuple(v[i : i + 1] for v in layer) for layer in state)
        return torch.stack([self.seen[s][0] for s in sequences])

    @torch.no_grad()
    def push(self, encoded: Tensor) -> "Beam":
        """More outputs of the encoder [T, outputs]."""
        for encoder_out in self.network.joint.heard(encoded):
            self._frame(encoder_out)
        return self

    def _frame(self, encoder_out: Tensor) -> None:
        """One frame [joint]: grow, leave by blank, keep the best."""
        done, growing, width = {}, self.scores, self.limits.beam
        for symbol in range(self.limits.symbols + 1):
            sequences = list(growing)
            scores = log_probabilities(self.network, encoder_out, self._predict(sequences), self.limits).double()  # [n, labels]
            scores += torch.tensor([list(growing.values())], dtype=torch.float64, device=scores.device).T
            for sequence, score in zip(sequences, scores[:, BLANK].tolist()):
                done[sequence] = float(log_add(done[sequence], score)) if sequence in done else score
            if symbol == self.limits.symbols:
                break
            scores[:, BLANK] = -torch.inf
            best, place = scores.flatten().topk(min(width, scores.numel() - len(sequences)))
            worst = sorted(done.values(), reverse=True)[width - 1] if len(done) >= width else -torch.inf
            labels = scores.shape[1]
            growing = {(*sequences[p // labels], p % labels): s for s, p in zip(best.tolist(), place.tolist()) if s > worst}
            if not growing:
                break
        self.scores = dict(sorted(done.items(), key=lambda item: item[1], reverse=True)[:width])
        self.seen = {s: self.seen[s] for s in self.scores}

    def best(self) -> list[Hypothesis]:
        """The kept hypotheses, best first."""
        return [Hypothesis(*item) for item in self.scores.items()]
