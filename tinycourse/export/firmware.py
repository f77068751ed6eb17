"""The forms of an exported model: plain C, a library for Arduino, a module for Zephyr, from the templates in forms/.

A form is a class that says which files it has. Those for boards have an example that hears a clip, which lies in flash, and says whether
every number is the one that the interpreter found.
Arduino: library specification 1.5, revision 2.2. Zephyr: the keys of zephyr/module.yml and of Twister's sample.yaml.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from string import Template
from typing import ClassVar

import numpy as np

from tinycourse.codegen import emitter
from tinycourse.codegen.kernel_files import RUNTIME
from tinycourse.errors import TinycourseError

TEMPLATES = Path(__file__).parent / "forms"
SYSTEM = {"flash": 32, "ram": 8}  # kilobytes that a small Zephyr application takes by itself, about


@dataclass(frozen=True)
class Made:
    """What an export made of a model, for a form to lay out: C `sources`, {file name: text}, and their `report`.

    What depends on the kind of model: what its instructions are `counted` for, its `own` fields for templates, and how to `draw` the
    example.
    """

    sources: dict[str, str]
    report: dict
    counted: str
    own: dict[str, str]
    draw: Callable[[], tuple[np.ndarray, np.ndarray]]

    @cached_property
    def example(self) -> tuple[np.ndarray, np.ndarray]:
        """A clip as the model takes it (one row for each run of a transducer or a listener), and the scores, labels or detections to
        expect."""
        return self.draw()

    @property
    def header(self) -> str:
        """model.h."""
        return self.sources["model.h"]

    @property
    def portable(self) -> dict[str, str]:
        """The sources for whoever brings a C library."""
        return {file: text for file, text in self.sources.items() if file != RUNTIME}


class Form:
    """How an exported model lies in a folder."""

    name: ClassVar[str]
    runs: ClassVar[bool] = False  # C, binary and model lie in the folder too, so that `package.load` opens it
    on_chip: ClassVar[bool] = True  # it tells sizes that are measured on a chip only, and has an example

    def files(self, made: Made) -> dict[str, str]:
        """What is in the folder, {path: text}, beside report.json and what `runs` says."""
        raise NotImplementedError


class Plain(Form):
    """C for any target, with a program for a computer."""

    name, runs, on_chip = "plain", True, False

    def files(self, made: Made) -> dict[str, str]:
        """See `Form.files`."""
        asked = fields(made) | {"binary": made.report["binary"]}
        asked["folder"] = fill("folder.md", asked)
        return {file: fill(file, asked) for file in ("main.c", "README.md")} | {"words.h": words(made.report), "LICENSE": licence()}


class Arduino(Form):
    """A library."""

    name = "arduino"

    def files(self, made: Made) -> dict[str, str]:
        """See `Form.files`."""
        asked, sketch = fields(made), "examples/Recognise/"
        name = asked["name"]
        asked["include"] = f"{name}.h"
        files = {f"src/{file}": text for file, text in made.portable.items()}
        files |= {f"src/{name}.h": fill("arduino/umbrella.h", asked), "keywords.txt": keywords(made.header), "LICENSE": licence()}
        files |= {file: fill(f"arduino/{file}", asked) for file in ("library.properties", "README.md")}
        return files | {f"{sketch}Recognise.ino": fill("arduino/Recognise.ino", asked)} | example(sketch, made, asked)


class Zephyr(Form):
    """A module, with a sample that Twister runs too."""

    name = "zephyr"

    def files(self, made: Made) -> dict[str, str]:
        """See `Form.files`."""
        asked, sample = fields(made) | self.sizes(made), "samples/recognise/"
        code, header = dict(made.portable), f"{asked['symbol']}/model.h"
        asked |= {"sources": "\n".join(f"    src/{file}" for file in code if file.endswith(".c")), "include": header}
        files = {f"include/{header}": code.pop("model.h"), "LICENSE": licence()} | {f"src/{file}": text for file, text in code.items()}
        files |= {file: fill(f"zephyr/{file}", asked) for file in ("CMakeLists.txt", "Kconfig", "README.md")}
        files["zephyr/module.yml"] = fill("zephyr/module.yml", asked)
        files |= {f"{sample}{file}": fill(f"zephyr/{file}", asked) for file in ("prj.conf", "sample.yaml")}
        files[f"{sample}CMakeLists.txt"] = fill("zephyr/sample_CMakeLists.txt", asked)
        files[f"{sample}src/main.c"] = fill("zephyr/main.c", asked)
        return files | example(f"{sample}src/", made, asked)

    def sizes(self, made: Made) -> dict[str, int]:
        """What the sample needs of a board, and its stack, for templates."""
        clip, flash, ram = made.example[0].nbytes, made.report["flash"], made.report["ram"]
        return {
            "flash_kilobytes": SYSTEM["flash"] + -(-(flash["total_bytes"] + clip) // 1024),
            "ram_kilobytes": SYSTEM["ram"] + -(-ram["total_bytes"] // 1024),
            "stack": 512 * -(-(ram["stack_bytes"] + 2048) // 512),  # the model's, and printk's
        }


FORMS = {form.name: form for form in (Plain(), Arduino(), Zephyr())}


# ------------------------------------------------------------------------------------------------ what forms share


def example(folder: str, made: Made, asked: dict) -> dict[str, str]:
    """The headers of an example: clip and numbers to expect, words, and the loop around the model."""
    clip, expected = made.example
    labels = expected if expected.size else np.zeros(1, np.int16)  # C knows no empty array
    arrays = emitter.constant("clip", clip.reshape(len(clip), -1)) + emitter.constant("expected", labels.reshape(1, -1))
    text = f"{emitter.NOTICE}#ifndef CLIP_H\n#define CLIP_H\n\n#include <stdint.h>\n\n{arrays}\n#endif\n"
    hear = fill("hear.h", asked | {"labels": expected.size})
    return {f"{folder}clip.h": text, f"{folder}words.h": words(made.report), f"{folder}hear.h": hear}


def home() -> str:
    """Where the course lives, as `[project.urls]` in pyproject.toml says."""
    urls = dict(url.split(", ", 1) for url in metadata.metadata("tinycourse").get_all("Project-URL", []))
    return urls.get("Repository", "")


def fields(made: Made) -> dict:
    """What the templates ask for, whatever the form."""
    report = made.report
    model = report["metadata"].get("model", "model")
    symbol = re.sub(r"\W+", "_", model).lower()
    symbol = symbol if symbol[0].isalpha() else f"m{symbol}"
    return made.own | {
        "model": model,
        "home": home(),
        "kind": report["kind"],
        "symbol": symbol,
        "option": f"TINYCOURSE_{symbol.upper()}",
        "name": "".join(part.capitalize() for part in symbol.split("_"))[:16],  # as long as the library manager recommends
        "guard": f"{symbol.upper()}_LIBRARY_H",
        "title": f"The speech recogniser {model}",
        "scores": report["output"]["shape"][0],
        "reset": "\n    model_reset();" if "model_reset(" in made.header else "",
        "sizes": ", ".join(sizes(report, made.counted)),
        "chip": report["target"],
    }


def constants(flash: dict) -> int:
    """Bytes of all constants of a report: in a chip's binary with the tables that say how large each layer is, else without them."""
    return flash["weight_bytes"] if flash["total_bytes"] is None else flash["total_bytes"] - flash["code_bytes"]


