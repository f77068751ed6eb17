"""From a trained recogniser to an integer program, and from a recording to what an exported program says."""

import dataclasses
import math
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from tinycourse import data
from tinycourse.codegen.spotter_writer import Compiled
from tinycourse.data import sentences
from tinycourse.errors import TinycourseError
from tinycourse.export import firmware, network_package, package, transducer_package
from tinycourse.export.base import must_agree
from tinycourse.export.network_package import Runner
from tinycourse.export.transducer_package import Transcriber
from tinycourse.features.audio import fit_length, read_audio, to_int16
from tinycourse.features.frontend import Frontend, FrontendConfig
from tinycourse.models.rnnt import Transducer
from tinycourse.program.keyword_spotter import BITS, Listener, Settings, between_pauses, chunks, spot, takes_samples
from tinycourse.program.program import Program
from tinycourse.program.transducer import TransducerProgram
from tinycourse.progress import stage
from tinycourse.quantization import calibration
from tinycourse.quantization.calibration import OBSERVER
from tinycourse.quantization.integer_frontend import IntegerFrontend, with_frontend, with_samples
from tinycourse.quantization.integer_transducer import integer_recogniser
from tinycourse.quantization.post_training import channels_last, to_program
from tinycourse.training.checkpoint import Recogniser, as_float, in_batches
from tinycourse.transducer.vocabulary import Vocabulary


def program_of(recogniser: Recogniser, audio: Tensor | None = None, observer: str = OBSERVER, samples: bool = False) -> Program:
    """The recogniser's network as int8, by the ranges that `calibrate` gives it, or by those on audio [N, 16000].

    With `samples` the front end is in the program too, in integers.
    """
    metadata = about(recogniser)
    if audio is None:
        calibrate(recogniser, observer=observer)
        stage("tracing the network")
        program = calibration.program_of(recogniser, metadata)
    else:
        program = to_program(recogniser.network, in_batches(recogniser.frontend, audio), metadata, observer)
    return with_samples(program, recogniser.frontend) if samples else program


def transducer_program_of(
    recogniser: Recogniser, audio: Sequence[Tensor] | None = None, observer: str = OBSERVER, samples: bool = False
) -> TransducerProgram:
    """The same of a recogniser of sentences, its ranges those of `calibrate`, or those on recordings [samples] each."""
    if audio is None:
        calibrate(recogniser, observer=observer)
        stage("quantizing the network")
        network = calibration.integers_of(recogniser).network
    else:
        network = integer_recogniser(recogniser, audio, observer).network
    config = recogniser.frontend.config
    program = network.to_program(rate=config.rate / config.hop, metadata=about(recogniser))
    return with_frontend(program, recogniser.frontend) if samples else program


def model_of(recogniser: Recogniser, samples: bool = False, settings: Settings | None = None) -> Program | Listener | TransducerProgram:
    """What `package.export` takes: a recogniser as integers, by the ranges that it has; with `samples` from its front end on, with
    `settings` a listener that decides so."""
    if isinstance(recogniser.network, Transducer):
        return transducer_program_of(recogniser, samples=samples)
    if settings is None:
        return program_of(recogniser, samples=samples)
    return Listener(program_of(recogniser, samples=True), settings)


def about(recogniser: Recogniser) -> dict:
    """What travels with its program: the float front end and the class names. With them the program can recognise a recording."""
    front = recogniser.frontend
    return {
        "model": recogniser.name,
        "classes": list(recogniser.classes),
        "frontend": dataclasses.asdict(front.config),
        "mean": front.mean.tolist(),
        "deviation": front.deviation.tolist(),
    }


COMPARED = 3  # recordings of an evaluation that the interpreter is given too


