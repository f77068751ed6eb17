"""The command line. Figures go to standard output (one JSON object with --json), progress and words to standard error."""

import argparse
import json
import math
import shlex
import sys
from dataclasses import asdict, replace
from pathlib import Path

from tinycourse.errors import TinycourseError

# torch takes seconds to import, so every verb imports what it needs.


def say(*words) -> None:
    """To the person, not to the pipe."""
    print(*words, file=sys.stderr, flush=True)


def show(figures: dict, as_json: bool, text: str) -> None:
    """The result of a verb, for a program or for a person."""
    print(json.dumps(figures, indent=1) if as_json else text)


def table(rows: list[list], header: list[str]) -> str:
    """Aligned columns."""
    cells = [[str(c) for c in row] for row in [header, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in cells)


# ------------------------------------------------------------------------------------------------- the verbs


def doctor(a) -> int:
    from tinycourse import doctor

    return doctor.main(json=a.json, repair=a.repair)


def data_list(a) -> None:
    from tinycourse import data

    rows = data.status()
    text = table([[r["name"], r["folder"] or "not found", r["licence"], r["title"]] for r in rows], ["name", "where", "licence", "what"])
    show({"root": str(data.root()), "data_sets": rows}, a.json, f"data is looked for in {data.root()}\n{text}")


def data_get(a) -> None:
    from tinycourse import download

    for name in a.names:
        say(f"{name}: {download.get(name)}")


def models(a) -> None:
    from tinycourse.models import MODELS, TRANSDUCERS

    about = {name: entry.about for name, entry in (MODELS | TRANSDUCERS).items()}
    show(about, a.json, table([list(row) for row in about.items()], ["name", "what"]))


def checkpoints(a) -> None:
    from tinycourse import checkpoint

    found = {name: checkpoint.load(name).info for name in checkpoint.shipped() | checkpoint.transducers()}
    rows = [[name, *(quality(info[s]) for s in ("validation", "testing")), info["command"]] for name, info in found.items()]
    show(found, a.json, table(rows, ["name", "validation", "testing", "made by"]))


def quality(figures: dict) -> str:
    """Accuracy of a recogniser of words, word error rate of one that writes."""
    return f"{figures['accuracy']:.2%}" if "accuracy" in figures else f"{figures['word_error_rate']:.2%} wrong"


def profile(a) -> None:
    import torch

    from tinycourse import models, profiling

    network = models.build(a.model, a.classes or models.entry(a.model).classes)
    p = profiling.profile(network, torch.zeros(1, *models.frontend(a.model).shape))
    figures = {"model": a.model} | asdict(p)
    lines = [f"{k:18} {v:,}" if isinstance(v, int) else f"{k:18} {v}" for k, v in figures.items() if k != "layers"]
    show(figures, a.json, "\n".join(lines + [table([[k, f"{v:,}"] for k, v in p.layers.items()], ["layer", "multiply-adds"])]))


def train(a) -> None:
    from lightning_fabric import Fabric

    from tinycourse import checkpoint, data, training
    from tinycourse.models import TRANSDUCERS

    must_be_safetensors(a.out)
    fabric = Fabric(accelerator="auto", devices=a.devices, strategy="ddp" if a.devices > 1 else "auto")
    fabric.launch()
    if a.model in TRANSDUCERS:
        return train_transducer(a, fabric)
    config = as_asked(training.TrainConfig(), a)
    source = data.open_dataset(a.data, classes=a.classes, extra_unknown=tuple(a.extra_unknown))
    splits = {split: source.clips(split) for split in ("training", "validation", "testing")}
    recogniser = checkpoint.load(a.start, expect=a.model) if a.start else training.seeded(a.model, source.classes, a.seed)
    if recogniser.classes != source.classes:
        raise TinycourseError(f"{a.start} knows other classes than {a.data}; start from a checkpoint of the same task.")
    recogniser.info = {
        "command": command(recogniser, a.start),
        "data": a.data,
        "data_licences": {name: data.DATASETS[name].licence for name in (a.data, *a.extra_unknown)},
        "seed": a.seed,
        "epochs": config.epochs,
    }
    history = training.fit(recogniser, splits["training"], splits["validation"], training.noise_of(source), config, a.out, a.resume, fabric)
    if not fabric.is_global_zero:
        return
    result = finish(recogniser, splits["testing"], a.out)
    best = recogniser.info["validation"]
    figures = {"checkpoint": str(a.out), "validation": best, "testing": recogniser.info["testing"], "history": history}
    show(figures, a.json, f"{a.out}: {best['accuracy']:.2%} on validation (epoch {best['epoch']}), {result.accuracy:.2%} on testing")


def must_be_safetensors(path: Path) -> None:
    """Raises TinycourseError for another kind of file."""
    if path.suffix != ".safetensors":
        raise TinycourseError(f"{path}: a checkpoint is a .safetensors file; give its name that ending.")


def finish(recogniser, clips, out: Path):
    """Test a trained recogniser, write it, and remove what --resume would have needed; returns the report."""
    from tinycourse import checkpoint, training

    result = training.evaluate(recogniser, clips)
    recogniser.info["testing"] = {"accuracy": result.accuracy, "count": result.count}
    checkpoint.save(recogniser, out)
    training.state_file(out).unlink(missing_ok=True)
    return result


def as_asked(recipe, a):
    """A training recipe with those of its settings that the command line names."""
    from tinycourse.augmentation import AUGMENTATIONS

    settings = {k: getattr(a, k) for k in ("epochs", "batch", "learning_rate", "teacher", "seed")}
    return replace(recipe, augment=AUGMENTATIONS[a.augment], **{k: v for k, v in settings.items() if v})


def command(recogniser, start: str | None) -> str:
    """The command that is running, behind the one that made the checkpoint it starts from."""
    earlier = [recogniser.info.get("command", f": {start}")] if start else []
    return " && ".join([*earlier, "tinycourse " + shlex.join(sys.argv[1:])])


def train_transducer(a, fabric) -> None:
    from tinycourse import checkpoint, data, sequence_training, sequences
    from tinycourse.words import Vocabulary

    config = sequence_training.recipe(a.data, seed=a.seed, epochs=a.epochs, batch=a.batch, learning_rate=a.learning_rate, ctc=a.ctc)
    options = {"source": a.source, "hold_out": a.hold_out, "extra": tuple(a.extra)}
    task = sequences.open_task(a.data, **options)
    if a.start:
        recogniser = checkpoint.load(a.start, expect=a.model)
    else:
        recogniser = sequence_training.recogniser_for(a.model, Vocabulary.of(task.texts(), a.tokens or task.tokens), a.seed)
    recogniser.info = {
        "command": command(recogniser, a.start),
        "data": a.data,
        "data_options": {k: v for k, v in options.items() if v and k != "extra"},
        "data_licences": {name: data.DATASETS[name].licence for name in task.sources},
        "seed": a.seed,
        "epochs": config.epochs,
    }
    history = sequence_training.fit(recogniser, task, config, a.out, a.resume, fabric)
    if not fabric.is_global_zero:
        return
    found = finish_transducer(recogniser, task, a.out)
    figures = {"checkpoint": str(a.out), **{split: recogniser.info[split] for split in found}, "history": history}
    rates = ", ".join(f"{one.rate:.2%} on {split}" for split, one in found.items())
    show(figures, a.json, f"{a.out}: word error rate {rates} (epoch {recogniser.info['validation']['epoch']})")


def finish_transducer(recogniser, task, out: Path) -> dict:
    """As `finish`, for a recogniser of sentences; returns its errors on validation and testing."""
    from tinycourse import checkpoint, sequence_training, training

    found = {split: sequence_training.evaluate(recogniser, task.speech(split)) for split in ("validation", "testing")}
    recogniser.info["validation"] |= found["validation"].as_dict()
    recogniser.info["testing"] = found["testing"].as_dict()
    checkpoint.save(recogniser, out)
    training.state_file(out).unlink(missing_ok=True)
    return found


def prune(a) -> None:
    from tinycourse import checkpoint, sparse
    from tinycourse.models import TRANSDUCERS
    from tinycourse.pruning import PruneConfig

    for path in filter(None, (a.out, a.packed)):
        must_be_safetensors(path)
    recogniser = checkpoint.load(a.checkpoint)
    how = PruneConfig(
        sparsity=a.sparsity, block=sparse.parse_block(a.block), scope=a.scope, only=tuple(a.only), layers=dict(a.layers),
        start=a.start, end=a.end, every=a.every, straight_through=not a.masked_gradient,
    )  # fmt: skip
    recogniser.info |= {"command": command(recogniser, a.checkpoint), "seed": a.seed}
    history, pruner = (prune_transducer if recogniser.name in TRANSDUCERS else prune_words)(a, recogniser, how)
    if a.packed:
        sparse.pack(a.out, a.packed, [f"network.{name}" for name in pruner.masks], how.block)
    size = sparse.total({name: p.detach().numpy() for name, p in pruner.parameters.items()}, how.block)
    info = {k: recogniser.info[k] for k in ("validation", "testing", "pruning")}
    text = f"{a.out}: {pruner.sparsity:.1%} of the pruned weights are 0, {quality(info['testing'])} on testing; " + ", ".join(
        f"{form} {count:,} bytes" for form, count in asdict(size).items() if form not in ("weights", "nonzero")
    )
    show({"checkpoint": str(a.out), **info, "bytes": asdict(size), "history": history}, a.json, text)


def prune_words(a, recogniser, how) -> tuple:
    """A recogniser of words, tested and written: history and pruner."""
    from tinycourse import data, pruning, training

    source = data.open_for(recogniser.classes, a.data, extra_unknown=tuple(a.extra_unknown))
    if recogniser.classes != source.classes:
        raise TinycourseError(f"{a.checkpoint} knows other classes than {a.data}; prune it on the task that it was trained for.")
    config = as_asked(training.TrainConfig(epochs=20, learning_rate=0.005), a)
    recogniser.info["epochs"] = config.epochs
    splits = {split: source.clips(split) for split in ("training", "validation", "testing")}
    noise = training.noise_of(source)
    done = pruning.prune(recogniser, splits["training"], splits["validation"], noise, config, how, a.out, resume=a.resume)
    finish(recogniser, splits["testing"], a.out)
    return done


def prune_transducer(a, recogniser, how) -> tuple:
    """The same for one of sentences."""
    from tinycourse import pruning

    task = open_sentences(recogniser, a.data, source=a.source, hold_out=a.hold_out, extra=tuple(a.extra))
    config = pruning.retraining(a.data, seed=a.seed, epochs=a.epochs, batch=a.batch, learning_rate=a.learning_rate)
    recogniser.info["epochs"] = config.epochs
    done = pruning.prune_transducer(recogniser, task, config, how, a.out, resume=a.resume)
    finish_transducer(recogniser, task, a.out)
    return done


def exception(text: str) -> tuple[str, float]:
    """'PATTERN=0.5' to (pattern, sparsity)."""
    pattern, _, sparsity = text.partition("=")
    return pattern, float(sparsity)


def open_sentences(recogniser, name: str, **given):
    """A task for a transducer, with the options that were given, and where it was trained on this one, with those of its training."""
    from tinycourse import sequences

    trained_with = recogniser.info.get("data_options", {}) if name == recogniser.info.get("data") else {}
    return sequences.open_task(name, **trained_with | {k: v for k, v in given.items() if v})


def evaluate(a) -> None:
    from tinycourse import checkpoint, data, deploy, metrics
    from tinycourse.models import TRANSDUCERS

    recogniser = checkpoint.load(a.checkpoint)
    if recogniser.name in TRANSDUCERS:
        return evaluate_transducer(a, recogniser)
    clips, left_out = data.open_for(recogniser.classes, a.data).clips(a.split).restrict(recogniser.classes)
    if left_out:
        say(f"left out, because {recogniser.name} does not know them: " + ", ".join(f"{k} ({n})" for k, n in left_out.items()))
    if a.int8:
        program = deploy.program_of(recogniser, deploy.calibration_audio(recogniser, a.calibrate))
        scores = deploy.integer_logits(program, clips.audio)
    else:
        scores = checkpoint.in_batches(recogniser, clips.audio)
    result = metrics.report(scores, clips.labels, recogniser.classes)
    figures = {"model": recogniser.name, "data": a.data, "split": a.split, "int8": a.int8, "left_out": left_out} | result.as_dict()
    rows = [[name, f"{value:.1%}"] for name, value in result.per_class.items()]
    show(figures, a.json, f"accuracy {result.accuracy:.2%} of {result.count} clips\n" + table(rows, ["class", "recognised"]))


def evaluate_transducer(a, recogniser) -> None:
    from tinycourse import sequence_training
    from tinycourse.decoding import Limits
    from tinycourse.integer_rnnt import integer_recogniser

    task = open_sentences(recogniser, a.data, source=a.source, hold_out=a.hold_out)
    forms, speech, limits = {"float": recogniser}, task.speech(a.split), Limits(beam=a.beam) if a.beam else None
    if a.int8:
        forms["int8"] = integer_recogniser(recogniser, calibration_speech(recogniser, a.calibrate))
    found = {form: sequence_training.evaluate(one, speech, limits, beam=bool(a.beam)) for form, one in forms.items()}
    asked = found["int8" if a.int8 else "float"]
    figures = {"model": recogniser.name, "data": a.data, "split": a.split, "beam": a.beam, "int8": a.int8} | asked.as_dict()
    figures |= {form: one.as_dict() for form, one in found.items() if one is not asked}
    rows = [[form, f"{e.rate:.2%}", e.substitutions, e.deletions, e.insertions] for form, e in found.items()]
    header = ["", "word error rate", "substituted", "lost", "invented"]
    show(figures, a.json, f"{asked.words} words in {asked.count} utterances\n" + table(rows, header))


def calibration_speech(recogniser, name: str | None, count: int = 100):
    """Training utterances to measure the range of every activation on: of `name`, or of the data it was trained on."""
    name = name or recogniser.info.get("data", "connected-digits")
    audio = open_sentences(recogniser, name).speech("training").audio
    chosen = audio[:: max(1, len(audio) // count)][:count]
    say(f"calibrating on {len(chosen)} training utterances of {name}")
    return chosen


def quantize(a) -> None:
    import torch

    from tinycourse import checkpoint, deploy, integer_rnnt, quantization
    from tinycourse.models import TRANSDUCERS

    must_be_safetensors(a.out)
    recogniser = checkpoint.load(a.checkpoint)
    if recogniser.name in TRANSDUCERS:
        audio = calibration_speech(recogniser, a.calibrate)
        integers = integer_rnnt.integer_recogniser(recogniser, audio, a.observer)
        integer_rnnt.save(integers, a.out)
        with torch.no_grad():
            features = [recogniser.frontend(checkpoint.as_float(one)[None])[0, 0] for one in audio[:20]]
        rows, programs = integer_rnnt.error_report(recogniser.network, integers.network, features), integers.network.programs
    else:
        audio = deploy.calibration_audio(recogniser, a.calibrate)
        program = deploy.program_of(recogniser, audio, a.observer)
        program.save(a.out)
        features = checkpoint.in_batches(recogniser.frontend, audio[:100])
        rows, programs = quantization.error_report(recogniser.network, program, features), {"": program}
    size = sum(op.weight_bytes for program in programs.values() for op in program.operations)
    report = [row | {"snr": row["snr"] if math.isfinite(row["snr"]) else None} for row in rows]  # JSON has no infinity
    figures = {"program": str(a.out), "model": recogniser.name, "weight_bytes": size, "report": report}
    lines = [[r.get("part", ""), r["path"], r["kind"], f"{r['snr']:.1f} dB"] for r in rows]
    show(figures, a.json, f"{a.out}: {size:,} bytes of constants\n" + table(lines, ["part", "layer", "kind", "signal to noise"]))


def export(a) -> None:
    from tinycourse import checkpoint, deploy
    from tinycourse.mcu import package

    recogniser = checkpoint.load(a.checkpoint)
    program = deploy.program_of(recogniser, deploy.calibration_audio(recogniser, a.calibrate))
    report = package.export(program, a.target, a.out)
    show(report, a.json, deploy.summary(report))


def run(a) -> None:
    from tinycourse import deploy

    results = deploy.recognise(a.dir, a.wav)
    lines = []
    for r in results:
        cost = f", {r['instructions']:,} instructions" if r["instructions"] else ""
        lines.append(f"{r['file']}: {r['label']} ({r['scores'][r['label']]:.1%}){cost}")
    show({"results": results}, a.json, "\n".join(lines))


def explore(a) -> None:
    from tinycourse import explore, findings, search_space
    from tinycourse.costs import PRESETS
    from tinycourse.proxy import Proxy

    asked = Proxy(data=a.data, extra_unknown=tuple(a.extra_unknown), training_clips=a.clips, epochs=a.epochs)
    settings = explore.Settings(a.sampler, tuple(a.objectives), a.limits, a.seed, asked)
    folder = a.folder or (explore.cache() if "://" in a.storage else Path(a.storage).resolve().parent)
    points = search_space.STARTS if a.start else ()
    study = explore.run(a.study, a.storage, settings, a.trials, a.workers, folder, points)
    found = findings.record(study) | {"command": "tinycourse " + shlex.join(sys.argv[1:])}
    for number, name in a.keep:
        findings.keep(found, int(number), name)
    if a.export:
        findings.write_record(found, a.export)
    rows = findings.front(found["rows"], settings.objectives)
    header = ["trial", *settings.objectives]
    text = table([[r["number"], *(findings.objective(r, name) for name in settings.objectives)] for r in rows], header)
    show({"study": a.study, "trained": len(findings.trained_rows(found)), "front": rows, "limits": asdict(PRESETS[a.limits])}, a.json, text)


def build(a) -> int:
    from tinycourse.authoring import build

    return build.build(a.names, check=a.check, fast=a.fast)


def grade(a) -> None:
    from tinycourse.grading import grade as grader
    from tinycourse.grading import report

    limits = grader.Limits(seconds=a.seconds, memory=int(a.memory * 2**30))
    grades = grader.grade(a.submissions, a.csv, a.feedback, a.lessons, a.workers, limits)
    show(report.figures(grades), a.json, report.summary(grades))


def serve(a) -> int:
    import subprocess

    from tinycourse.authoring.course import first_notebook

    return subprocess.call([sys.executable, "-m", "jupyterlab", str(first_notebook()), *a.arguments])


# ------------------------------------------------------------------------------------------------ the parser


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser("tinycourse", description="Tiny speech recognition: from a recording to a chip.")
    verbs = p.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name, run, help, *options, parent=verbs, json=True):
        v = parent.add_parser(name, help=help, description=help, parents=options)
        v.set_defaults(run=run)
        if json:
            v.add_argument("--json", action="store_true", help="print one JSON object")
        return v

    v = verb("doctor", doctor, "is this machine ready, and what to do if not")
    v.add_argument("--repair", action="store_true", help="make torchaudio load where its compiled part does not fit")

    sub = verbs.add_parser("data", help="data sets: which are here, and getting others").add_subparsers(required=True, metavar="VERB")
    verb("list", data_list, "every data set and where it was found", parent=sub)
    verb("get", data_get, "download, check and unpack", parent=sub, json=False).add_argument("names", nargs="+", metavar="NAME")

    verb("models", models, "the names that train, profile and evaluate accept")
    verb("checkpoints", checkpoints, "the trained networks in the package, and how each was made")

    v = verb("profile", profile, "parameters, multiply-adds and activation memory, without training")
    v.add_argument("model")
    v.add_argument("--classes", type=int, help="(default: as many as the network was designed for)")

    given = argparse.ArgumentParser(add_help=False)
    given.add_argument("checkpoint", help="a file, or the name of a shipped checkpoint")

    learning = argparse.ArgumentParser(add_help=False)
    learning.add_argument("--data", required=True, metavar="SET")
    learning.add_argument("--out", required=True, type=Path, metavar="F.safetensors")
    learning.add_argument("--extra-unknown", nargs="*", default=[], metavar="SET", help="cut more unknown speech from these data sets")
    learning.add_argument("--epochs", type=int)
    learning.add_argument("--batch", type=int)
    learning.add_argument("--learning-rate", type=float)
    learning.add_argument("--augment", default="full", choices=("full", "mild", "none"), help="how hard training clips are disturbed")
    learning.add_argument("--teacher", default="", metavar="CKPT", help="learn from this checkpoint's answers too (distillation)")
    learning.add_argument("--seed", type=int, default=0)
    learning.add_argument("--resume", action="store_true", help="go on where a killed training stopped")

    strings = argparse.ArgumentParser(add_help=False)
    strings.add_argument("--source", default="", help="what connected digits are made of: spoken-digits (default) or tinywords")
    strings.add_argument("--hold-out", default="", help="a speaker of connected digits who is heard in testing alone")

    more = argparse.ArgumentParser(add_help=False)
    more.add_argument("--extra", nargs="*", default=[], metavar="SET", help="sentences of these data sets to train on too")

    calibrated = argparse.ArgumentParser(add_help=False)
    calibrated.add_argument("--calibrate", metavar="SET", help="data to measure ranges on (default: what it was trained on, or tinywords)")

    v = verb("train", train, "train a network on a data set", learning, strings, more)
    v.add_argument("model")
    v.add_argument("--classes", help="task, of data sets that have several: 10, 12, 35 or digits (default 10)")
    v.add_argument("--tokens", help="what a transducer writes: words, characters, or a number of word pieces")
    v.add_argument("--ctc", type=float, metavar="WEIGHT", help="weight of the CTC loss of a transducer's encoder")
    v.add_argument("--start", metavar="CKPT", help="begin with the weights of this checkpoint, and a fresh schedule")
    v.add_argument("--devices", type=int, default=1, help="how many GPUs, or CPU processes where there is none")

    v = verb("prune", prune, "train a checkpoint on while its smallest weights leave", given, learning, strings, more)
    v.add_argument("--packed", type=Path, metavar="F.safetensors", help="write it once more without its empty blocks")
    v.add_argument("--sparsity", type=float, default=0.7, help="share of the weights that go (default 0.7)")
    v.add_argument("--block", default="8x1", metavar="RxC", help="outputs x inputs that go together (default 8x1)")
    v.add_argument("--scope", default="layer", help="layer: all as sparse; lamp or global: one budget, shared out (default layer)")
    v.add_argument("--only", nargs="*", default=[], metavar="PATTERN", help="parameters to prune (default: all; of a transducer its gates)")
    v.add_argument("--layers", nargs="*", default=[], type=exception, metavar="PATTERN=S", help="exceptions; S = 0 leaves one dense")
    v.add_argument("--start", type=float, default=0.0, help="share of the training before the first mask")
    v.add_argument("--end", type=float, default=0.6, help="share of the training after which masks stay; 0 is one-shot (default 0.6)")
    v.add_argument("--every", type=int, default=10, metavar="STEPS", help="between two masks (default 10)")
    v.add_argument("--masked-gradient", action="store_true", help="no gradient for weights behind the mask")

    v = verb("evaluate", evaluate, "accuracy of a checkpoint", given, strings, calibrated)
    v.add_argument("--data", required=True, metavar="SET")
    v.add_argument("--split", default="testing", choices=("training", "validation", "testing"))
    v.add_argument("--beam", type=int, default=0, metavar="N", help="hypotheses of a transducer's beam search (default: greedy)")
    v.add_argument("--int8", action="store_true", help="as integers, by the interpreter that the chip agrees with")

    v = verb("quantize", quantize, "a checkpoint in integers, and what each layer loses by it", given, calibrated)
    v.add_argument("--out", required=True, type=Path, metavar="F.safetensors")
    v.add_argument("--observer", default="mean-square-error", help="how ranges are found (default mean-square-error)")

    v = verb("export", export, "C sources, a binary and a size report", given, calibrated)
    v.add_argument("--target", required=True, help="host, cortex-m4, cortex-m0plus or wasm")
    v.add_argument("--out", required=True, type=Path, metavar="DIR")

    v = verb("run", run, "recognise recordings with an exported network")
    v.add_argument("dir", type=Path)
    v.add_argument("wav", nargs="+", type=Path)

    v = verb("explore", explore, "search for networks: costs first, then short trainings, in as many processes as you like")
    v.add_argument("--study", required=True, metavar="NAME", help="made where it does not exist, else resumed")
    v.add_argument("--storage", required=True, metavar="FILE-or-URL", help="a journal file, or the URL of a PostgreSQL or MySQL database")
    v.add_argument("--workers", type=int, default=1, metavar="N", help="processes on this machine; start the same on others")
    v.add_argument("--trials", type=int, default=100, metavar="K", help="candidates that are trained, in all")
    v.add_argument("--sampler", default="tpe", help="random, nsga2 or tpe")
    v.add_argument("--objectives", nargs="+", default=["error", "parameters"], metavar="NAME", help="all are minimised")
    v.add_argument("--limits", default="ladder", help="paper, ladder, cortex-m0plus or cortex-m4")
    v.add_argument("--data", default="speech-commands", metavar="SET")
    v.add_argument("--extra-unknown", nargs="*", default=["librispeech", "an4"], metavar="SET")
    v.add_argument("--clips", type=int, default=2_500, help="training clips")
    v.add_argument("--epochs", type=int, default=3)
    v.add_argument("--seed", type=int, default=0)
    v.add_argument("--start", action="store_true", help="begin with some points put in by hand (search_space.STARTS)")
    v.add_argument("--folder", type=Path, metavar="DIR", help="keeps the mel energies (default: beside the journal, or the user's cache)")
    v.add_argument("--keep", nargs=2, action="append", default=[], metavar=("TRIAL", "NAME"), help="make its design a model of that name")
    v.add_argument("--export", type=Path, metavar="F.json.gz", help="write the study as plain data")

    v = verb("build", build, "make notebooks, exercises and solutions from lessons/", json=False)
    v.add_argument("names", nargs="*", help="lessons, such as 00 (default: all)")
    v.add_argument("--check", action="store_true", help="change nothing; fail if what is built differs from its source")
    v.add_argument("--fast", action="store_true", help="run notebooks with short trainings")

    v = verb("grade", grade, "a class set of exercise notebooks: points as CSV, a page of feedback for each learner")
    v.add_argument("submissions", type=Path, help="a folder that has a folder for each learner")
    v.add_argument("--csv", required=True, type=Path, metavar="OUT.csv", help="the table; results and feedback are kept beside it")
    v.add_argument("--feedback", type=Path, metavar="DIR", help="where the pages go (default: OUT_feedback)")
    v.add_argument("--lessons", nargs="*", metavar="NN", help="(default: those that anyone handed in)")
    v.add_argument("--workers", type=int, default=2, metavar="N", help="notebooks at a time (default 2)")
    v.add_argument("--seconds", type=float, default=20, help="computing time of a cell, and of an exercise's tests (default 20)")
    v.add_argument("--memory", type=float, default=2, metavar="GIB", help="of each process (default 2)")

    v = verb("serve", serve, "JupyterLab on the course", json=False)
    v.add_argument("arguments", nargs="*", help="passed on to JupyterLab")
    return p


def main(argv: list[str] | None = None) -> int:
    a = parser().parse_args(argv)
    try:
        return a.run(a) or 0
    except TinycourseError as error:
        say(f"tinycourse: {error}")
        return 1
    except KeyboardInterrupt:
        say("tinycourse: stopped.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
