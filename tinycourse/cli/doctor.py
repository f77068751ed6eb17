"""Is this machine ready for the course, and what to do if not: `tinycourse doctor`.

Every check is a small function that returns a `Finding`. Each runs in a Python process of its own, so that a tool that crashes,
hangs or raises costs its own line, not the others'.
"""

import contextlib
import importlib
import io
import json as json_format
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from tinycourse import _torchaudio
from tinycourse.errors import TinycourseError

OK, WARN, FAIL = "OK", "WARN", "FAIL"
GB = 1e9
SECONDS = 120  # the most that one check may take; the first compilation on a slow disk is the longest
SET_UP_AGAIN = "set the course up again: make clean lab"
CODE = "int add(int a, int b);\nint add(int a, int b) {\n    return a + b;\n}\n"


class Finding(NamedTuple):
    """One line of the report: a level (OK, WARN or FAIL), what was found, and what to do about it ("" where nothing)."""

    level: str
    text: str
    remedy: str = ""


def reinstall(package: str) -> str:
    """The remedy for a broken package: the same version again, alone; where it is missing, the package with what it needs."""
    try:
        return f"install it again: python -m pip install --force-reinstall --no-deps {package}=={version(package).split('+')[0]}"
    except PackageNotFoundError:
        return f"install it: python -m pip install {package}"


def python() -> Finding:
    """Python 3.11 to 3.13."""
    text = f"Python {platform.python_version()}"
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Finding(OK, text)
    return Finding(FAIL, text, "the course needs Python 3.11, 3.12 or 3.13: install one, then make clean lab PYTHON=python3.11")


def torch() -> Finding:
    """torch imports and multiplies; which device it would use."""
    torch = importlib.import_module("torch")
    if float((torch.eye(3) @ torch.full((3, 3), 2.0)).sum()) != 18:
        return Finding(FAIL, f"torch {torch.__version__} multiplies wrongly", SET_UP_AGAIN)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return Finding(OK, f"torch {torch.__version__} on {device}")


def torchaudio() -> Finding:
    """torchaudio imports and computes an MFCC, and whether its compiled part answers. Nothing but comparisons needs either."""
    found = _torchaudio.probe()
    if found.error:
        repair = "`tinycourse doctor --repair` sets its compiled part aside"
        return Finding(
            WARN,
            f"torchaudio does not load ({found.error}: {found.message})",
            f"only comparisons with it need it; {repair if _torchaudio.built_for_another_torch(found) else reinstall('torchaudio')}",
        )
    compiled = "is loaded" if found.compiled else "is not loaded, and not needed"
    return Finding(OK, f"torchaudio {version('torchaudio')} computes MFCC; its compiled part (rnnt_loss) {compiled}")


def audio() -> Finding:
    """soundfile writes and reads wav, Vorbis and Opus, all in memory."""
    numpy, soundfile = importlib.import_module("numpy"), importlib.import_module("soundfile")
    tone = 0.5 * numpy.sin(2 * numpy.pi * 440 * numpy.arange(16_000) / 16_000)
    for container, coding in (("WAV", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS")):
        file = io.BytesIO()
        soundfile.write(file, tone, 16_000, format=container, subtype=coding)
        file.seek(0)
        decoded, rate = soundfile.read(file)
        if rate != 16_000 or decoded.shape != tone.shape or numpy.corrcoef(tone, decoded)[0, 1] < 0.99:
            return Finding(FAIL, f"soundfile {soundfile.__version__} spoils {coding}", reinstall("soundfile"))
    return Finding(OK, f"soundfile {soundfile.__version__} reads wav, Vorbis and Opus")


def resampler() -> Finding:
    """soxr halves the rate of a tone."""
    numpy, soxr = importlib.import_module("numpy"), importlib.import_module("soxr")
    tone = numpy.sin(2 * numpy.pi * 440 * numpy.arange(32_000) / 32_000)
    halved = soxr.resample(tone, 32_000, 16_000, quality="VHQ")
    if halved.shape != (16_000,) or numpy.corrcoef(tone[::2], halved)[0, 1] < 0.99:
        return Finding(FAIL, f"soxr {soxr.__version__} spoils a tone", reinstall("soxr"))
    return Finding(OK, f"soxr {soxr.__version__} changes sample rates")


def compiler() -> Finding:
    """ziglang compiles a C function of three lines for every kind of target, as the exporter does."""
    toolchain = importlib.import_module("tinycourse.targets.toolchain")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "add.c")
        source.write_text(CODE)
        for target in toolchain.TARGETS:
            try:
                toolchain.build([source], target, Path(folder, toolchain.BINARIES[target]), ["add"])
            except TinycourseError as error:
                return Finding(FAIL, f"ziglang does not compile for {target} ({error})", reinstall("ziglang"))
    return Finding(OK, f"ziglang {version('ziglang')} compiles C for " + ", ".join(toolchain.TARGETS))


def emulator() -> Finding:
    """unicorn runs two instructions of an emulated Cortex-M4: movs r0, #40; adds r0, #2."""
    unicorn, arm = importlib.import_module("unicorn"), importlib.import_module("unicorn.arm_const")
    chip = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    chip.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M4)
    chip.mem_map(0x1000, 0x1000)
    chip.mem_write(0x1000, bytes.fromhex("2820 0230"))
    chip.emu_start(0x1001, 0x1004)
    result = chip.reg_read(arm.UC_ARM_REG_R0)
    if result != 42:
        return Finding(FAIL, f"unicorn {unicorn.__version__} computes 40 + 2 = {result}", reinstall("unicorn"))
    return Finding(OK, f"unicorn {unicorn.__version__} runs Cortex-M4 instructions")


