"""The verbs of the command line: each takes the parsed options, says what it does to a person, and shows figures.

Figures go to standard output (one JSON object with --json), progress and words to standard error. torch takes seconds to import, so every
verb imports what it needs.
"""

import json
import math
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

from tinycourse.errors import TinycourseError


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


def doctor(a) -> int:
    from tinycourse.cli import doctor

    return doctor.main(json=a.json, repair=a.repair)


def data_list(a) -> None:
    from tinycourse import data

    rows = data.status()
    text = table([[r["name"], r["folder"] or "not found", r["licence"], r["title"]] for r in rows], ["name", "where", "licence", "what"])
    show({"root": str(data.root()), "data_sets": rows}, a.json, f"data is looked for in {data.root()}\n{text}")


def data_get(a) -> None:
    from tinycourse.data import download

    for name in a.names:
        say(f"{name}: {download.get(name)}")


def data_bundle(a) -> None:
    from tinycourse.data import bundle

    sizes = bundle.bundle(a.folder, a.names)
    text = table([[name, f"{size / 1e6:,.1f} MB"] for name, size in sizes.items()], ["name", "copied"])
    show({"folder": str(a.folder), "bytes": sizes}, a.json, f"{text}\nset TINYCOURSE_DATA to {a.folder}, there or where you copy it")


def models(a) -> None:
    from tinycourse.models import entry, names

    about = {name: entry(name).about for name in names()}
    show(about, a.json, table([list(row) for row in about.items()], ["name", "what"]))


def checkpoints(a) -> None:
    from tinycourse.training import checkpoint

    found = {name: checkpoint.load(name).info for name in checkpoint.all_shipped()}
    rows = [[name, *(quality(info[s]) for s in ("validation", "testing")), info["command"]] for name, info in found.items()]
    show(found, a.json, table(rows, ["name", "validation", "testing", "made by"]))


def quality(figures: dict) -> str:
    """Accuracy of a recogniser of words, word error rate of one that writes."""
    return f"{figures['accuracy']:.2%}" if "accuracy" in figures else f"{figures['word_error_rate']:.2%} wrong"


def profile(a) -> None:
    import torch

    from tinycourse import models
    from tinycourse.training import profiling

    network = models.build(a.model, models.entry(a.model).classes if a.classes is None else a.classes)
    p = profiling.profile(network, torch.zeros(1, *models.frontend(a.model).shape))
    figures = {"model": a.model} | asdict(p)
    lines = [f"{k:18} {v:,}" if isinstance(v, int) else f"{k:18} {v}" for k, v in figures.items() if k != "layers"]
    show(figures, a.json, "\n".join(lines + [table([[k, f"{v:,}"] for k, v in p.layers.items()], ["layer", "multiply-adds"])]))


def train(a) -> None:
    from tinycourse.cli import trainings

    must_be_safetensors(a.out)
    if done := trainings.carry_out(trainings.Request(a, a.model, a.start)):
        validation, testing = done.recogniser.info["validation"], done.recogniser.info["testing"]
        figures = {"checkpoint": str(a.out), "validation": validation, "testing": testing, "history": done.history}
        said = f"{quality(validation)} on validation (epoch {validation['epoch']}), {quality(testing)} on testing"
        show(figures, a.json, f"{a.out}: {said}")


def must_be_safetensors(path: Path) -> None:
    """Raises TinycourseError for another kind of file."""
    if path.suffix != ".safetensors":
        raise TinycourseError(f"{path}: a checkpoint is a .safetensors file; give its name that ending.")


