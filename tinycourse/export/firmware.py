"""An exported model as others build firmware: beside plain C, a library for Arduino and a module for Zephyr, from the templates in forms/.

Either has an example that hears a clip, which lies in flash, and says whether every number is the one that the interpreter found.
Arduino: library specification 1.5, revision 2.2. Zephyr: the keys of zephyr/module.yml and of Twister's sample.yaml.
"""

import re
from importlib import metadata
from pathlib import Path
from string import Template

import numpy as np

from tinycourse.codegen import emitter
from tinycourse.errors import TinycourseError

FORMS = Path(__file__).parent / "forms"
OWN = "runtime.c"  # for programs without a C library; others bring one
COUNTED = {"network": "one input", "listener": "a second of sound"}
SYSTEM = {"flash": 32, "ram": 8}  # kilobytes that a small Zephyr application takes by itself, about


def plain(report: dict, header: str) -> dict[str, str]:
    """What a folder of C sources has beside them, {path: text}: a program for a computer, the words, the licence."""
    asked = fields(report, header)
    return {"main.c": fill("main.c", asked), "words.h": words(report), "LICENSE": licence()}


def arduino(sources: dict[str, str], report: dict, clip: np.ndarray, expected: np.ndarray) -> dict[str, str]:
    """The files of an Arduino library, {path: text}. See `example` for the clip."""
    asked = fields(report, sources["model.h"])
    name, sketch = asked["name"], "examples/Recognise/"
    asked["include"] = f"{name}.h"
    files = {f"src/{file}": text for file, text in sources.items() if file != OWN}
    files |= {f"src/{name}.h": fill("arduino/umbrella.h", asked), "keywords.txt": keywords(sources["model.h"]), "LICENSE": licence()}
    files |= {file: fill(f"arduino/{file}", asked) for file in ("library.properties", "README.md")}
    return files | {f"{sketch}Recognise.ino": fill("arduino/Recognise.ino", asked)} | example(sketch, report, asked, clip, expected)


