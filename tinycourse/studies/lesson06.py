"""Lesson 06 looks into recurrent layers: what every gate does over time, how long a cell remembers, and which cell suits which network."""

from collections.abc import Sequence
from statistics import mean

import torch
from torch import Tensor

from tinycourse.models import rnnt
from tinycourse.models.cells import CellConfig, Recurrent
from tinycourse.studies import tables
from tinycourse.training import transducers
from tinycourse.transducer.vocabulary import Vocabulary

MEASURED = tables.MEASURED / "cells.json"  # written by benchmarks/recurrent.py
PAIRS = (  # encoder and prediction network, as the paper compares them
    ("lstm", "lstm"),
    ("lstm", "sru"),
    ("sru", "lstm"),
    ("cifg", "lstm"),
    ("cifg", "sru"),
)
NAMES = {"lstm": "g i f o", "cifg": "g f o", "sru": "g n f r"}  # of the gates, in the order of their weights


@torch.no_grad()
def watch(layer: Recurrent, x: Tensor) -> dict[str, Tensor]:
    """Run a layer frame by frame: x [B, T, inputs] -> what `Recurrent.inside` names: [B, T, units], and output m [B, T, outputs].

    CIFG has an i as well: 1 - f.
    """
    state, seen = layer.start(len(x)), []
    for frame in x.unbind(1):
        seen.append(layer.inside(frame, state))
        state = seen[-1]["m"], seen[-1]["c"]
    return {name: torch.stack([one[name] for one in seen], 1) for name in seen[0]}


def half_life(f: Tensor) -> Tensor:
    """After how many frames half of a cell is forgotten, where it keeps a share f in 0..1 at every frame."""
    return torch.log(torch.tensor(0.5)) / f.clamp(1e-6, 1 - 1e-6).log()


def driven(kind: str, new: Tensor, keep: Tensor, let_in: Tensor) -> Tensor:
    """The cell [T] of one unit whose gates somebody holds by hand: new values, shares kept, and shares let in [T].

    CIFG and SRU let in what they do not keep, whatever `let_in` says.
    """
    cells, c = [], torch.zeros(())
    for g, f, i in zip(new, keep, let_in):
        c = f * c + (i if kind == "lstm" else 1 - f) * g
        cells.append(c)
    return torch.stack(cells)


def compose(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Two steps c -> keep * c + add, as one such step."""
    return first[0] * second[0], second[0] * first[1] + second[1]


def scan(f: Tensor, added: Tensor) -> Tensor:
    """Cells c(t) = f(t) c(t - 1) + added(t) from c = 0, for all frames in log2(T) rounds: [T, ...] each -> [T, ...]."""
    step, distance = (f, added), 1
    while distance < len(f):
        before = tuple(torch.cat([torch.full_like(x[:distance], start), x[:-distance]]) for x, start in zip(step, (1.0, 0.0)))
        step, distance = compose(before, step), 2 * distance
    return step[1]


def reach(frames: int) -> list[list[tuple[int, int]]]:
    """After each round of `scan`: the first and the last frame that the value of each frame holds."""
    spans, rounds, distance = [(t, t) for t in range(frames)], [], 1
    rounds.append(spans)
    while distance < frames:
        spans = [(spans[t - distance][0] if t >= distance else spans[t][0], t) for t in range(frames)]
        rounds.append(spans)
        distance *= 2
    return rounds


# --------------------------------------------------------------------------------------- the paper's recogniser


def paper_sizes() -> dict[str, int]:
    """Parameters of the paper's recogniser, counted from its layers, as its table lists them and with other cells."""
    dense, cifg, both = rnnt.paper(), rnnt.paper("ln-cifg", "ln-lstm"), rnnt.paper("ln-cifg", "ln-sru")
    pruned = {f"LSTM, {share:.0%} of the gates pruned": dense.sparse(4096, share) for share in (0.5, 0.7, 0.8)}
    return {
        "LSTM, dense": dense.sparse(4096, 0.0),
        **pruned,
        "CIFG encoder, dense": cifg.sparse(4096, 0.0),
        "CIFG encoder, SRU prediction, dense": both.sparse(4096, 0.0),
        "CIFG encoder, SRU prediction, 50% of the gates pruned": both.sparse(4096, 0.5),
    }


def work(config: rnnt.RNNTConfig, per_second: float) -> int:
    """Multiply-adds of the encoder for one second of sound, `per_second` frames of features: of its matrices."""
    rate, total = per_second / config.hop, 0.0
    for number, width in enumerate(config.encoder_inputs()):
        rate /= config.reduction if number == config.reduce_after else 1
        total += rate * config.cell.multiply_adds(width)
    return round(total)


# ---------------------------------------------------------------------------------------------------- measured


def train(encoder: str, prediction: str, task, config: transducers.SequenceConfig) -> dict:
    """Train one pair of cells on a task, and say what came out: a row of cells.json."""
    name = "rnnt-digits" if (encoder, prediction) == ("lstm", "lstm") else f"rnnt-digits-{encoder}-{prediction}"
    recogniser = transducers.recogniser_for(name, Vocabulary.of(task.texts(), task.tokens), config.seed)
    history = transducers.fit(recogniser, task, config)
    found = transducers.evaluate(recogniser, task.speech("testing"))
    return {
        "encoder": encoder,
        "prediction": prediction,
        "seed": config.seed,
        "parameters": sum(p.numel() for p in recogniser.network.parameters()),
        "validation": recogniser.info["validation"]["word_error_rate"],
        "testing": found.rate,
        "digits": found.words,
        "loss": history[-1]["loss"],
    }


def measured() -> dict:
    """What benchmarks/recurrent.py wrote."""
    return tables.read(MEASURED)


def by_pair(rows: Sequence[dict]) -> dict[str, list[float]]:
    """Error rates on testing of every seed, by pair, in the order of PAIRS."""
    found = {f"{e} / {p}": [row["testing"] for row in rows if (row["encoder"], row["prediction"]) == (e, p)] for e, p in PAIRS}
    return {name: values for name, values in found.items() if values}


def table(rows: Sequence[dict]) -> str:
    """Parameters, mean error, spread, and what stands on the safe side of the noise: below or above every seed of the first pair."""
    pairs = by_pair(rows)
    first = next(iter(pairs.values()))
    lines = [f"{'encoder / prediction':24}{'weights':>9}{'mean':>8}{'lowest to highest':>20}"]
    for name, values in pairs.items():
        weights = next(row["parameters"] for row in rows if f"{row['encoder']} / {row['prediction']}" == name)
        verdict = "better" if max(values) < min(first) else "worse" if min(values) > max(first) else ""
        lines.append(f"{name:24}{weights:9,}{mean(values):8.1%}{min(values):11.1%} to {max(values):5.1%}  {verdict}".rstrip())
    return "\n".join(lines)


def layer(kind: str, inputs: int, units: int, projection: int | None = None) -> dict[str, int]:
    """Weights of one layer by matrix, and its biases."""
    config = CellConfig(kind, units, projection)
    matrices = config.matrices(inputs)
    return matrices | {"bias": config.parameters(inputs) - sum(matrices.values())}