def prune(a) -> None:
    from tinycourse.cli import trainings
    from tinycourse.program import block_sparse
    from tinycourse.pruning import packing
    from tinycourse.pruning.schedule import PruneConfig

    for path in filter(None, (a.out, a.packed)):
        must_be_safetensors(path)
    how = PruneConfig(
        sparsity=a.sparsity, block=block_sparse.parse_block(a.block), scope=a.scope, only=tuple(a.only), layers=dict(a.layers),
        start=a.start, end=a.end, every=a.every, straight_through=not a.masked_gradient,
    )  # fmt: skip
    if not (done := trainings.carry_out(trainings.Request(a, None, a.checkpoint, how))):
        return
    pruner, info = done.pruner, {k: done.recogniser.info[k] for k in ("validation", "testing", "pruning")}
    if a.packed:
        packing.pack(a.out, a.packed, [f"network.{name}" for name in pruner.masks], how.block)
    size = block_sparse.total({name: p.detach().numpy() for name, p in pruner.parameters.items()}, how.block)
    text = f"{a.out}: {pruner.sparsity:.1%} of the pruned weights are 0, {quality(info['testing'])} on testing; " + ", ".join(
        f"{form} {count:,} bytes" for form, count in asdict(size).items() if form not in ("weights", "nonzero")
    )
    show({"checkpoint": str(a.out), **info, "bytes": asdict(size), "history": done.history}, a.json, text)


def evaluate(a) -> None:
    from tinycourse import data
    from tinycourse.export import deploy
    from tinycourse.models import TRANSDUCERS
    from tinycourse.training import checkpoint, metrics

    recogniser = checkpoint.load(a.checkpoint)
    if recogniser.name in TRANSDUCERS:
        return evaluate_transducer(a, recogniser)
    clips, left_out = data.open_for(recogniser.classes, a.data).clips(a.split).restrict(recogniser.classes)
    if left_out:
        say(f"left out, because {recogniser.name} does not know them: " + ", ".join(f"{k} ({n})" for k, n in left_out.items()))
    if a.int8 or a.samples:
        deploy.calibrate(recogniser, a.calibrate)
        scores = deploy.compiled_logits(deploy.program_of(recogniser, samples=a.samples), clips.audio)
    else:
        scores = checkpoint.in_batches(recogniser, clips.audio)
    result = metrics.report(scores, clips.labels, recogniser.classes)
    how = {"int8": a.int8 or a.samples, "samples": a.samples, "left_out": left_out}
    figures = {"model": recogniser.name, "data": a.data, "split": a.split} | how | result.as_dict()
    rows = [[name, f"{value:.1%}"] for name, value in result.per_class.items()]
    show(figures, a.json, f"accuracy {result.accuracy:.2%} of {result.count} clips\n" + table(rows, ["class", "recognised"]))


def evaluate_transducer(a, recogniser) -> None:
    from tinycourse.data import sentences
    from tinycourse.export import deploy
    from tinycourse.training import transducers
    from tinycourse.transducer.decoding import Limits
    from tinycourse.transducer.vocabulary import errors

    task = sentences.open_for(recogniser.info, a.data, source=a.source, hold_out=a.hold_out)
    speech, limits = task.speech(a.split), Limits(beam=a.beam) if a.beam else None
    found = {"float": transducers.evaluate(recogniser, speech, limits, beam=bool(a.beam))}
    if a.int8 or a.samples:
        deploy.calibrate(recogniser, a.calibrate)
        if a.beam:
            texts = transducers.transcribe(deploy.in_integers(recogniser, a.samples), speech.audio, limits, beam=True)
        else:
            texts = deploy.compiled_texts(deploy.transducer_program_of(recogniser, samples=a.samples), speech.audio)
        found["int8, from samples" if a.samples else "int8"] = errors(speech.texts, texts)
    asked, how = found[list(found)[-1]], {"int8": a.int8 or a.samples, "samples": a.samples}
    figures = {"model": recogniser.name, "data": a.data, "split": a.split, "beam": a.beam} | how | asked.as_dict()
    figures |= {form: one.as_dict() for form, one in found.items() if one is not asked}
    rows = [[form, f"{e.rate:.2%}", e.substitutions, e.deletions, e.insertions] for form, e in found.items()]
    header = ["", "word error rate", "substituted", "lost", "invented"]
    show(figures, a.json, f"{asked.words} words in {asked.count} utterances\n" + table(rows, header))


