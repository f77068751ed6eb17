"""The verbs that train: train, and prune. torch takes seconds to import, so every verb imports what it needs."""

import shlex
import sys
from dataclasses import asdict, replace
from pathlib import Path

from tinycourse.cli.options import (
    NewFile,
    Verb,
    count,
    given,
    must_be_safetensors,
    not_negative,
    positive,
    seed,
    share,
    sparsity_of,
    strings,
)
from tinycourse.cli.output import quality, show
from tinycourse.errors import TinycourseError


def train(a) -> None:
    """Train a network of words or of sentences, test it and write it; show how it went."""
    from tinycourse import data
    from tinycourse.models import TRANSDUCERS
    from tinycourse.training import checkpoint, classifiers, launch

    must_be_safetensors(a.out)
    fabric = launch.fabric_for(a.devices)
    if a.model in TRANSDUCERS:
        return train_transducer(a, fabric)
    config = as_asked(classifiers.TrainConfig(), a)
    source = data.open_dataset(a.data, classes=a.classes, extra_unknown=tuple(a.extra_unknown))
    splits = {split: source.clips(split) for split in ("training", "validation", "testing")}
    recogniser = checkpoint.load(a.start, expect=a.model) if a.start else classifiers.seeded(a.model, source.classes, a.seed)
    if recogniser.classes != source.classes:
        raise TinycourseError(f"{a.start} knows other classes than {a.data}; start from a checkpoint of the same task.")
    recogniser.info = {
        "command": command(recogniser, a.start),
        "data": a.data,
        "data_licences": {name: data.DATASETS[name].licence for name in (a.data, *a.extra_unknown)},
        "seed": a.seed,
        "epochs": config.epochs,
    }
    clips, noise, files = (splits["training"], splits["validation"]), classifiers.noise_of(source), files_of(a, "start")
    history = classifiers.fit(recogniser, *clips, noise, config, a.out, a.resume, fabric, files=files)
    if not fabric.is_global_zero:
        return
    result = finish(recogniser, splits["testing"], a.out)
    best = recogniser.info["validation"]
    figures = {"checkpoint": str(a.out), "validation": best, "testing": recogniser.info["testing"], "history": history}
    show(figures, a.json, f"{a.out}: {best['accuracy']:.2%} on validation (epoch {best['epoch']}), {result.accuracy:.2%} on testing")


def files_of(a, *options: str) -> dict[str, Path]:
    """The files of checkpoints that a training stands on: of those of these options that were given."""
    from tinycourse.training import checkpoint

    return {name: checkpoint.path_of(given) for name in options if (given := getattr(a, name))}


def finish(recogniser, clips, out: Path):
    """Test a trained recogniser, write it, and remove what --resume would have needed; returns the report."""
    from tinycourse.training import classifiers

    result = classifiers.evaluate(recogniser, clips)
    recogniser.info["testing"] = {"accuracy": result.accuracy, "count": result.count}
    recogniser.info["fingerprints"]["testing data"] = clips.fingerprint()
    write_trained(recogniser, out)
    return result


def write_trained(recogniser, out: Path) -> None:
    """Write a trained recogniser, then once more with the ranges of its activations, and remove what --resume would have needed."""
    from tinycourse.export import deploy
    from tinycourse.training import checkpoint, resume

    checkpoint.save(recogniser, out)  # nothing that goes wrong from here on costs the training
    deploy.calibrate(recogniser)
    checkpoint.save(recogniser, out)
    resume.state_file(out).unlink(missing_ok=True)


def as_asked(recipe, a):
    """A training recipe with those of its settings that the command line names."""
    from tinycourse.features.augmentation import AUGMENTATIONS

    settings = {k: getattr(a, k) for k in ("epochs", "batch", "learning_rate", "teacher", "seed")}
    return replace(recipe, augment=AUGMENTATIONS[a.augment], **{k: v for k, v in settings.items() if v is not None})


def command(recogniser, start: str | None) -> str:
    """The command that is running, behind the one that made the checkpoint it starts from."""
    earlier = [recogniser.info.get("command", f": {start}")] if start else []
    return " && ".join([*earlier, "tinycourse " + shlex.join(sys.argv[1:])])