def calibrate(recogniser: Recogniser, name: str | None = None, observer: str = OBSERVER) -> None:
    """Give a recogniser the ranges of its activations (`Recogniser.calibration`), unless its checkpoint brought them.

    They are measured on training recordings where they are missing, where its weights are others by now, and where the data set `name` or
    another observer is asked for.
    """
    if name is None and calibration.fits(recogniser, observer):
        return
    recordings = calibration_speech if isinstance(recogniser.network, Transducer) else calibration_audio
    name = name or calibration_set(recogniser)
    recogniser.calibration = calibration.measure(recogniser, recordings(recogniser, name), name, observer)


def calibration_set(recogniser: Recogniser) -> str:
    """The data set that ranges are measured on if nobody names one: that of the training; for words tinywords, where that is not here."""
    if isinstance(recogniser.network, Transducer):
        return recogniser.info.get("data", "connected-digits")
    trained_on = recogniser.info.get("data", "tinywords")
    return trained_on if data.find(trained_on) else "tinywords"


def calibration_audio(recogniser: Recogniser, name: str | None = None, count: int = 500) -> Tensor:
    """Training clips [N, 16000] to measure ranges on, of the data set `name` (see `calibration_set`)."""
    name = name or calibration_set(recogniser)
    audio = data.open_for(recogniser.classes, name).clips("training", count).audio
    tqdm.write(f"calibrating on {len(audio)} training clips of {name}", file=sys.stderr)
    return audio


