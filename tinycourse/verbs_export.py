"""The verbs around an exported model: writing one in all its forms, and running it on recordings. See verbs.py."""

from tinycourse.errors import TinycourseError
from tinycourse.verbs import show

SETTINGS = "threshold", "hop", "windows", "refractory"  # of a listener, that the command line may name


def export(a) -> None:
    from tinycourse import checkpoint, deploy
    from tinycourse.mcu import listener_package, package, transducer_package
    from tinycourse.mcu.listener import Listener, Settings
    from tinycourse.models import TRANSDUCERS

    named = {k: getattr(a, k) for k in SETTINGS if getattr(a, k) is not None}
    if named and not a.listen:
        raise TinycourseError(f"Only a listener takes --{' and --'.join(named)}; add --listen.")
    settings, recogniser, target = Settings(**named), checkpoint.load(a.checkpoint), a.target or "cortex-m4"
    if a.form == "onnx":
        return export_onnx(a, recogniser)
    package.need_target(target)
    clip = deploy.example if a.form in package.FIRMWARE else lambda model: None
    if recogniser.name in TRANSDUCERS:
        if a.listen or a.kernels != "plain":
            raise TinycourseError(f"{recogniser.name} listens anyway and has plain kernels only; leave out --listen and --kernels.")
        program = deploy.transducer_program_of(recogniser, deploy.calibration_speech(recogniser, a.calibrate), samples=a.samples)
        report = transducer_package.export(program, target, a.out, a.form, clip(program))
    else:
        audio = deploy.calibration_audio(recogniser, a.calibrate)
        program = deploy.program_of(recogniser, audio, samples=a.samples or a.listen)
        model, exporter = (Listener(program, settings), listener_package) if a.listen else (program, package)
        report = exporter.export(model, target, a.out, a.kernels == "dsp", a.form, clip(model))
    show(report, a.json, deploy.summary(report))


def export_onnx(a, recogniser) -> None:
    from tinycourse import deploy
    from tinycourse.mcu import onnx_form
    from tinycourse.models import TRANSDUCERS

    if recogniser.name in TRANSDUCERS:
        raise TinycourseError(f"There is no ONNX form of {recogniser.name}, whose cells are in 16 bits; leave out --as onnx.")
    if a.target or a.samples or a.listen or a.kernels != "plain":
        raise TinycourseError(
            "ONNX has no chip, no front end and no kernels of ours; leave out --target, --samples, --listen and --kernels."
        )
    onnx_form.import_onnx()  # before the work
    report = onnx_form.export(deploy.program_of(recogniser, deploy.calibration_audio(recogniser, a.calibrate)), a.out)
    show(report, a.json, f"{a.out / 'model.onnx'}: {report['nodes']} nodes, {report['model_bytes']:,} bytes, opset {report['opset']}")


def run(a) -> None:
    from tinycourse import deploy

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