def sizes(report: dict, counted: str) -> list[str]:
    """What a model needs, in words: of flash, of RAM, and on a chip of code, stack and instructions, which are `counted` for something."""
    flash, ram = report["flash"], report["ram"]
    found = [f"weights and constants {constants(flash):,} bytes", f"arena {ram['arena_bytes']:,} bytes"]
    found += [f"buffers {ram['buffer_bytes']:,} bytes"] if "buffer_bytes" in ram else []
    if report["instructions"]:
        found += [f"code {flash['code_bytes']:,} bytes", f"stack {ram['stack_bytes']:,} bytes"]
        found += [f"{report['instructions']:,} instructions for {counted}"] if counted else []
    return found


def fill(template: str, asked: dict) -> str:
    """A template of forms/ with its ${...} filled in; where this kind of model has one of its own, that one."""
    path = TEMPLATES / template
    own = path.with_stem(f"{path.stem}_{asked['kind']}")
    text = (own if own.is_file() else path).read_text(encoding="utf-8")
    return Template(text).substitute(asked)


def words(report: dict) -> str:
    """A header with what every output is called; of a transducer what every label writes."""
    names = report["metadata"].get("classes") or [str(i) for i in range(report["output"]["shape"][0])]
    lines = "\n".join(f"    {quoted(name.replace('▁', ' '))}," for name in names)
    text = f"static const char *const words[{len(names)}] = {{\n{lines}\n}};"
    return f"{emitter.NOTICE}#ifndef WORDS_H\n#define WORDS_H\n\n{text}\n\n#endif\n"


def quoted(text: str) -> str:
    """A string of C; what is not plain ASCII as octal bytes of UTF-8."""
    plain = (chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in text.encode())
    return f'"{"".join(plain)}"'


def keywords(header: str) -> str:
    """keywords.txt: the functions and constants of a header, for an editor to colour. Fields are separated by a tab."""
    functions, constants = (sorted(set(re.findall(pattern, header, re.M))) for pattern in (r"\bmodel_\w+(?=\()", r"^#define (MODEL_\w+) "))
    return "".join([f"{name}\tKEYWORD2\n" for name in functions] + [f"{name}\tLITERAL1\n" for name in constants])


def licence() -> str:
    """The text of the licence of the code, of a clone or an installation. Raises TinycourseError where it is not there."""
    clone = Path(__file__).parents[2]
    if (clone / "pyproject.toml").is_file():
        return (clone / "LICENSE").read_text(encoding="utf-8")
    text = metadata.distribution("tinycourse").read_text("licenses/LICENSE")
    if text is None:
        raise TinycourseError("The file LICENSE did not come with tinycourse; install it again.")
    return text
