"""Exports for others to build: plain C on a computer, a library for Arduino, a module for Zephyr. Each is compiled and run, with small
stand-ins for what Arduino and Zephyr bring, and has to say that every number is the interpreter's."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import networks
import numpy as np
import pytest
import torch
import yaml

from tinycourse.errors import TinycourseError
from tinycourse.frontend import Frontend, FrontendConfig
from tinycourse.integer_frontend import with_samples
from tinycourse.integer_rnnt import quantize_transducer
from tinycourse.mcu import firmware, package, toolchain, transducer_package
from tinycourse.models.cells import CellConfig
from tinycourse.models.rnnt import RNNTConfig, Transducer
from tinycourse.quantization import to_program

RATE = 1600
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
MODELS = "features", "samples", "transducer"
NAMES = {"features": "TinySpeech", "samples": "Ears", "transducer": "RnntSmall"}


def about(program, model):
    """The program with a name and names of its outputs, one of which C has to quote."""
    size = program.tensors[program.output].size
    return replace(program, metadata=program.metadata | {"model": model, "classes": ['"ja\\nein??/"', "héo", *map(str, range(size - 2))]})


def features():
    return about(networks.program("tinyspeech"), "tiny-speech")


def samples():
    front = Frontend(FrontendConfig("log-mel", RATE, 128, 64, 128, 6, 4, high=700.0))
    front.fit(torch.randn(4, RATE, generator=torch.Generator().manual_seed(0)))
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


MAKE = {"features": features, "samples": samples, "transducer": transducer}


def write(name, program, target, out, form="plain"):
    """`package.export` or that of transducers."""
    return (transducer_package if name == "transducer" else package).export(program, target, out, form=form)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A function: the program of a model and the folder where it is in some form, made when it is first asked for."""
    folder, programs = tmp_path_factory.mktemp("exported"), {name: make() for name, make in MAKE.items()}

    def get(name, form) -> tuple:
        if not (out := folder / name / form).exists():
            write(name, programs[name], "host" if form == "plain" else "cortex-m4", out, form)
        return programs[name], out

    return get


def built(objects: list, out: Path, *flags: str) -> str:
    """What a program for this computer prints, compiled from C sources and objects."""
    toolchain.compile_c([*flags, *map(str, objects), "-o", str(out)])
    return subprocess.run([out], capture_output=True, text=True, check=True, timeout=60).stdout


# ------------------------------------------------------------------------------------------------ plain C


@pytest.mark.parametrize("compiler", ["zig", "gcc", "arm-none-eabi-gcc"])
@pytest.mark.parametrize("name", MODELS)
def test_plain_c_hears_a_file(name, compiler, exported, tmp_path):
    program, folder = exported(name, "plain")
    if compiler != "zig" and not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    sources = [str(p) for p in folder.glob("*.c") if p.name != "runtime.c"]
    if compiler == "arm-none-eabi-gcc":  # the firmware's part, without main: nothing but the model is linked
        flags = ["-mcpu=cortex-m4", "-mthumb", "-ffreestanding", "-c", *STRICT, "-std=c99"]
        model = [source for source in sources if Path(source).name != "main.c"]
        assert subprocess.run([compiler, *flags, *model], cwd=tmp_path, capture_output=True).returncode == 0
        return
    binary = tmp_path / "recognise.exe"
    flags = [*STRICT, "-std=c99", "-O1", *sources, "-o", str(binary)]
    if compiler == "zig":
        toolchain.compile_c(flags)
    else:
        assert subprocess.run([compiler, *flags], capture_output=True).returncode == 0
    clips = np.random.default_rng(1).integers(
        -128, 128, (3, *(transducer_package if name == "transducer" else package).noise(program).shape)
    )
    kind = np.int16 if name == "samples" else np.int8
    (tmp_path / "clips").write_bytes(clips.astype(kind).tobytes())
    said = subprocess.run([binary, tmp_path / "clips"], capture_output=True, check=True, timeout=60).stdout.decode()
    if name == "transducer":
        labels, _ = program.run(clips.astype(kind).reshape(-1, program.features))
        assert said == "".join(program.metadata["classes"][label].replace("▁", " ") for label in labels) + "\n" and len(labels) > 5
    else:
        rows = [line.rsplit(": ", 1) for line in said.splitlines()]
        scores = program.run(clips.astype(kind))
        assert [list(map(int, numbers.split())) for _, numbers in rows] == scores.tolist()
        assert [word for word, _ in rows] == [program.metadata["classes"][i] for i in scores.argmax(1)]
    assert subprocess.run([binary, tmp_path / "nowhere"], capture_output=True).returncode == 1


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
def test_an_arduino_sketch_hears_its_clip(name, exported, tmp_path):
    program, folder = exported(name, "arduino")
    (tmp_path / "Arduino.h").write_text(ARDUINO)
    (tmp_path / "sketch.cpp").write_text(SKETCH)
    places = [f"-I{p}" for p in (tmp_path, folder / "src", folder / "examples" / "Recognise")]
    flags = ["-x", "c++", "-std=gnu++11", "-fno-exceptions", "-fno-rtti", "-nostdinc++", *STRICT, "-c", *places]
    toolchain.compile_c([*flags, str(tmp_path / "sketch.cpp"), "-o", str(tmp_path / "sketch.o")])
    said = built([*(folder / "src").glob("*.c"), tmp_path / "sketch.o"], tmp_path / "sketch.exe", "-std=gnu11", *STRICT)
    assert re.fullmatch(r"heard .*, every number as on the computer, in 0 microseconds\n", said)
    clip = tmp_path / "clip.h"  # one number of the clip changed: the sketch sees it
    clip.write_text(
        re.sub(
            r"(expected\[\d+\] = {\n    )(-?\d+)", lambda m: f"{m[1]}{int(m[2]) ^ 1}", (folder / "examples/Recognise/clip.h").read_text()
        )
    )
    shutil.copytree(folder / "examples/Recognise", tmp_path / "other")
    shutil.copy(clip, tmp_path / "other" / "clip.h")
    flags = [flag.replace(str(folder / "examples" / "Recognise"), str(tmp_path / "other")) for flag in flags]
    toolchain.compile_c([*flags, str(tmp_path / "sketch.cpp"), "-o", str(tmp_path / "sketch.o")])
    assert "other numbers" in built([*(folder / "src").glob("*.c"), tmp_path / "sketch.o"], tmp_path / "sketch.exe", "-std=gnu11")


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
        "LICENSE", "README.md", "examples", "keywords.txt", "library.properties", "report.json", "src",
    }  # fmt: skip
    sketches = list(folder.rglob("*.ino"))
    assert [p.relative_to(folder).as_posix() for p in sketches] == ["examples/Recognise/Recognise.ino"]
    header = (folder / "src" / "model.h").read_text()
    rows = [line.split("\t") for line in (folder / "keywords.txt").read_text().splitlines()]
    assert {kind for _, kind in rows} == {"KEYWORD2", "LITERAL1"} and all(re.search(rf"\b{word}\b", header) for word, _ in rows)
    assert {"model_run", "model_input", "model_output"} <= {word for word, _ in rows}


