"""The doctor: every check passes on this machine, and every failure costs one line with a remedy, never a traceback."""

import json
import os
import sys
import types
from pathlib import Path

import pytest

from tinycourse import _torchaudio, data
from tinycourse.cli import doctor
from tinycourse.cli.doctor import FAIL, OK, WARN, Finding
from tinycourse.targets import toolchain

# --- this machine ---


def test_this_machine_is_ready(capsys):
    status = doctor.main()
    output = capsys.readouterr().out
    lines = [line for line in output.splitlines() if line.startswith("[")]
    assert status == 0, output
    assert len(lines) == len(doctor.CHECKS)
    for word in (
        "Python 3.",
        "torch 2.",
        "torchaudio 2.",
        "soundfile",
        "soxr",
        "Cortex-M4",
        "unicorn",
        "wasmtime",
        "JupyterLab",
        "ipywidgets",
        "tinywords",
        "memory",
        "disk",
    ):
        assert word in output


# --- one tool is missing ---


@pytest.mark.parametrize(
    "check, module",
    [
        ("torch", "torch"),
        ("audio", "soundfile"),
        ("resampler", "soxr"),
        ("emulator", "unicorn"),
        ("webassembly", "wasmtime"),
        ("jupyterlab", "jupyterlab"),
        ("widgets", "ipywidgets"),
        ("widgets", "anywidget"),
        ("data", "tinycourse.data"),
        ("memory", "psutil"),
        ("storage", "tinycourse.data"),
    ],
)
def test_missing_module_is_one_failed_line(monkeypatch, check, module):
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    level, text, remedy = doctor.examine(check)
    assert level == FAIL and module in text and remedy
    assert "\n" not in text


def test_missing_package_is_installed_with_what_it_needs_and_a_broken_one_alone():
    assert doctor.reinstall("no-such-package").endswith("pip install no-such-package")
    assert doctor.reinstall("numpy").endswith("--no-deps numpy==" + doctor.version("numpy"))


@pytest.mark.parametrize("version, level", [((3, 10, 9), FAIL), ((3, 11, 0), OK), ((3, 13, 5), OK), ((3, 14, 0), FAIL)])
def test_python_version(monkeypatch, version, level):
    monkeypatch.setattr(doctor.sys, "version_info", version)
    assert doctor.python().level == level


# --- one tool answers wrongly ---


def module_with(**attributes):
    """Something that answers like a module."""
    return types.SimpleNamespace(__version__="0", **attributes)


def test_torch_that_multiplies_wrongly(monkeypatch):
    torch = doctor.importlib.import_module("torch")
    monkeypatch.setitem(sys.modules, "torch", module_with(eye=torch.eye, full=lambda shape, value: torch.zeros(shape)))
    assert doctor.torch().level == FAIL


@pytest.mark.parametrize(
    "probe, level, word",
    [
        (_torchaudio.Probe("", "", True), OK, "is loaded"),
        (_torchaudio.Probe("", "", False), OK, "is not loaded, and not needed"),
        (_torchaudio.Probe("OSError", "libc10_cuda.so", False), WARN, "libc10_cuda.so"),
        (_torchaudio.Probe("ImportError", "no torchaudio", False), WARN, "no torchaudio"),
    ],
)
def test_torchaudio(monkeypatch, probe, level, word):
    monkeypatch.setattr(_torchaudio, "probe", lambda: probe)
    finding = doctor.torchaudio()
    assert finding.level == level and word in finding.text
    assert ("doctor --repair" in finding.remedy) == (probe.error == "OSError")


def test_audio_that_is_spoiled(monkeypatch):
    soundfile = doctor.importlib.import_module("soundfile")
    read = soundfile.read

    def read_backwards(file):
        samples, rate = read(file)
        return samples[::-1], rate

    monkeypatch.setattr(soundfile, "read", read_backwards)
    assert doctor.audio()[:2] == (FAIL, f"soundfile {soundfile.__version__} spoils PCM_16")


def test_resampler_that_forgets_the_rate(monkeypatch):
    monkeypatch.setattr(doctor.importlib.import_module("soxr"), "resample", lambda samples, *rates, quality: samples)
    assert doctor.resampler().level == FAIL


@pytest.mark.parametrize("target", toolchain.TARGETS)
def test_compiler_that_fails_for_one_target(monkeypatch, target):
    monkeypatch.setitem(toolchain.TARGETS, target, ["-target", "no-such-machine"])
    finding = doctor.compiler()
    assert finding.level == FAIL and target in finding.text and "ziglang" in finding.remedy


def test_compiler_that_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "ziglang").mkdir()
    (tmp_path / "ziglang" / "__init__.py").touch()
    finding = doctor.compiler()
    assert finding.level == FAIL and "ziglang" in finding.text


def test_emulator_that_computes_wrongly(monkeypatch):
    unicorn = doctor.importlib.import_module("unicorn")
    monkeypatch.setattr(unicorn.Uc, "reg_read", lambda chip, register: 41)
    assert doctor.emulator()[:2] == (FAIL, f"unicorn {unicorn.__version__} computes 40 + 2 = 41")


def test_webassembly_that_computes_wrongly(monkeypatch):
    wasmtime = doctor.importlib.import_module("wasmtime")
    monkeypatch.setattr(
        wasmtime, "Instance", lambda store, module, imports: types.SimpleNamespace(exports=lambda store: {"add": lambda store, a, b: 41})
    )
    assert doctor.webassembly().level == FAIL