def webassembly() -> Finding:
    """wasmtime runs one WebAssembly function."""
    wasmtime = importlib.import_module("wasmtime")
    store = wasmtime.Store()
    module = wasmtime.Module(store.engine, '(module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))')
    result = wasmtime.Instance(store, module, []).exports(store)["add"](store, 40, 2)
    if result != 42:
        return Finding(FAIL, f"wasmtime {version('wasmtime')} computes 40 + 2 = {result}", reinstall("wasmtime"))
    return Finding(OK, f"wasmtime {version('wasmtime')} runs WebAssembly")


def jupyterlab() -> Finding:
    """JupyterLab is installed and its Python kernel answers; on Colab, which brings its own, there is nothing to check."""
    if "COLAB_RELEASE_TAG" in os.environ:
        return Finding(OK, "Colab runs the notebooks")
    importlib.import_module("jupyterlab")
    manager = importlib.import_module("jupyter_client.manager")
    kernel, client = manager.start_new_kernel(kernel_name="python3", startup_timeout=60)
    try:
        status = client.execute_interactive("40 + 2", timeout=60, output_hook=lambda message: None)["content"]["status"]
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
    if status != "ok":
        return Finding(FAIL, f"the notebook kernel answers with {status}", reinstall("ipykernel"))
    return Finding(OK, f"JupyterLab {version('jupyterlab')}, its Python kernel answers")


def widgets() -> Finding:
    """ipywidgets 7.7 or 8, and anywidget."""
    ipywidgets, anywidget = importlib.import_module("ipywidgets"), importlib.import_module("anywidget")
    ipywidgets.IntSlider(value=3)
    text = f"ipywidgets {ipywidgets.__version__}, anywidget {anywidget.__version__}"
    if not (7, 7) <= tuple(int(part) for part in ipywidgets.__version__.split(".")[:2]) < (9, 0):
        return Finding(FAIL, text, 'install another: python -m pip install "ipywidgets>=7.7,<9"')
    return Finding(OK, text)


# By name, as notebooks keep what the doctor says; `tinycourse data list` shows the path.
DATA_FOLDER = "the folder TINYCOURSE_DATA" if os.environ.get("TINYCOURSE_DATA") else "the user's cache"


def data() -> Finding:
    """The bundled recordings are there; which real data sets are found."""
    data = importlib.import_module("tinycourse.data")
    if data.find("tinywords") is None:
        return Finding(
            FAIL,
            "the bundled recordings (tinywords) are missing",
            "put the folder data/tinywords of the repository back (git checkout data/tinywords)",
        )
    real = [name for name in data.DATASETS if name != "tinywords" and data.find(name)]
    found = ", ".join(real) or "none (`tinycourse data list` tells how to get them)"
    return Finding(OK, f"bundled recordings: tinywords; real ones in {DATA_FOLDER}: {found}")