def train_transducer(a, fabric) -> None:
    """The same for one that writes sentences."""
    from tinycourse import data
    from tinycourse.data import sentences
    from tinycourse.training import checkpoint, splicing, transducers
    from tinycourse.transducer.vocabulary import Vocabulary

    config = transducers.recipe(a.data, seed=a.seed, epochs=a.epochs, batch=a.batch, learning_rate=a.learning_rate, ctc=a.ctc)
    options = {"source": a.source, "hold_out": a.hold_out, "extra": tuple(a.extra)}
    task = sentences.open_task(a.data, **options)
    trained = checkpoint.load(a.start, expect=a.model) if a.start else None
    cutter = splicing.cutter(a.splice, task) if a.splice else None
    if trained and not a.tokens:
        recogniser = trained
    else:
        recogniser = transducers.recogniser_for(a.model, Vocabulary.of(task.texts(), a.tokens or task.tokens), a.seed)
        if trained:
            transducers.hear_as(recogniser, trained)
    recogniser.info = {
        "command": command(trained, a.start),
        "data": a.data,
        "data_options": {k: v for k, v in options.items() if v and k != "extra"},
        "data_licences": (trained.info.get("data_licences", {}) if trained else {})
        | {name: data.DATASETS[name].licence for name in task.sources},
        "seed": a.seed,
        "epochs": config.epochs,
    }
    supply = splicing.Spliced(task.training(recogniser.frontend), cutter) if cutter else None
    files = files_of(a, "start", "splice")
    history = transducers.fit(recogniser, task, config, a.out, a.resume, fabric, supply=supply, files=files)
    if not fabric.is_global_zero:
        return
    found = finish_transducer(recogniser, task, a.out)
    figures = {"checkpoint": str(a.out), **{split: recogniser.info[split] for split in found}, "history": history}
    rates = ", ".join(f"{one.rate:.2%} on {split}" for split, one in found.items())
    show(figures, a.json, f"{a.out}: word error rate {rates} (epoch {recogniser.info['validation']['epoch']})")


def finish_transducer(recogniser, task, out: Path) -> dict:
    """As `finish`, for a recogniser of sentences; returns its errors on validation and testing."""
    from tinycourse.training import transducers

    speech = {split: task.speech(split) for split in ("validation", "testing")}
    found = {split: transducers.evaluate(recogniser, one) for split, one in speech.items()}
    recogniser.info["fingerprints"]["testing data"] = speech["testing"].fingerprint()
    recogniser.info["validation"] |= found["validation"].as_dict()
    recogniser.info["testing"] = found["testing"].as_dict()
    write_trained(recogniser, out)
    return found


def prune(a) -> None:
    """Prune a checkpoint while it trains on, test it and write it; show what is left of it."""
    from tinycourse.models import TRANSDUCERS
    from tinycourse.program import block_sparse
    from tinycourse.pruning import packing
    from tinycourse.pruning.schedule import PruneConfig
    from tinycourse.training import checkpoint, launch

    for path in filter(None, (a.out, a.packed)):
        must_be_safetensors(path)
    recogniser = checkpoint.load(a.checkpoint)
    how = PruneConfig(
        sparsity=a.sparsity, block=block_sparse.parse_block(a.block), scope=a.scope, only=tuple(a.only), layers=dict(a.layers),
        start=a.start, end=a.end, every=a.every, straight_through=not a.masked_gradient,
    )  # fmt: skip
    recogniser.info |= {"command": command(recogniser, a.checkpoint), "seed": a.seed}
    fabric = launch.fabric_for(1, "cpu")
    history, pruner = (prune_transducer if recogniser.name in TRANSDUCERS else prune_words)(a, recogniser, how, fabric)
    if not fabric.is_global_zero:
        return
    if a.packed:
        packing.pack(a.out, a.packed, [f"network.{name}" for name in pruner.masks], how.block)
    size = block_sparse.total({name: p.detach().numpy() for name, p in pruner.parameters.items()}, how.block)
    info = {k: recogniser.info[k] for k in ("validation", "testing", "pruning")}
    text = f"{a.out}: {pruner.sparsity:.1%} of the pruned weights are 0, {quality(info['testing'])} on testing; " + ", ".join(
        f"{form} {count:,} bytes" for form, count in asdict(size).items() if form not in ("weights", "nonzero")
    )
    show({"checkpoint": str(a.out), **info, "bytes": asdict(size), "history": history}, a.json, text)