def calibrate(a) -> None:
    from tinycourse.export import deploy
    from tinycourse.training import checkpoint

    must_be_safetensors(a.out)
    recogniser = checkpoint.load(a.checkpoint)
    deploy.calibrate(recogniser, a.calibrate or deploy.calibration_set(recogniser), a.observer)
    checkpoint.save(recogniser, a.out)
    found = recogniser.calibration
    figures = {"checkpoint": str(a.out), "data": found.data, "count": found.count, "observer": found.observer, "ranges": found.ranges}
    ranges = [[part, name, f"{low:.4g}", f"{high:.4g}"] for part, its in found.ranges.items() for name, (low, high) in its.items()]
    header = ["part", "tensor", "from", "to"]
    show(figures, a.json, f"{a.out}: {len(ranges)} ranges on {found.count} recordings of {found.data}\n" + table(ranges, header))


def quantize(a) -> None:
    from tinycourse.export import deploy
    from tinycourse.models import TRANSDUCERS
    from tinycourse.quantization import calibration, integer_transducer, post_training
    from tinycourse.training import checkpoint

    must_be_safetensors(a.out)
    recogniser = checkpoint.load(a.checkpoint)
    deploy.calibrate(recogniser, a.calibrate, a.observer)
    if recogniser.name in TRANSDUCERS:
        integers = calibration.integers_of(recogniser)
        integer_transducer.save(integers, a.out)
        features = integer_transducer.features_of(recogniser, deploy.speech_for(recogniser, a.calibrate, 20))
        rows, programs = integer_transducer.error_report(recogniser.network, integers.network, features), integers.network.programs
    else:
        program = deploy.program_of(recogniser, observer=a.observer)
        program.save(a.out)
        features = checkpoint.in_batches(recogniser.frontend, deploy.calibration_audio(recogniser, a.calibrate, 100))
        rows, programs = post_training.error_report(recogniser.network, program, features), {"": program}
    size = sum(op.weight_bytes for program in programs.values() for op in program.operations)
    report = [row | {"snr": row["snr"] if math.isfinite(row["snr"]) else None} for row in rows]  # JSON has no infinity
    figures = {"program": str(a.out), "model": recogniser.name, "weight_bytes": size, "report": report}
    lines = [[r.get("part", ""), r["path"], r["kind"], f"{r['snr']:.1f} dB"] for r in rows]
    show(figures, a.json, f"{a.out}: {size:,} bytes of constants\n" + table(lines, ["part", "layer", "kind", "signal to noise"]))


def explore(a) -> None:
    if a.serve:
        return serve_study(a)
    from tinycourse.search import explore, records, space
    from tinycourse.search.costs import PRESETS
    from tinycourse.search.proxy import Proxy

    if not a.study:
        raise TinycourseError("explore works on a study; give it a name: --study NAME.")
    keep = [(records.number_of(trial), records.free_name(name)) for trial, name in a.keep]  # before hours of computing
    asked = Proxy(data=a.data, extra_unknown=tuple(a.extra_unknown), training_clips=a.clips, epochs=a.epochs)
    settings = explore.Settings(a.sampler, tuple(a.objectives), a.limits, a.seed, asked)
    folder = a.folder or (explore.cache() if "://" in a.storage else Path(a.storage).resolve().parent)
    points = space.STARTS if a.start else ()
    study = explore.run(a.study, a.storage, settings, a.trials, a.workers, folder, points)
    found = records.record(study) | {"command": "tinycourse " + shlex.join(sys.argv[1:])}
    for number, name in keep:
        say(f"{name}: {records.keep(found, number, name)}")
    if a.export:
        records.write_record(found, a.export)
    rows = records.front(found["rows"], settings.objectives)
    header = ["trial", *settings.objectives]
    text = table([[r["number"], *(records.objective(r, name) for name in settings.objectives)] for r in rows], header)
    show({"study": a.study, "trained": len(records.trained_rows(found)), "front": rows, "limits": asdict(PRESETS[a.limits])}, a.json, text)


def serve_study(a) -> None:
    from tinycourse.search import storage

    say(f"{a.storage} is served at {a.serve}, until Ctrl-C; workers: --storage grpc://{a.serve}")
    storage.serve(a.serve, a.storage)


def build(a) -> int:
    from tinycourse.authoring import build, course, report

    if a.table:
        print(table(report.rows(course.repository_root()), report.HEADER))
        return 0
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
