"""The verbs around an exported model: writing one in all its forms, and running it on recordings."""

from pathlib import Path

from tinycourse.cli.options import NewFolder, Verb, calibrated, count, given, not_negative, positive, share
from tinycourse.cli.output import show
from tinycourse.errors import TinycourseError
from tinycourse.progress import stage, stages

SETTINGS = "threshold", "hop", "windows", "refractory"  # of a listener, that the command line may name


def export(a) -> None:
    """Write a checkpoint as C, firmware or ONNX, and show what it costs."""
    named = {k: getattr(a, k) for k in SETTINGS if getattr(a, k) is not None}
    if named and not a.listen:
        raise TinycourseError(f"Only a keyword spotter takes --{' and --'.join(named)}; add --listen.")
    with stages("export", {"onnx": 3, "plain": 4}.get(a.form, 5)):
        stage("reading the checkpoint")  # and importing torch
        report, text = (export_onnx if a.form == "onnx" else export_c)(a, named)
    show(report, a.json, text)


def export_c(a, named: dict) -> tuple[dict, str]:
    """The report of C, as it is or as firmware, and the same in words; `named` are settings of a keyword spotter."""
    from tinycourse.export import deploy, package
    from tinycourse.export.firmware import FORMS
    from tinycourse.models import TRANSDUCERS
    from tinycourse.program.keyword_spotter import Settings
    from tinycourse.training import checkpoint

    settings, recogniser, target = Settings(**named), checkpoint.load(a.checkpoint), a.target or "cortex-m4"
    package.need_target(target)
    if recogniser.name in TRANSDUCERS and (a.listen or a.kernels != "plain"):
        raise TinycourseError(f"{recogniser.name} takes a stream anyway and has plain kernels only; leave out --listen and --kernels.")
    deploy.calibrate(recogniser, a.calibrate)
    model = deploy.model_of(recogniser, a.samples, settings if a.listen else None)
    clip = deploy.example(model) if FORMS[a.form].on_chip else None
    report = package.export(model, target, a.out, a.kernels == "dsp", a.form, clip)
    return report, deploy.summary(report)


def export_onnx(a, named: dict) -> tuple[dict, str]:
    """The report of ONNX, and the same in words."""
    from tinycourse.export import deploy, onnx_form
    from tinycourse.models import TRANSDUCERS
    from tinycourse.training import checkpoint

    recogniser = checkpoint.load(a.checkpoint)
    if recogniser.name in TRANSDUCERS:
        raise TinycourseError(f"There is no ONNX form of {recogniser.name}, whose cells are in 16 bits; leave out --as onnx.")
    if a.target or a.samples or a.listen or a.kernels != "plain":
        raise TinycourseError(
            "ONNX has no chip, no front end and no kernels of ours; leave out --target, --samples, --listen and --kernels."
        )
    onnx_form.import_onnx()  # before the work
    deploy.calibrate(recogniser, a.calibrate)
    program = deploy.program_of(recogniser)
    stage("writing ONNX")
    report = onnx_form.export(program, a.out)
    return report, f"{a.out / 'model.onnx'}: {report['nodes']} nodes, {report['model_bytes']:,} bytes, opset {report['opset']}"


def export_options(v) -> None:
    """Options of `export`."""
    v.add_argument("--target", help="host, cortex-m4, cortex-m0plus or wasm (default cortex-m4)")
    v.add_argument("--as", dest="form", default="plain", choices=("plain", "arduino", "zephyr", "onnx"), help="form (default plain)")
    v.add_argument("--out", required=True, type=NewFolder, metavar="DIR")
    v.add_argument("--samples", action="store_true", help="with the front end, in integers: the model takes int16 samples")
    v.add_argument("--listen", action="store_true", help="a keyword spotter for a stream: chunks of samples in, words out")
    v.add_argument("--threshold", type=share, help="with --listen: the mean posterior at which a word fires (default 0.9)")
    v.add_argument("--hop", type=positive, metavar="SECONDS", help="with --listen: between two runs of the network (default 0.2)")
    v.add_argument("--windows", type=count, metavar="N", help="with --listen: runs that posteriors are averaged over (default 2)")
    v.add_argument("--refractory", type=not_negative, metavar="SECONDS", help="with --listen: rest after a word (default 1)")
    v.add_argument("--kernels", choices=("plain", "dsp"), default="plain", help="dsp: for the DSP instructions of a Cortex-M4, same bits")


EXPORT = Verb(
    "export", "C sources, a binary and a cost report; or firmware for others to build", export, export_options, shared=(given, calibrated)
)


def run(a) -> None:
    """Show what an exported model says to recordings."""
    from tinycourse.export import deploy

    results = deploy.recognise(a.dir, a.wav)
    lines = []
    for r in results:
        cost = f", {r['instructions']:,} instructions" if r["instructions"] else ""
        lines.append(f"{r['file']}: {heard(r)}{cost}")
    show({"results": results}, a.json, "\n".join(lines))


def heard(result: dict) -> str:
    """One recording's result in words, whatever kind of model gave it."""
    if "label" in result:
        return f"{result['label']} ({result['scores'][result['label']]:.1%})"
    if "text" in result:
        return result["text"] or "nothing"
    return ", ".join(f"{d['word']} at {d['time']:.2f} s ({d['score']:.1%})" for d in result["detections"]) or "nothing"


def run_options(v) -> None:
    """Options of `run`."""
    v.add_argument("dir", type=Path)
    v.add_argument("wav", nargs="+", type=Path)


RUN = Verb("run", "recognise recordings with an exported model", run, run_options)
