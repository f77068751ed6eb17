"""Trainings as the command line asks for them: one request in; out come a checkpoint, tested and calibrated, and its figures."""

import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from tinycourse import data
from tinycourse.data import sentences
from tinycourse.errors import TinycourseError
from tinycourse.export import deploy
from tinycourse.features.augmentation import AUGMENTATIONS
from tinycourse.models import TRANSDUCERS
from tinycourse.pruning import recipes
from tinycourse.pruning.pruner import Pruner
from tinycourse.pruning.schedule import PruneConfig
from tinycourse.training import checkpoint, classifiers, launch, resume, splicing, transducers
from tinycourse.transducer.vocabulary import Vocabulary

SPLITS = ("training", "validation", "testing")


@dataclass(frozen=True)
class Request:
    """What is to be trained: `options` as `tinycourse train --help` or `prune --help` names them, from the weights of `start`, if any."""

    options: object
    model: str | None
    start: str | None
    pruning: PruneConfig | None = None


@dataclass(frozen=True)
class Outcome:
    """A trained recogniser, one dict for each epoch, and what pruned it, if anything did."""

    recogniser: checkpoint.Recogniser
    history: list[dict]
    pruner: Pruner | None


def carry_out(request: Request) -> Outcome | None:
    """Train, test and calibrate what is asked for, and write it; None in all processes but the first.

    Raises TinycourseError for options that do not fit each other, and Diverged.
    """
    fabric = launch.fabric_for(*((1, "cpu") if request.pruning else (request.options.devices,)))
    trained = checkpoint.load(request.start, expect=request.model) if request.start else None
    kind = SentenceTraining if (trained.name if trained else request.model) in TRANSDUCERS else WordTraining
    training = kind(request, trained)
    history, pruner = training.fit(fabric)
    if not fabric.is_global_zero:
        return None
    training.finish()
    return Outcome(training.recogniser, history, pruner)


def command(trained: checkpoint.Recogniser | None, start: str | None) -> str:
    """The command that is running, behind the one that made the checkpoint it starts from."""
    earlier = [trained.info.get("command", f": {start}")] if trained else []
    return " && ".join([*earlier, "tinycourse " + shlex.join(sys.argv[1:])])


def as_asked(recipe: classifiers.TrainConfig, a) -> classifiers.TrainConfig:
    """A training recipe with those of its settings that the command line names."""
    settings = {k: getattr(a, k) for k in ("epochs", "batch", "learning_rate", "teacher", "seed")}
    return replace(recipe, augment=AUGMENTATIONS[a.augment], **{k: v for k, v in settings.items() if v is not None})


def licences(names) -> dict[str, str]:
    """The licence of each data set."""
    return {name: data.DATASETS[name].licence for name in names}


class Training:
    """What trainings of words and of sentences share: `recogniser` is trained by `fit` and judged by `test`."""

    request: Request
    recogniser: checkpoint.Recogniser

    @property
    def files(self) -> dict[str, Path]:
        """The files of checkpoints that it stands on."""
        asked, begun = self.request, "checkpoint" if self.request.pruning else "start"
        named = {begun: asked.start, "splice": getattr(asked.options, "splice", None)}
        return {name: checkpoint.path_of(given) for name, given in named.items() if given}

    def finish(self) -> None:
        """Test and write it, then once more with the ranges of its activations, and remove what --resume would have needed."""
        self.test()
        out = self.request.options.out
        checkpoint.save(self.recogniser, out)  # nothing that goes wrong from here on costs the training
        deploy.calibrate(self.recogniser)
        checkpoint.save(self.recogniser, out)
        resume.state_file(out).unlink(missing_ok=True)