def memory() -> Finding:
    """Free memory, as far as a container's limit allows."""
    free = min(importlib.import_module("psutil").virtual_memory().available, container_memory()) / GB
    text = f"{free:.1f} GB of memory free"
    return Finding(OK, text) if free >= 1.5 else Finding(WARN, text, "a lesson needs up to 1 GB: close programs and notebooks")


def container_memory(group: Path = Path("/sys/fs/cgroup")) -> float:
    """Bytes that a container may still take, infinity where it sets no limit; what the kernel can drop from its cache is free."""
    limit = group / "memory.max"
    if not limit.exists() or limit.read_text().strip() == "max":
        return float("inf")
    statistics = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    return int(limit.read_text()) - int((group / "memory.current").read_text()) + int(statistics["inactive_file"])


def storage() -> Finding:
    """Whether data sets can be written into their folder, and how much room there is."""
    root = importlib.import_module("tinycourse.data").root()
    place = next(folder for folder in (root, *root.parents) if folder.is_dir())  # the folder itself is made when data come
    elsewhere = "set TINYCOURSE_DATA to a folder elsewhere (only downloads of real recordings need it)"
    try:
        with tempfile.TemporaryFile(dir=place):
            free = shutil.disk_usage(place).free / GB
    except OSError as error:
        return Finding(WARN, f"{DATA_FOLDER} ({place}) cannot be written ({error.strerror})", elsewhere)
    text = f"{DATA_FOLDER} can be written, {free:.1f} GB of disk free"
    return Finding(OK, text) if free >= 1 else Finding(WARN, text, f"make room there, or {elsewhere}")


CHECKS: dict[str, Callable[[], Finding]] = {
    check.__name__: check
    for check in (
        python,
        torch,
        torchaudio,
        audio,
        resampler,
        compiler,
        emulator,
        webassembly,
        jupyterlab,
        widgets,
        data,
        memory,
        storage,
    )  # fmt: skip
}
PACKAGES = {
    "torchaudio": "torchaudio",
    "audio": "soundfile",
    "resampler": "soxr",
    "compiler": "ziglang",
    "emulator": "unicorn",
    "webassembly": "wasmtime",
    "jupyterlab": "jupyterlab",
    "widgets": "ipywidgets",
    "memory": "psutil",
}


def remedy(name: str) -> str:
    """What to do where check `name` raises or does not return."""
    return reinstall(PACKAGES[name]) if name in PACKAGES else SET_UP_AGAIN


def examine(name: str) -> Finding:
    """Run one check in this process; whatever it raises becomes its FAIL line."""
    try:
        return CHECKS[name]()
    except BaseException as error:
        words = str(error).strip().partition("\n")[0]
        return Finding(FAIL, f"{name}: {type(error).__name__}: {words}", remedy(name))


def examine_apart(name: str) -> Finding:
    """Run one check in a process of its own, which may crash or hang."""
    try:
        run = subprocess.run([sys.executable, "-m", "tinycourse.cli.doctor", name], capture_output=True, text=True, timeout=SECONDS)
        return Finding(*json_format.loads(run.stdout.splitlines()[-1]))
    except subprocess.TimeoutExpired:
        return Finding(FAIL, f"{name}: no answer within {SECONDS} seconds", remedy(name))
    except (IndexError, ValueError):
        return Finding(FAIL, f"{name}: its process stopped with status {run.returncode}", remedy(name))


def main(json: bool = False, repair: bool = False) -> int:
    """Print one line for every check, with the remedy where one is needed, and return the exit status: 1 where a check fails.

    json: print one JSON object instead. repair: first set torchaudio's compiled part aside where only that keeps it from loading.
    """
    if repair:
        print(_torchaudio.repair().text, file=sys.stderr if json else sys.stdout)
    show = (lambda line: None) if json else partial(print, flush=True)
    findings = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        for name, finding in zip(CHECKS, pool.map(examine_apart, CHECKS), strict=True):
            findings.append({"check": name} | finding._asdict())
            show(f"{'[' + finding.level + ']':6} {finding.text}")
            if finding.remedy:
                show(f"       -> {finding.remedy}")
    ready = all(finding["level"] != FAIL for finding in findings)
    if json:
        print(json_format.dumps({"ready": ready, "checks": findings}))
    return 0 if ready else 1


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        answer = examine(sys.argv[1])
    print(json_format.dumps(answer))