def test_kernel_that_answers_with_an_error(monkeypatch):
    client = types.SimpleNamespace(
        execute_interactive=lambda *args, **options: {"content": {"status": "error"}}, stop_channels=lambda: None
    )
    kernel = types.SimpleNamespace(shutdown_kernel=lambda now: None)
    manager = doctor.importlib.import_module("jupyter_client.manager")
    monkeypatch.setattr(manager, "start_new_kernel", lambda **options: (kernel, client))
    finding = doctor.jupyterlab()
    assert finding.level == FAIL and "ipykernel" in finding.remedy


def test_colab_needs_no_jupyterlab(monkeypatch):
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    assert doctor.jupyterlab().level == OK


@pytest.mark.parametrize("version, level", [("7.6.5", FAIL), ("7.7.1", OK), ("8.1.9", OK), ("9.0.0", FAIL)])
def test_ipywidgets_version(monkeypatch, version, level):
    monkeypatch.setattr(doctor.importlib.import_module("ipywidgets"), "__version__", version)
    assert doctor.widgets().level == level


def test_bundled_recordings_missing(monkeypatch):
    monkeypatch.setattr(data, "find", lambda name: None)
    assert doctor.data().level == FAIL


def test_real_recordings_are_listed_where_found(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "find", lambda name: tmp_path if name in ("tinywords", "an4") else None)
    assert doctor.data().level == OK and doctor.data().text.endswith(": an4")


# --- memory and disk ---


def test_little_memory_is_a_warning(monkeypatch):
    monkeypatch.setattr(doctor, "container_memory", lambda: 0.9e9)
    finding = doctor.memory()
    assert finding.level == WARN and finding.text.startswith("0.9 GB")


@pytest.mark.parametrize("limit, free", [("max", float("inf")), (str(2 * 10**9), 1.3e9)])
def test_memory_of_a_container(tmp_path, limit, free):
    (tmp_path / "memory.max").write_text(limit + "\n")
    (tmp_path / "memory.current").write_text("900000000\n")
    (tmp_path / "memory.stat").write_text("anon 700000000\ninactive_file 200000000\n")
    assert doctor.container_memory(tmp_path) == free
    assert doctor.container_memory(tmp_path / "none") == float("inf")


def test_storage_looks_where_data_would_go(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "root", lambda: tmp_path / "not" / "yet")
    asked = []
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda place: asked.append(place) or types.SimpleNamespace(free=2e9))
    assert doctor.storage().level == OK
    assert asked == [tmp_path]
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


def test_full_disk_is_a_warning(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda place: types.SimpleNamespace(free=3e8))
    finding = doctor.storage()
    assert finding.level == WARN and "0.3 GB" in finding.text and "make room" in finding.remedy


def test_folder_that_cannot_be_written_is_a_warning(monkeypatch):
    def refuse(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    finding = doctor.storage()
    assert finding.level == WARN and "Permission denied" in finding.text and "TINYCOURSE_DATA" in finding.remedy


# --- a check that crashes or hangs does not take the doctor with it ---


def write_module(folder: Path, name: str, code: str) -> None:
    """A module `name` whose import runs `code`, found before the installed one by processes with `folder` in PYTHONPATH."""
    (folder / f"{name}.py").write_text(code)


@pytest.mark.parametrize(
    "code, word",
    [
        ("import os; os._exit(3)", "stopped with status 3"),
        ("raise SystemExit", "SystemExit"),
        ("print('chatter'); 1 / 0", "division"),
        ("raise RuntimeError('line 1\\nline 2')", "RuntimeError: line 1"),
    ],
)
def test_broken_package_is_one_failed_line(monkeypatch, tmp_path, code, word):
    write_module(tmp_path, "unicorn", code)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(Path(doctor.__file__).parents[2])]))
    level, text, remedy = doctor.examine_apart("emulator")
    assert level == FAIL and text.startswith("emulator: ") and word in text and "unicorn" in remedy
    assert "\n" not in text


def test_check_that_hangs_is_given_up(monkeypatch, tmp_path):
    write_module(tmp_path, "unicorn", "import time; time.sleep(60)")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(Path(doctor.__file__).parents[2])]))
    monkeypatch.setattr(doctor, "SECONDS", 1)
    assert doctor.examine_apart("emulator").text == "emulator: no answer within 1 seconds"


# --- the report ---

FINDINGS = {"good": Finding(OK, "fine"), "weak": Finding(WARN, "little", "get more"), "bad": Finding(FAIL, "broken", "mend it")}


@pytest.mark.parametrize("names, status", [(["good"], 0), (["good", "weak"], 0), (["good", "bad", "weak"], 1)])
def test_report(monkeypatch, capsys, names, status):
    monkeypatch.setattr(doctor, "CHECKS", dict.fromkeys(names))
    monkeypatch.setattr(doctor, "examine_apart", FINDINGS.get)
    assert doctor.main() == status
    output = capsys.readouterr().out
    assert output.startswith("[OK]   fine\n")
    assert ("[WARN] little\n       -> get more\n" in output) == ("weak" in names)
    assert ("[FAIL] broken\n       -> mend it\n" in output) == ("bad" in names)

    assert doctor.main(json=True) == status
    report = json.loads(capsys.readouterr().out)
    assert report["ready"] == (status == 0)
    assert report["checks"] == [{"check": name} | FINDINGS[name]._asdict() for name in names]


def test_report_in_json_keeps_words_off_standard_output(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "CHECKS", {})
    monkeypatch.setattr(_torchaudio, "repair", lambda: _torchaudio.Repair(True, 0, "nothing to repair"))
    doctor.main(json=True, repair=True)
    output = capsys.readouterr()
    assert json.loads(output.out)["checks"] == [] and "nothing to repair" in output.err
