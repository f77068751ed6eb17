"""Exports for others to build: plain C on a computer, a library for Arduino, a module for Zephyr. Each is compiled and run, with small
stand-ins for what Arduino and Zephyr bring, and has to say that every number is the interpreter's."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from tests import networks
from tests.codegen.test_keyword_spotter import SETTINGS, hearing, sound
from tests.compilers import STRICT, cpp_accepts
from tinycourse import data
from tinycourse.codegen import emitter
from tinycourse.codegen.kernel_files import kernel_files
from tinycourse.errors import TinycourseError
from tinycourse.export import deploy, firmware, package
from tinycourse.export.firmware import Form, fields
from tinycourse.features.frontend import Frontend, FrontendConfig
from tinycourse.models.cells import CellConfig
from tinycourse.models.rnnt import RNNTConfig, Transducer
from tinycourse.program.keyword_spotter import BITS, Listener, Settings, spot
from tinycourse.quantization.integer_frontend import with_frontend, with_samples
from tinycourse.quantization.integer_transducer import quantize_transducer
from tinycourse.quantization.post_training import to_program
from tinycourse.targets import binaries, toolchain
from tinycourse.training import checkpoint

RATE = 1600
NAMES = {"features": "TinySpeech", "samples": "Ears", "transducer": "RnntSmall", "dictation": "RnntSmall", "listener": "Listener"}
MODELS = tuple(NAMES)


def about(program, model):
    """The program with a name and names of its outputs, one of which C has to quote."""
    size = program.tensors[program.output].size
    return replace(program, metadata=program.metadata | {"model": model, "classes": ['"ja\\nein??/"', "héo", *map(str, range(size - 2))]})


def features():
    return about(networks.program("tinyspeech"), "tiny-speech")


def frontend(mels=6):
    front = Frontend(FrontendConfig("log-mel", RATE, 128, 64, 128, mels, 4, high=700.0))
    return front.fit(torch.randn(4, RATE, generator=torch.Generator().manual_seed(0)))


def samples():
    front = frontend()
    torch.manual_seed(0)
    shape = front.config.shape  # (1, frames, bands)
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3, padding=1), torch.nn.Flatten(), torch.nn.Linear(3 * shape[1] * shape[2], 4))
    return about(with_samples(to_program(network.eval(), torch.randn(8, *shape)), front), "ears")


def transducer():
    torch.manual_seed(0)
    config = RNNTConfig(
        features=5, stack=4, hop=3, reduction=2, cell=CellConfig(units=8), prediction=CellConfig(units=8),
        prediction_layers=1, embedding=8, joint=8,
    )  # fmt: skip
    network = Transducer(config, 4).eval()
    network.joint.output.bias.data[0] = -1
    names = {"model": "rnnt-small", "classes": ["<blank>", "▁on", "e", "▁two"]}
    return quantize_transducer(network, [torch.randn(200, 5)]).to_program(metadata=names)


def dictation():
    """The transducer, which takes samples."""
    return with_frontend(transducer(), frontend(5))


def listener():
    return Listener(about(hearing("centred").program, "listener"), SETTINGS["centred"])


MAKE = {"features": features, "samples": samples, "transducer": transducer, "dictation": dictation, "listener": listener}


def write(name, model, target, out, form="plain"):
    """An export of a model; a listener's example hears sound in which it fires."""
    return package.export(model, target, out, form=form, clip=sound(3) if name == "listener" else None)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A function: the program (or Listener) of a model and the folder where it is in some form, made when it is first asked for."""
    folder, programs = tmp_path_factory.mktemp("exported"), {name: make() for name, make in MAKE.items()}

    def get(name, form) -> tuple:
        if not (out := folder / name / form).exists():
            write(name, programs[name], "host" if form == "plain" else "cortex-m4", out, form)
        return programs[name], out

    return get


def compiled(*arguments) -> None:
    """Call a compiler for this computer: gcc where it is installed, which is one more opinion of the sources, else the course's own."""
    if not shutil.which("gcc"):
        return toolchain.compile_c([*map(str, arguments)])
    run = subprocess.run(["gcc", *map(str, arguments)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.fixture(scope="module")
def objects(exported, tmp_path_factory):
    """A function: the C of a model without its main, compiled once."""
    made = {}

    def get(name) -> list[Path]:
        if name not in made:
            out = tmp_path_factory.mktemp("objects")
            made[name] = [out / f"{p.stem}.o" for p in exported(name, "plain")[1].glob("*.c") if p.name not in ("runtime.c", "main.c")]
            for path in made[name]:
                compiled(*STRICT, "-std=c99", "-O1", "-c", exported(name, "plain")[1] / f"{path.stem}.c", "-o", path)
        return made[name]

    return get


def said_by(program: Path, *arguments) -> str:
    return subprocess.run([program, *arguments], capture_output=True, check=True, timeout=600).stdout.decode()


def same_code(folder: Path, plain: Path, besides: set[str]) -> bool:
    """Whether a folder has the C that plain C has, but for what it leaves out and has besides."""
    texts = [{p.name: p.read_text() for p in place.iterdir() if p.suffix in (".c", ".h")} for place in (folder, plain)]
    ours, theirs = ({file: text for file, text in one.items() if file not in besides} for one in texts)
    return ours == theirs and "model.c" in ours


# ------------------------------------------------------------------------------------------------ plain C


@pytest.mark.parametrize("name", MODELS)
def test_plain_c_hears_a_file(name, exported, objects, tmp_path):
    program, folder = exported(name, "plain")
    compiled(*STRICT, "-std=c99", folder / "main.c", *objects(name), "-o", tmp_path / "recognise.exe")
    noise = package.of(program).noise()
    loudest = np.iinfo(noise.dtype).max + 1
    clips = (
        np.random.default_rng(1).integers(-loudest, loudest, (3, *noise.shape)).astype(noise.dtype) if name != "listener" else sound(4.01)
    )
    (tmp_path / "clips").write_bytes(clips.tobytes())
    said = said_by(tmp_path / "recognise.exe", tmp_path / "clips")
    names = (program.program if name == "listener" else program).metadata["classes"]
    if name == "listener":
        found = [f"{(i + 1) * program.chunk / RATE:.2f} {names[word]} {score / 2**BITS:.5f}" for i, word, score in spot(program, clips)]
        assert said.splitlines() == found and len({word for _, word, _ in spot(program, clips)}) > 1
    elif name in ("transducer", "dictation"):
        labels, _ = program.run(clips.reshape(-1, noise.shape[1]))
        assert said.splitlines() == ["".join(names[label].replace("▁", " ") for label in labels).removeprefix(" ")] and len(labels) > 5
    else:
        rows, scores = [line.rsplit(": ", 1) for line in said.splitlines()], program.run(clips)
        assert [[int(number) for number in numbers.split()] for _, numbers in rows] == scores.tolist()
        assert [word for word, _ in rows] == [names[i] for i in scores.argmax(1)]
    assert subprocess.run([tmp_path / "recognise.exe", tmp_path / "nowhere"], capture_output=True).returncode == 1


def arm(sources, core) -> None:
    """Have Arm's own compiler read C files for a core, strictly; skips where it is not installed."""
    if not shutil.which("arm-none-eabi-gcc"):
        pytest.skip("arm-none-eabi-gcc is not installed")
    sources = [p for p in sources if p.suffix == ".c" and p.name != "runtime.c"]
    flags = [f"-mcpu={core}", "-mthumb", "-O2", "-std=c99", *STRICT, "-S", "-o", "/dev/null"]
    for source in sources:
        assert subprocess.run(["arm-none-eabi-gcc", *flags, source]).returncode == 0


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m0plus"])
@pytest.mark.parametrize("name", MODELS)
def test_plain_c_is_read_by_the_compiler_of_arm(name, core, exported):
    arm(exported(name, "plain")[1].iterdir(), core)


def test_the_dsp_kernels_are_read_by_the_compiler_of_arm(tmp_path):
    binaries.save_texts(tmp_path, emitter.generate(features(), dsp=True) | kernel_files(dsp=True))
    arm(tmp_path.iterdir(), "cortex-m4")


@pytest.mark.parametrize("form", ["plain", "arduino", "zephyr"])
@pytest.mark.parametrize("name", MODELS)
def test_every_header_is_c_plus_plus_too(name, form, exported, tmp_path):
    folder = exported(name, form)[1]
    headers = sorted(path.resolve() for path in folder.rglob("*.h"))
    cpp_accepts(headers, tmp_path, [f"-I{place}" for place in (folder / "src", folder / "include")])


# ------------------------------------------------------------------------------------------------ Arduino

ARDUINO = """#include <stdio.h>
struct Port {
    void begin(long) {}
    void print(const char *text) { printf("%s", text); }
    void print(unsigned long number) { printf("%lu", number); }
    void println(const char *text) { printf("%s\\n", text); }
};
static Port Serial;
static unsigned long micros() { return 7; }
static void delay(unsigned long) {}
void setup();
void loop();
"""
SKETCH = '#include <Arduino.h>\n#include "Recognise.ino"\nint main() { setup(); loop(); return 0; }\n'


@pytest.mark.parametrize("name", MODELS)
def test_an_arduino_sketch_hears_its_clip(name, exported, objects, tmp_path):
    _, folder = exported(name, "arduino")
    binaries.save_texts(tmp_path, {"Arduino.h": ARDUINO, "sketch.cpp": SKETCH})
    assert same_code(folder / "src", exported(name, "plain")[1], {"runtime.c", "main.c", "words.h", f"{NAMES[name]}.h"})
    shutil.copytree(folder / "examples" / "Recognise", tmp_path / "changed")
    clip, number = tmp_path / "changed" / "clip.h", r"(expected\[\d+\] = {\n    )(-?\d+)"
    clip.write_text(re.sub(number, lambda found: f"{found[1]}{int(found[2]) ^ 1}", clip.read_text()))
    for example, words in ((folder / "examples" / "Recognise", "every number as"), (tmp_path / "changed", "with other numbers than")):
        places = [f"-I{place}" for place in (tmp_path, folder / "src", example)]
        flags = ["-x", "c++", "-std=gnu++11", "-fno-exceptions", "-fno-rtti", "-nostdinc++", "-fno-sanitize=undefined"]
        flags += [*STRICT, "-c", *places]
        toolchain.compile_c([*flags, str(tmp_path / "sketch.cpp"), "-o", str(tmp_path / "sketch.o")])
        compiled(tmp_path / "sketch.o", *objects(name), "-o", tmp_path / "sketch.exe")
        assert re.fullmatch(rf"recognised .*, {words} on the computer, in 0 microseconds\s+", said_by(tmp_path / "sketch.exe"))


PROPERTIES = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures", "includes"}
CATEGORIES = "Display, Communication, Signal Input/Output, Sensors, Device Control, Timing, Data Storage, Data Processing, Other".split(
    ", "
)


@pytest.mark.parametrize("name", MODELS)
def test_the_arduino_library_is_laid_out_as_the_specification_says(name, exported):
    """Library specification 1.5, revision 2.2, and what arduino-lint asks for in strict mode."""
    _, folder = exported(name, "arduino")
    properties = dict(line.split("=", 1) for line in (folder / "library.properties").read_text(encoding="utf-8").splitlines())
    assert properties.keys() == PROPERTIES and all(properties.values())
    assert properties["name"] == NAMES[name] and re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,15}", properties["name"])
    assert not re.search("arduino|library", properties["name"] + properties["maintainer"], re.I)
    assert re.fullmatch(r"\d+\.\d+\.\d+", properties["version"]) and properties["category"] in CATEGORIES
    assert not properties["paragraph"].startswith(properties["sentence"])
    assert (folder / "src" / properties["includes"]).is_file() and properties["includes"] == f"{properties['name']}.h"
    assert {p.name for p in folder.iterdir()} == {
        "LICENSE", "README.md", "examples", "files.sha256", "keywords.txt", "library.properties", "report.json", "src",
    }  # fmt: skip
    sketches = list(folder.rglob("*.ino"))
    assert [p.relative_to(folder).as_posix() for p in sketches] == ["examples/Recognise/Recognise.ino"]
    header = (folder / "src" / "model.h").read_text()
    rows = [line.split("\t") for line in (folder / "keywords.txt").read_text().splitlines()]
    assert {kind for _, kind in rows} == {"KEYWORD2", "LITERAL1"} and all(re.search(rf"\b{word}\b", header) for word, _ in rows)
    assert {"model_run", "model_input", "model_output"} <= {word for word, _ in rows}


# ------------------------------------------------------------------------------------------------ Zephyr

ZEPHYR = {
    "zephyr/kernel.h": "#include <stdint.h>\nstatic int64_t now;\nstatic int64_t k_uptime_get(void) { return now++; }\n",
    "zephyr/sys/printk.h": "#include <stdio.h>\n#define printk printf\n",
}
BARE = ZEPHYR | {
    "zephyr/sys/printk.h": "void printk(const char *format, ...);\n",
    "string.h": "#include <stddef.h>\nvoid *memcpy(void *, const void *, size_t);\nchar *strncat(char *, const char *, size_t);\n"
    "size_t strlen(const char *);\n",
}
MODULE_KEYS = {"name": str, "build": dict, "samples": list}  # of those that zephyr_module.py knows
TEST_KEYS = {"tags": str, "min_flash": int, "min_ram": int, "integration_platforms": list, "harness": str, "harness_config": dict}


@pytest.mark.parametrize("name", MODELS)
def test_a_zephyr_sample_hears_its_clip(name, exported, objects, tmp_path):
    _, folder = exported(name, "zephyr")
    main, include = folder / "samples" / "recognise" / "src" / "main.c", f"-I{folder / 'include'}"
    cmake = (folder / "CMakeLists.txt").read_text()
    assert {line.strip() for line in cmake.splitlines() if ".c" in line} == {f"src/{p.name}" for p in (folder / "src").glob("*.c")}
    assert same_code(folder / "src", exported(name, "plain")[1], {"runtime.c", "main.c", "words.h", "model.h"})
    (header,) = (folder / "include").rglob("*.h")
    assert header.read_text() == (exported(name, "plain")[1] / "model.h").read_text()
    chip = [flag for flag in toolchain.TARGETS["cortex-m4"] if not flag.startswith("-Wl")]
    binaries.save_texts(tmp_path / "bare", BARE)
    binaries.save_texts(tmp_path / "computer", ZEPHYR)
    flags = [*chip, "-ffreestanding", "-std=c99", *STRICT, f"-I{tmp_path / 'bare'}", include, "-c"]
    toolchain.compile_c([*flags, str(main), "-o", str(tmp_path / "main.o")])
    compiled("-std=c99", *STRICT, f"-I{tmp_path / 'computer'}", include, main, *objects(name), "-o", tmp_path / "sample.exe")
    (test,) = yaml.safe_load((folder / "samples" / "recognise" / "sample.yaml").read_text())["tests"].values()
    (pattern,), said = test["harness_config"]["regex"], said_by(tmp_path / "sample.exe")
    assert re.search(pattern, said) and said.rstrip().endswith("in 1 milliseconds")


@pytest.mark.parametrize("name", MODELS)
def test_the_zephyr_module_names_what_is_there(name, exported):
    program, folder = exported(name, "zephyr")
    module = yaml.safe_load((folder / "zephyr" / "module.yml").read_text())
    assert {key: type(value) for key, value in module.items()} == MODULE_KEYS and re.fullmatch(r"[a-z]\w*", module["name"])
    assert (folder / module["build"]["cmake"] / "CMakeLists.txt").is_file() and (folder / module["build"]["kconfig"]).is_file()
    (sample,) = ((folder / path / "recognise") for path in module["samples"])
    option = re.search(r"^config (\w+)\n\tbool ", (folder / "Kconfig").read_text(), re.M)[1]
    settings = dict(line.split("=") for line in (sample / "prj.conf").read_text().splitlines())
    assert settings[f"CONFIG_{option}"] == "y" and f"if(CONFIG_{option})" in (folder / "CMakeLists.txt").read_text()
    report = json.loads((folder / "report.json").read_text())
    assert int(settings["CONFIG_MAIN_STACK_SIZE"]) >= report["ram"]["stack_bytes"] + 1024
    described = yaml.safe_load((sample / "sample.yaml").read_text())
    ((test_name, test),) = described["tests"].items()
    assert described["sample"]["name"] == module["name"] and test_name == f"sample.{module['name']}.recognise"
    assert {key: type(value) for key, value in test.items()} == TEST_KEYS
    assert test["min_ram"] * 1024 > report["ram"]["total_bytes"] and test["min_flash"] * 1024 > report["flash"]["total_bytes"]
    build = (sample / "CMakeLists.txt").read_text()
    named = re.search(r"target_sources\(app PRIVATE (\S+)\)", build)[1]
    assert (sample / named).is_file() and (sample / "../..").resolve() == folder.resolve() and "${CMAKE_CURRENT_SOURCE_DIR}/../.." in build
    assert "Apache License" in (folder / "LICENSE").read_text() and f"<{module['name']}/model.h>" in (folder / "README.md").read_text()


# ------------------------------------------------------------------------------------------------ a form and a kind


class Listing(Form):
    """A form that lists what was made."""

    name = "listing"

    def files(self, made):
        """See `Form.files`."""
        return {"list.txt": "\n".join([fields(made)["title"], *made.sources, str(len(made.example[0]))])}


@pytest.mark.parametrize("name", MODELS)
def test_a_form_is_one_class(name, exported, tmp_path, monkeypatch):
    program, _ = exported(name, "plain")
    monkeypatch.setitem(firmware.FORMS, "listing", Listing())
    report = write(name, program, "cortex-m4", tmp_path / "m", "listing")
    title, *files, runs = (tmp_path / "m" / "list.txt").read_text().split("\n")
    assert {p.name for p in (tmp_path / "m").iterdir()} == {"list.txt", "report.json", "files.sha256"} and report["form"] == "listing"
    assert title.startswith("The speech recogniser") and {"model.c", "kernels.h"} < {*files} and int(runs) > 1
    with pytest.raises(TinycourseError, match="exported as listing and holds nothing to run"):
        package.load(tmp_path / "m")


NOT_CALLED = {"features": "recurrent.c", "samples": "listener.c", "transducer": "conv.c", "dictation": "conv.c", "listener": "conv.c"}


@pytest.mark.parametrize("name", MODELS)
def test_a_package_has_only_kernels_that_its_model_calls(name, exported):
    program, folder = exported(name, "plain")
    files = {p.name for p in folder.iterdir()}
    assert NOT_CALLED[name] not in files and {"kernels.h", "runtime.c", "fixed_point.c"} < files
    assert type(package.of(program).open("host", folder / toolchain.BINARIES["host"])) is type(package.load(folder))


# ------------------------------------------------------------------------------------------------ mistakes


def test_forms_that_cannot_be(exported, tmp_path):
    program, folder = exported("features", "arduino")
    with pytest.raises(TinycourseError, match="There is no form 'mbed'"):
        package.export(program, "cortex-m4", tmp_path / "x", form="mbed")
    with pytest.raises(TinycourseError, match="measured on a chip"):
        package.export(program, "host", tmp_path / "x", form="zephyr")
    with pytest.raises(TinycourseError, match="exported as arduino"):
        package.load(folder)
    assert not list(tmp_path.iterdir())


def test_examples_are_synthetic_speech():
    """A word that the network recognises, one that a listener reports, and digits that a transducer writes."""
    words = data.open_dataset("tinywords", classes="all")
    audio = torch.from_numpy(np.stack([words.load(cuts[0]) for cuts in words.select("training").values() if cuts]))
    program = deploy.program_of(recogniser := checkpoint.load("tinyspeech-m"), audio)
    clip = deploy.example(program)
    assert clip.dtype == np.int8 and clip.shape == program.tensors[program.input].shape
    assert recogniser.classes[program.run(clip[None])[0].argmax()] not in (data.SILENCE, data.UNKNOWN)
    listening = Listener(with_samples(program, recogniser.frontend), Settings(threshold=0.5))
    ((_, word, _),) = spot(listening, deploy.example(listening))
    assert listening.keywords[word]
    program = deploy.transducer_program_of(recogniser := checkpoint.load("rnnt-digits"), list(audio[:4]))
    clip = deploy.example(program)
    assert clip.dtype == np.int8 and clip.shape[1:] == (program.features,) and len(clip) > 50
    dictation = with_frontend(program, recogniser.frontend)
    assert deploy.example(dictation).dtype == np.int16 and deploy.example(dictation).shape[1:] == (160,)
    assert deploy.example(replace(program, metadata=program.metadata | {"classes": ["<blank>", "▁ja"]})) is None


def test_strings_of_c():
    assert firmware.quoted('a"b\\c??é') == '"a\\042b\\134c\\077\\077\\303\\251"'
