"""The kernels as C files, and which of them a model needs: those that it calls, and what these call and include in turn.

That is read from the C itself, as a linker would: a function stands where it is defined, and is needed where its name stands.
"""

import functools
import re
from pathlib import Path

KERNELS = Path(__file__).parent / "kernels"
RUNTIME = "runtime.c"  # what a compiler calls by itself where there is no C library; others bring one and leave this file out

COMMENT = re.compile(r"/\*.*?\*/", re.S)
INCLUDED = re.compile(r'^#include "([^"]+)"', re.M)
HEAD = r"^\w[\w ]*[ *](tc_\w+)\([^;{}]*\)\s*"  # of a function: from its type to the end of its parameters
HEADS, DEFINED, NAMED = re.compile(HEAD + "[;{]", re.M), re.compile(HEAD + r"\{", re.M), re.compile(r"\btc_\w+")


@functools.cache
def kernel_files(dsp: bool = False) -> dict[str, str]:
    """{file name: text} of all kernels, plain, or with those for DSP instructions in place of some."""
    files = [p for p in sorted(KERNELS.iterdir()) if p.suffix in (".c", ".h") and (dsp or not p.name.startswith("dsp"))]
    texts = {p.name: p.read_text(encoding="utf-8") for p in files}
    return texts | {"kernels.h": texts["kernels.h"].replace("#define TC_DSP 0", f"#define TC_DSP {int(dsp)}")}


def kernels_of(sources: dict[str, str], dsp: bool = False) -> dict[str, str]:
    """The kernels that C sources of a model, {file name: text}, need; RUNTIME is always among them."""
    files, needed, unread = kernel_files(dsp), {RUNTIME}, [needs(text, dsp) for text in sources.values()]
    while unread:
        new = (unread.pop() & files.keys()) - needed
        needed |= new
        unread += [needs(files[name], dsp) for name in new]
    return {name: text for name, text in files.items() if name in needed}


def needs(text: str, dsp: bool) -> set[str]:
    """The files that C names: those it includes, and those that define the functions which it calls."""
    code, homes = HEADS.sub("", stripped(text, dsp)), homes_of_functions(dsp)
    return {*INCLUDED.findall(code), *(homes[name] for name in NAMED.findall(code) if name in homes)}


@functools.cache
def homes_of_functions(dsp: bool) -> dict[str, str]:
    """{function: the C file that defines it}. Where two do, it is the one for DSP instructions: the other leaves it out then."""
    files = {name: text for name, text in kernel_files(dsp).items() if name.endswith(".c")}
    order = sorted(files, key=lambda name: name.startswith("dsp"))
    return {function: name for name in order for function in DEFINED.findall(stripped(files[name], dsp))}


def stripped(text: str, dsp: bool) -> str:
    """C without comments, with every TC_PLAIN(name) as kernels.h has it."""
    return re.sub(r"TC_PLAIN\((\w+)\)", r"\1_plain" if dsp else r"\1", COMMENT.sub("", text))