class WordTraining(Training):
    """A recogniser of words on the clips of a data set."""

    def __init__(self, request: Request, trained: checkpoint.Recogniser | None):
        a, self.request = request.options, request
        extra = {"extra_unknown": tuple(a.extra_unknown)}
        if request.pruning:
            self.config = as_asked(classifiers.TrainConfig(epochs=20, learning_rate=0.005), a)
            source = data.open_for(trained.classes, a.data, **extra)
        else:
            self.config = as_asked(classifiers.TrainConfig(), a)
            source = data.open_words(a.data, classes=a.classes, **extra)
        self.recogniser = trained or classifiers.seeded(request.model, source.classes, a.seed)
        if self.recogniser.classes != source.classes:
            raise TinycourseError(f"{request.start} knows other classes than {a.data}; start from a checkpoint of the same task.")
        self.clips, self.noise = {split: source.clips(split) for split in SPLITS}, classifiers.noise_of(source)
        made = {"command": command(trained, request.start), "seed": a.seed, "epochs": self.config.epochs}
        fresh = {} if request.pruning else {"data": a.data, "data_licences": licences((a.data, *a.extra_unknown))}
        self.recogniser.info = (self.recogniser.info if request.pruning else {}) | fresh | made

    def fit(self, fabric) -> tuple[list[dict], Pruner | None]:
        """History and pruner."""
        a, pruning = self.request.options, self.request.pruning
        given = (self.recogniser, self.clips["training"], self.clips["validation"], self.noise, self.config)
        options = {"resume": a.resume, "fabric": fabric, "files": self.files}
        return recipes.prune(*given, pruning, a.out, **options) if pruning else (classifiers.fit(*given, a.out, **options), None)

    def test(self) -> None:
        """How good it is on clips that nothing was chosen by."""
        result = classifiers.evaluate(self.recogniser, self.clips["testing"])
        self.recogniser.info["testing"] = {"accuracy": result.accuracy, "count": result.count}
        self.recogniser.info["fingerprints"]["testing data"] = self.clips["testing"].fingerprint()


class SentenceTraining(Training):
    """A transducer on the sentences of a task."""

    def __init__(self, request: Request, trained: checkpoint.Recogniser | None):
        a, self.request = request.options, request
        asked = {"source": a.source, "hold_out": a.hold_out, "extra": tuple(a.extra)}
        recipe = {"seed": a.seed, "epochs": a.epochs, "batch": a.batch, "learning_rate": a.learning_rate}
        if request.pruning:
            self.task = sentences.open_for(trained.info, a.data, **asked)
            self.config, self.recogniser, self.supply = recipes.retraining(a.data, **recipe), trained, None
            fresh = trained.info
        else:
            self.config, self.task = transducers.recipe(a.data, ctc=a.ctc, **recipe), sentences.open_task(a.data, **asked)
            cutter = splicing.cutter(a.splice, self.task) if a.splice else None
            self.recogniser = self.begun(trained)
            earlier = trained.info.get("data_licences", {}) if trained else {}
            chosen = {k: v for k, v in asked.items() if v and k != "extra"}
            fresh = {"data": a.data, "data_options": chosen, "data_licences": earlier | licences(self.task.sources)}
            self.supply = splicing.Spliced(self.task.training(self.recogniser.frontend), cutter) if cutter else None
        made = {"command": command(trained, request.start), "seed": a.seed, "epochs": self.config.epochs}
        self.recogniser.info = fresh | made

    def begun(self, trained: checkpoint.Recogniser | None) -> checkpoint.Recogniser:
        """What the training begins with: `trained`, or a fresh recogniser, with the encoder of `trained` where there is one."""
        a = self.request.options
        if trained and not a.tokens:
            return trained
        fresh = transducers.recogniser_for(a.model, Vocabulary.of(self.task.texts(), a.tokens or self.task.tokens), a.seed)
        if trained:
            transducers.load_encoder(fresh, trained)
        return fresh

    def fit(self, fabric) -> tuple[list[dict], Pruner | None]:
        """History and pruner."""
        a, given = self.request.options, (self.recogniser, self.task, self.config)
        options = {"resume": a.resume, "fabric": fabric, "supply": self.supply, "files": self.files}
        if self.request.pruning:
            return recipes.prune_transducer(*given, self.request.pruning, a.out, **options)
        return transducers.fit(*given, a.out, **options), None

    def test(self) -> None:
        """Word errors on recordings that nothing was chosen by, and once more on those of validation, as its last weights are."""
        speech, info = {split: self.task.speech(split) for split in SPLITS[1:]}, self.recogniser.info
        found = {split: transducers.evaluate(self.recogniser, one).as_dict() for split, one in speech.items()}
        info["fingerprints"]["testing data"] = speech["testing"].fingerprint()
        info["validation"] |= found["validation"]
        info["testing"] = found["testing"]