# ------------------------------------------------------------------------------------------------ Zephyr

ZEPHYR = {
    "zephyr/kernel.h": "#include <stdint.h>\nint64_t k_uptime_get(void);\nstatic int64_t now;\nint64_t k_uptime_get(void) { return now++; }\n",
    "zephyr/sys/printk.h": "#include <stdio.h>\n#define printk printf\n",
}
BARE = ZEPHYR | {
    "zephyr/sys/printk.h": "void printk(const char *format, ...);\n",
    "string.h": "#include <stddef.h>\nvoid *memcpy(void *, const void *, size_t);\nchar *strncat(char *, const char *, size_t);\n"
    "size_t strlen(const char *);\n",
}
MODULE_KEYS = {"name": str, "build": dict, "samples": list}  # of those that zephyr_module.py knows
TEST_KEYS = {"tags": str, "min_flash": int, "min_ram": int, "integration_platforms": list, "harness": str, "harness_config": dict}


def stand_in(files: dict[str, str], folder: Path) -> Path:
    package.save_texts(folder, files)
    return folder


@pytest.mark.parametrize("name", MODELS)
def test_a_zephyr_sample_hears_its_clip(name, exported, tmp_path):
    _, folder = exported(name, "zephyr")
    cmake = (folder / "CMakeLists.txt").read_text()
    sources = [folder / line.strip() for line in cmake.splitlines() if line.strip().endswith(".c")]
    assert set(sources) == set((folder / "src").glob("*.c")) and all(p.is_file() for p in sources)
    (symbol,) = (p.name for p in (folder / "include").iterdir())
    own = [f"-I{folder / 'include' / symbol}"]  # zephyr_library_include_directories
    sample = folder / "samples" / "recognise" / "src" / "main.c"
    chip = [flag for flag in toolchain.TARGETS["cortex-m4"] if not flag.startswith("-Wl")] + ["-ffreestanding", "-std=c99", *STRICT, "-c"]
    bare = stand_in(BARE, tmp_path / "bare")
    toolchain.compile_c([*chip, f"-I{bare}", f"-I{folder / 'include'}", str(sample), "-o", str(tmp_path / "main.o")])
    computer = stand_in(ZEPHYR, tmp_path / "computer")
    toolchain.compile_c(
        [f"-I{computer}", f"-I{folder / 'include'}", "-std=c99", *STRICT, "-c", str(sample), "-o", str(tmp_path / "main.o")]
    )
    said = built([*sources, tmp_path / "main.o"], tmp_path / "sample.exe", "-std=c99", *STRICT, *own)
    (test,) = yaml.safe_load((folder / "samples" / "recognise" / "sample.yaml").read_text())["tests"].values()
    assert all(re.search(pattern, said) for pattern in test["harness_config"]["regex"]) and said.endswith("in 1 milliseconds\n")


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
    report = package.json.loads((folder / "report.json").read_text())
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


def test_strings_of_c():
    assert firmware.quoted('a"b\\c??é') == '"a\\042b\\134c\\077\\077\\303\\251"'
