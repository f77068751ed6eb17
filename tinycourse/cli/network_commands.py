"""The verbs about networks and checkpoints: names, costs, accuracy, and what integers make of them."""

import math
from dataclasses import asdict

from tinycourse.cli.options import NewFile, Verb, calibrated, classes, given, must_be_safetensors, strings, whole
from tinycourse.cli.output import quality, say, show, table


def models(a) -> None:
    """Show the names of all networks."""
    from tinycourse.models import entry, names

    about = {name: entry(name).about for name in names()}
    show(about, a.json, table([list(row) for row in about.items()], ["name", "what"]))


MODELS = Verb("models", "the names that train, profile and evaluate accept", models)


def checkpoints(a) -> None:
    """Show the shipped checkpoints, how good they are, and the commands that made them."""
    from tinycourse.training import checkpoint

    found = {name: checkpoint.load(name).info for name in checkpoint.all_shipped()}
    rows = [[name, *(quality(info[s]) for s in ("validation", "testing")), info["command"]] for name, info in found.items()]
    show(found, a.json, table(rows, ["name", "validation", "testing", "made by"]))


CHECKPOINTS = Verb("checkpoints", "the trained networks in the package, and how each was made", checkpoints)


def profile(a) -> None:
    """Show what a network costs, by layer."""
    import torch

    from tinycourse import models
    from tinycourse.training import profiling

    network = models.build(a.model, models.entry(a.model).classes if a.classes is None else a.classes)
    p = profiling.profile(network, torch.zeros(1, *models.frontend(a.model).shape))
    figures = {"model": a.model} | asdict(p)
    lines = [f"{k:18} {v:,}" if isinstance(v, int) else f"{k:18} {v}" for k, v in figures.items() if k != "layers"]
    show(figures, a.json, "\n".join(lines + [table([[k, f"{v:,}"] for k, v in p.layers.items()], ["layer", "multiply-adds"])]))


def profile_options(v) -> None:
    """Options of `profile`."""
    v.add_argument("model")
    v.add_argument("--classes", type=classes, help="(default: as many as the network was designed for)")


PROFILE = Verb("profile", "parameters, multiply-adds and activation memory, without training", profile, profile_options)


def evaluate(a) -> None:
    """Show how good a checkpoint is, in float or in integers."""
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
    """The same for one that writes sentences."""
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


def evaluate_options(v) -> None:
    """Options of `evaluate`."""
    v.add_argument("--data", required=True, metavar="SET")
    v.add_argument("--split", default="testing", choices=("training", "validation", "testing"))
    v.add_argument("--beam", type=whole, default=0, metavar="N", help="hypotheses of a transducer's beam search (default: greedy)")
    v.add_argument("--int8", action="store_true", help="as integers, by the C that the chip runs, on this machine")
    v.add_argument("--samples", action="store_true", help="with the front end as integers too (implies --int8)")


EVALUATE = Verb("evaluate", "accuracy of a checkpoint", evaluate, evaluate_options, shared=(given, strings, calibrated))


def observed(v) -> None:
    """Options of the verbs that measure ranges and write a file."""
    v.add_argument("--out", required=True, type=NewFile, metavar="F.safetensors")
    v.add_argument("--observer", default="mean-square-error", help="how ranges are found (default mean-square-error)")


def calibrate(a) -> None:
    """Write a checkpoint with ranges of its activations, and show them."""
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


CALIBRATE = Verb(
    "calibrate", "a checkpoint with the ranges of its activations measured anew", calibrate, shared=(given, calibrated, observed)
)


def quantize(a) -> None:
    """Write a checkpoint as a program of integers, and show each layer's error."""
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


QUANTIZE = Verb("quantize", "a checkpoint in integers, and what each layer loses by it", quantize, shared=(given, calibrated, observed))