def zephyr(sources: dict[str, str], report: dict, clip: np.ndarray, expected: np.ndarray) -> dict[str, str]:
    """The files of a Zephyr module, {path: text}. See `example` for the clip."""
    code = [file for file in sources if file.endswith(".c") and file != OWN]
    asked = fields(report, sources["model.h"]) | {"sources": "\n".join(f"    src/{file}" for file in code)}
    flash, ram = report["flash"]["total_bytes"] + clip.nbytes, report["ram"]["total_bytes"]
    asked |= {"flash_kilobytes": SYSTEM["flash"] + -(-flash // 1024), "ram_kilobytes": SYSTEM["ram"] + -(-ram // 1024)}
    asked["include"] = f"{asked['symbol']}/model.h"
    asked["stack"] = 512 * -(-(report["ram"]["stack_bytes"] + 2048) // 512)  # the model's, and printk's
    files = {f"src/{file}": text for file, text in sources.items() if file not in (OWN, "model.h")}
    files |= {f"include/{asked['symbol']}/model.h": sources["model.h"], "LICENSE": licence()}
    files |= {file: fill(f"zephyr/{file}", asked) for file in ("CMakeLists.txt", "Kconfig", "README.md")}
    files["zephyr/module.yml"] = fill("zephyr/module.yml", asked)
    sample = "samples/recognise/"
    files |= {f"{sample}{file}": fill(f"zephyr/{file}", asked) for file in ("prj.conf", "sample.yaml")}
    files[f"{sample}CMakeLists.txt"] = fill("zephyr/sample_CMakeLists.txt", asked)
    files[f"{sample}src/main.c"] = fill("zephyr/main.c", asked)
    return files | example(f"{sample}src/", report, asked, clip, expected)


def example(folder: str, report: dict, asked: dict, clip: np.ndarray, expected: np.ndarray) -> dict[str, str]:
    """The headers of an example: a clip as the model takes it (one row for each run of a transducer or a listener), and the scores,
    labels or detections to expect."""
    labels = expected if expected.size else np.zeros(1, np.int16)  # C knows no empty array
    arrays = emitter.constant("clip", clip.reshape(len(clip), -1)) + emitter.constant("expected", labels.reshape(1, -1))
    text = f"{emitter.NOTICE}#ifndef CLIP_H\n#define CLIP_H\n\n#include <stdint.h>\n\n{arrays}\n#endif\n"
    hear = fill("hear.h", asked | {"labels": expected.size})
    return {f"{folder}clip.h": text, f"{folder}words.h": words(report), f"{folder}hear.h": hear}


def home() -> str:
    """Where the course lives, as `[project.urls]` in pyproject.toml says."""
    urls = dict(url.split(", ", 1) for url in metadata.metadata("tinycourse").get_all("Project-URL", []))
    return urls.get("Repository", "")


def fields(report: dict, header: str) -> dict:
    """What the templates ask for, from the report of an export and its model.h."""
    x, y, about, kind = report["input"], report["output"], report["metadata"], report["kind"]
    model = about.get("model", "model")
    symbol = re.sub(r"\W+", "_", model).lower()
    symbol = symbol if symbol[0].isalpha() else f"m{symbol}"
    if kind == "transducer":
        what, gives = takes(report), "labels, which are pieces of words"
        microphone = f", put {row(report)} into model_input(), call model_run(), and so on."
    elif kind == "listener":
        what, gives = f"chunks of {x['shape'][0]} samples, int16, {report['rate']:,} a second", "a word when it recognises one"
        microphone = ", put the newest MODEL_CHUNK samples into model_input(), call model_run(), look at model_output(), and so on."
    elif x["type"] == "int16":
        what, gives = f"a second of sound, {x['shape'][0]:,} samples, int16", f"{y['shape'][0]} scores, int8"
        microphone = f", put the newest {x['shape'][0]} samples into model_input(), and call model_run()."
    else:
        what, gives = f"a map of features, {x['type']} {x['shape']}", f"{y['shape'][0]} scores, int8"
        microphone = ", compute features; or export the model with --samples, which takes sound."
    return {
        "model": model,
        "home": home(),
        "kind": kind,
        "symbol": symbol,
        "option": f"TINYCOURSE_{symbol.upper()}",
        "name": "".join(part.capitalize() for part in symbol.split("_"))[:16],  # as long as the library manager recommends
        "guard": f"{symbol.upper()}_LIBRARY_H",
        "title": f"The speech recogniser {model}",
        "what": what,
        "gives": gives,
        "microphone": microphone,
        "scores": y["shape"][0],
        "reset": "\n    model_reset();" if "model_reset(" in header else "",
        "sizes": ", ".join(sizes(report)),
        "chip": report["target"],
    }


def takes(report: dict) -> str:
    """What a transducer takes in one run after the other, in words."""
    (size,), rate = report["input"]["shape"], f"{report['rate']:,g}"
    return f"samples, int16, mono, {rate} a second" if "ears" in report["parts"] else f"frames of {size} features, int8, {rate} a second"


def row(report: dict) -> str:
    """What it takes in one of them."""
    (size,) = report["input"]["shape"]
    return f"the next {size} samples" if "ears" in report["parts"] else "a frame of features"


def constants(flash: dict) -> int:
    """Bytes of all constants of a report: in a chip's binary with the tables that say how large each layer is, else without them."""
    return flash["weight_bytes"] if flash["total_bytes"] is None else flash["total_bytes"] - flash["code_bytes"]


def sizes(report: dict) -> list[str]:
    """What a model needs, in words: of flash, of RAM, and on a chip of code, stack and instructions."""
    flash, ram = report["flash"], report["ram"]
    found = [f"weights and constants {constants(flash):,} bytes", f"arena {ram['arena_bytes']:,} bytes"]
    found += [f"buffers {ram['buffer_bytes']:,} bytes"] if "buffer_bytes" in ram else []
    if report["instructions"]:
        found += [f"code {flash['code_bytes']:,} bytes", f"stack {ram['stack_bytes']:,} bytes"]
    if report["instructions"] and report["kind"] in COUNTED:
        found.append(f"{report['instructions']:,} instructions for {COUNTED[report['kind']]}")
    return found


def fill(template: str, asked: dict) -> str:
    """A template of forms/ with its ${...} filled in; where this kind of model has one of its own, that one."""
    path = FORMS / template
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
