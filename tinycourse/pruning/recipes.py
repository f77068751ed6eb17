"""Trained recognisers pruned while they are trained on: keyword spotters and transducers."""

from dataclasses import replace
from pathlib import Path

from torch import Tensor

from tinycourse.pruning.pruner import Pruner
from tinycourse.pruning.schedule import PruneConfig
from tinycourse.training import classifiers, transducers


def prune(
    recogniser, clips, validation, noise: Tensor, config: classifiers.TrainConfig, pruning: PruneConfig, out: Path | None = None, **options
) -> tuple[list[dict], Pruner]:
    """Train a keyword recogniser on while it is pruned; see `classifiers.fit` for the arguments and `options` (resume, fabric, files).

    Afterwards it holds the best of those epochs that ended at the final sparsity, as plain weights with zeros. `info["pruning"]` says what
    was done. Returns the history, with the sparsity of each epoch, and the pruner.
    """
    pruner = Pruner(recogniser.network, pruning, config.epochs * (len(clips) // config.batch))
    history = classifiers.fit(recogniser, clips, validation, noise, config, out, pruner=pruner, **options)
    recogniser.info["pruning"] = pruner.record()
    return history, pruner


def retraining(data: str, **given) -> transducers.SequenceConfig:
    """The recipe of a task for a transducer that can do it already: half as long, half as fast, nothing easy first; or as given."""
    whole = transducers.recipe(data)
    half = {"epochs": whole.epochs // 2, "learning_rate": whole.learning_rate / 2}
    return replace(transducers.recipe(data, **half | {k: v for k, v in given.items() if v is not None}), curriculum=0)


def prune_transducer(
    recogniser, task, config: transducers.SequenceConfig, pruning: PruneConfig, out: Path | None = None, supply=None, **options
) -> tuple[list[dict], Pruner]:
    """The same for a recogniser of sentences, on a task of data/sentences.py; see `transducers.fit`."""
    supply = supply or task.training(recogniser.frontend)
    pruner = Pruner(recogniser.network, pruning, config.epochs * (len(supply) // config.batch))
    history = transducers.fit(recogniser, task, config, out, pruner=pruner, supply=supply, **options)
    recogniser.info["pruning"] = pruner.record()
    return history, pruner