def calibration_speech(recogniser: Recogniser, name: str | None = None, count: int = 100) -> list[Tensor]:
    """The same for a transducer: training utterances of the task `name`."""
    name = name or calibration_set(recogniser)
    audio = sentences.open_for(recogniser.info, name).speech("training").audio
    chosen = audio[:: max(1, len(audio) // count)][:count]
    tqdm.write(f"calibrating on {len(chosen)} training utterances of {name}", file=sys.stderr)
    return chosen


def speech_for(recogniser: Recogniser, name: str | None = None, count: int = 100) -> list[Tensor]:
    """Speech to compare a transducer's integers with floats on: that of `calibration_speech`, or computed digits where it is not here."""
    task, options = calibration_set(recogniser), recogniser.info.get("data_options", {})
    recordings = options.get("source", "spoken-digits") if task == "connected-digits" else task
    if name or data.find(recordings):
        return calibration_speech(recogniser, name, count)
    tqdm.write(f"{recordings} is not here: comparing on digits of tinywords", file=sys.stderr)
    return sentences.open_task("connected-digits", source="tinywords").speech("training").audio[:count]


def frontend_of(program: Program | TransducerProgram) -> Frontend:
    """The front end that a program was made with."""
    front = Frontend(FrontendConfig(**program.metadata["frontend"]))
    front.mean.copy_(torch.tensor(program.metadata["mean"]))
    front.deviation.copy_(torch.tensor(program.metadata["deviation"]))
    return front.eval()


def inputs(program: Program, audio: Tensor) -> np.ndarray:
    """What the chip is given for audio [N, 16000]: int8 [N, frames, bands, 1], or int16 [N, 16000] where it takes samples."""
    if takes_samples(program):
        return program.quantize_input(as_float(audio).numpy())
    return program.quantize_input(channels_last(in_batches(frontend_of(program), audio)))


@torch.no_grad()
def rows(program: TransducerProgram, audio: Tensor) -> np.ndarray:
    """What the chip is given, one row after the other, for audio [samples]: int8 [frames, bands].

    Where it takes samples, int16 [chunks, chunk]; those that fill no chunk are left out.
    """
    if program.frontend:
        return chunks(to_int16(as_float(audio).numpy()), program.frontend.chunk)
    return program.quantize_input(frontend_of(program)(as_float(audio)[None])[0, 0].numpy())


def example(model: Program | TransducerProgram | Listener) -> np.ndarray | None:
    """A clip for the example of an export, as the chip is given it: synthetic speech of tinywords, None where that has no such word.

    Of a recogniser of words or a listener it is the first one that is recognised, or else the first one; of a transducer three digits.
    """
    stage("choosing an example")
    program = model.program if isinstance(model, Listener) else model
    spoken, classes = data.open_dataset("tinywords", classes="all"), program.metadata["classes"]
    cuts = {word: cuts[0] for word, cuts in spoken.select("testing").items() if cuts}
    if isinstance(program, TransducerProgram):
        digits = data.DIGITS[:3]
        if not set("".join(digits)) <= set("".join(classes)):
            return None
        return rows(program, torch.from_numpy(np.concatenate([sentences.trim(spoken.load(cuts[word])) for word in digits])))
    first = None
    for word in sorted(cuts.keys() & {*classes} - {data.SILENCE, data.UNKNOWN}):
        if isinstance(model, Listener):
            x = between_pauses(to_int16(spoken.load(cuts[word])), model.rate)
            said = [classes[found] for _, found, _ in model.decide(model.posteriors(x))]
        else:
            x = inputs(program, torch.from_numpy(spoken.load(cuts[word]))[None])[0]
            said = [classes[int(program.run(x[None])[0].argmax())]]
        first = x if first is None else first
        if said == [word]:
            return x
    return first


def integer_logits(program: Program, audio: Tensor, batch: int = 50) -> Tensor:
    """Scores by the reference interpreter: audio [N, 16000] -> [N, classes], real numbers again."""
    x = inputs(program, audio)
    parts = range(0, len(x), batch)
    outputs = [program.run(x[i : i + batch]) for i in tqdm(parts, desc="int8", leave=False, delay=2)]
    return torch.from_numpy(program.dequantize_output(np.concatenate(outputs)))


def compiled_logits(program: Program, audio: Tensor) -> Tensor:
    """The same by its C on this machine, bit for bit: the first clips of them are given to the interpreter too, to see that.

    Raises TinycourseError where the two differ, or there is no compiler.
    """
    x = inputs(program, audio)
    y = network_package.run_on_host(program, x, torch.get_num_threads())
    must_agree(y[:COMPARED], program.run(x[:COMPARED]), "host")
    return torch.from_numpy(program.dequantize_output(y))


def compiled_texts(program: TransducerProgram, audio: Sequence[Tensor]) -> list[str]:
    """What the C of a transducer on this machine writes for recordings [samples] each; it is compared as in `compiled_logits`."""
    vocabulary, texts = Vocabulary(tuple(program.metadata["classes"])), []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        transcriber = transducer_package.on_host(program, Path(folder))
        for number, one in enumerate(tqdm(audio, desc="int8", leave=False, delay=2)):
            labels, heard = transcriber.run(x := rows(program, one))
            if number < COMPARED:
                expected, encoded = program.run(x)
                must_agree(heard, encoded, "host")
                must_agree(labels, expected, "host")
            texts.append(vocabulary.decode(labels))
    return texts


def in_integers(recogniser: Recogniser, samples: bool = False) -> Recogniser:
    """A recogniser of sentences in integers, by the interpreter, for the search that C does not have; with `samples` its front end too."""
    integers = calibration.integers_of(recogniser)
    if samples:
        first = integers.network.encoder.front
        integers.frontend = IntegerFrontend(recogniser.frontend, first.tensors[first.input])
    return integers


def recognise(folder: str | Path, files: list[Path]) -> list[dict]:
    """What the exported model in `folder` says to each recording: file; what `decide`, `write_down` or `listen_to` gives; instructions.

    Instructions are those of an emulated chip, None elsewhere. Raises TinycourseError on a bad folder or recording.
    """
    built = package.load(folder)
    say = {Runner: decide, Transcriber: write_down, Compiled: listen_to}[type(built)]
    return [{"file": str(file), **say(built, file), "instructions": built.instructions} for file in files]


def decide(runner: Runner, file: Path) -> dict:
    """What a network says to a recording: the label, and scores from 0 to 1 by class."""
    program, audio = runner.program, torch.from_numpy(fit_length(read_audio(file)))[None]  # [1, 16000]
    logits = torch.from_numpy(program.dequantize_output(runner.run(inputs(program, audio))))[0]
    scores = dict(zip(program.metadata["classes"], logits.softmax(0).tolist(), strict=True))
    return {"label": max(scores, key=scores.get), "scores": scores}


def write_down(transcriber: Transcriber, file: Path) -> dict:
    """What a transducer writes down of a recording: text, and how many seconds that was."""
    program, audio = transcriber.program, read_audio(file)
    labels, _ = transcriber.run(rows(program, torch.from_numpy(audio)))
    return {"text": Vocabulary(tuple(program.metadata["classes"])).decode(labels), "seconds": len(audio) / data.RATE}


def listen_to(compiled: Compiled, file: Path) -> dict:
    """What a listener reports in a recording: detections, each the time in seconds when the word fired, the word, and its score from 0
    to 1; and seconds. Raises TinycourseError on a recording too short.
    """
    listening = compiled.listener
    rate, chunk, classes = listening.rate, compiled.chunk, listening.program.metadata["classes"]
    samples = to_int16(read_audio(file, rate))
    if len(samples) // chunk * chunk < listening.ready(0):
        shortest = math.ceil(listening.ready(0) / chunk) * chunk / rate
        raise TinycourseError(f"{file} is over before the listener has judged anything: give it at least {shortest:g} s of sound.")
    found = [{"time": (i + 1) * chunk / rate, "word": classes[c], "score": s / 2**BITS} for i, c, s in spot(compiled, samples)]
    return {"detections": found, "seconds": len(samples) / rate}


def summary(report: dict) -> str:
    """The report of an export as text: what the model needs as a whole, and layer by layer."""
    flash, ram = report["flash"], report["ram"]
    parts = [
        ("flash", "code", flash["code_bytes"]),
        ("", "weights and constants", firmware.constants(flash)),
        ("RAM", "arena", ram["arena_bytes"]),
        ("", "arena, lower bound", ram["lower_bound_bytes"]),
        ("", "buffers", ram.get("buffer_bytes")),
        ("", "stack", ram["stack_bytes"]),
    ]
    lines = [f"{name:6}{what:24}{size:9,} bytes" for name, what, size in parts if size is not None]
    if report["instructions"]:
        said = f", {report['labels']} labels said," if "labels" in report else ""
        heard = f" in a second of noise{said}" if "parts" in report else ""
        lines.append(f"{report['instructions']:,} instructions{heard} for {report['multiply_adds']:,} multiply-adds")
        lines += [f"busiest chunk: {report['worst_chunk']:,} instructions"] if "worst_chunk" in report else []
    for name, part in report.get("parts", {}).items():
        cost = f", {part['instructions']:,} instructions" if part["instructions"] else ""
        lines.append(f"{name}: {part['calls_per_second']:.1f} times a second, {part['multiply_adds']:,} multiply-adds{cost}")
    lines.append(f"{'layer':36}{'kind':14}{'output':14}{'multiply-adds':>14}{'weights':>9}{'instructions':>14}")
    for row in report["layers"]:
        shape, instructions = "x".join(map(str, row["shape"])), f"{row['instructions']:,}" if row["instructions"] is not None else ""
        lines.append(f"{row['path']:36}{row['kind']:14}{shape:14}{row['multiply_adds']:14,}{row['weight_bytes']:9,}{instructions:>14}")
    return "\n".join(lines)


def by_module(report: dict, depth: int = 3) -> list[dict]:
    """The costs of a report's layers, added up over modules: the first `depth` names of a path make a row, called `layer`."""
    rows = {}
    for layer in report["layers"]:
        name = ".".join(layer["path"].split(".")[:depth])
        row = rows.setdefault(name, {"layer": name, "weight_bytes": 0, "multiply_adds": 0, "instructions": 0})
        for key in ("weight_bytes", "multiply_adds", "instructions"):
            row[key] += layer[key] or 0
    return list(rows.values())