def prune_words(a, recogniser, how, fabric) -> tuple:
    """A recogniser of words, tested and written: history and pruner."""
    from tinycourse import data
    from tinycourse.pruning import recipes
    from tinycourse.training import classifiers

    source = data.open_for(recogniser.classes, a.data, extra_unknown=tuple(a.extra_unknown))
    if recogniser.classes != source.classes:
        raise TinycourseError(f"{a.checkpoint} knows other classes than {a.data}; prune it on the task that it was trained for.")
    config = as_asked(classifiers.TrainConfig(epochs=20, learning_rate=0.005), a)
    recogniser.info["epochs"] = config.epochs
    splits = {split: source.clips(split) for split in ("training", "validation", "testing")}
    noise = classifiers.noise_of(source)
    options = {"resume": a.resume, "fabric": fabric, "files": files_of(a, "checkpoint")}
    done = recipes.prune(recogniser, splits["training"], splits["validation"], noise, config, how, a.out, **options)
    if fabric.is_global_zero:
        finish(recogniser, splits["testing"], a.out)
    return done


def prune_transducer(a, recogniser, how, fabric) -> tuple:
    """The same for one of sentences."""
    from tinycourse.data import sentences
    from tinycourse.pruning import recipes

    task = sentences.open_for(recogniser.info, a.data, source=a.source, hold_out=a.hold_out, extra=tuple(a.extra))
    config = recipes.retraining(a.data, seed=a.seed, epochs=a.epochs, batch=a.batch, learning_rate=a.learning_rate)
    recogniser.info["epochs"] = config.epochs
    options = {"resume": a.resume, "fabric": fabric, "files": files_of(a, "checkpoint")}
    done = recipes.prune_transducer(recogniser, task, config, how, a.out, **options)
    if fabric.is_global_zero:
        finish_transducer(recogniser, task, a.out)
    return done


def learning(v) -> None:
    """Options of every training."""
    v.add_argument("--data", required=True, metavar="SET")
    v.add_argument("--out", required=True, type=NewFile, metavar="F.safetensors")
    v.add_argument("--extra-unknown", nargs="*", default=[], metavar="SET", help="cut more unknown speech from these data sets")
    v.add_argument("--epochs", type=count)
    v.add_argument("--batch", type=count)
    v.add_argument("--learning-rate", type=positive)
    v.add_argument("--augment", default="full", choices=("full", "mild", "none"), help="how hard training clips are disturbed")
    v.add_argument("--teacher", default="", metavar="CKPT", help="learn from this checkpoint's answers too (distillation)")
    v.add_argument("--seed", type=seed, default=0)
    v.add_argument("--resume", action="store_true", help="go on where a killed training stopped")


def more(v) -> None:
    """Options of every training on sentences."""
    v.add_argument("--extra", nargs="*", default=[], metavar="SET", help="sentences of these data sets to train on too")


def train_options(v) -> None:
    """Options of `train`."""
    v.add_argument("model")
    v.add_argument("--classes", help="task, of data sets that have several: 10, 12, 35 or digits (default 10)")
    v.add_argument("--tokens", help="what a transducer writes: words, characters, or a number of word pieces")
    v.add_argument("--ctc", type=not_negative, metavar="WEIGHT", help="weight of the CTC loss of a transducer's encoder")
    v.add_argument("--start", metavar="CKPT", help="begin with the weights of this checkpoint (with --tokens: of its encoder)")
    v.add_argument("--splice", metavar="CKPT", help="half of the sentences joined anew of words that this transducer cuts out")
    v.add_argument("--devices", type=count, default=1, help="how many GPUs, or CPU processes where there is none")


def prune_options(v) -> None:
    """Options of `prune`."""
    v.add_argument("--packed", type=NewFile, metavar="F.safetensors", help="write it once more without its empty blocks")
    v.add_argument("--sparsity", type=share, default=0.7, help="share of the weights that go (default 0.7)")
    v.add_argument("--block", default="8x1", metavar="RxC", help="outputs x inputs that go together (default 8x1)")
    v.add_argument("--scope", default="layer", help="layer: all as sparse; lamp or global: one budget, shared out (default layer)")
    v.add_argument("--only", nargs="*", default=[], metavar="PATTERN", help="parameters to prune (default: all; of a transducer its gates)")
    v.add_argument("--layers", nargs="*", default=[], type=sparsity_of, metavar="PATTERN=S", help="exceptions; S = 0 leaves one dense")
    v.add_argument("--start", type=share, default=0.0, help="share of the training before the first mask")
    v.add_argument("--end", type=share, default=0.6, help="share of the training after which masks stay; 0 is one-shot (default 0.6)")
    v.add_argument("--every", type=count, default=10, metavar="STEPS", help="between two masks (default 10)")
    v.add_argument("--masked-gradient", action="store_true", help="no gradient for weights behind the mask")


TRAIN = Verb("train", "train a network on a data set", train, train_options, shared=(learning, strings, more))
PRUNE = Verb(
    "prune", "train a checkpoint on while its smallest weights leave", prune, prune_options, shared=(given, learning, strings, more)
)
