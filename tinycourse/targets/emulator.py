"""Run a Cortex-M program without the chip: unicorn executes the ELF, and every instruction is counted.

Counted is every instruction that the core issues; one that its IT block skips counts too, as it takes its cycle on the
chip. Cycles are not modelled (a Cortex-M4 needs about one for most instructions, more for loads and taken branches).
unicorn has no Cortex-M0+; its Cortex-M0 executes the same instruction set, ARMv6-M.
"""

import ctypes
import functools
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import unicorn
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from unicorn import arm_const as arm
from unicorn.unicorn_py3.unicorn import uclib

from tinycourse.errors import TinycourseError
from tinycourse.features.reading import once_per_file
from tinycourse.targets import stack, toolchain

CORES = {"cortex-m4": arm.UC_CPU_ARM_CORTEX_M4, "cortex-m0plus": arm.UC_CPU_ARM_CORTEX_M0}
FLASH, RAM = 0x0800_0000, 0x2000_0000  # as in the linker script
PAGE = 4096
PAINT = 0xA5  # what the stack is filled with before a run


class Profile(ctypes.Structure):
    """`tc_profile` of counter.c."""

    _fields_ = [
        ("base", ctypes.c_uint64),
        ("half_words", ctypes.c_uint64),
        ("code", ctypes.c_void_p),
        ("entries", ctypes.c_void_p),
        ("counters", ctypes.c_void_p),
        ("current", ctypes.c_uint64),
    ]


class Chip:
    """An emulated microcontroller with one generated model in its flash.

    After a run `instructions` has its count, `layers` the count of each operation by its index (what `{name}_run` itself
    executes belongs to none), `stack` the bytes of stack that it used; `stack_bound` says what any run may use. `sections` has the
    sizes of the ELF's sections: .text is code, .rodata constants, .bss memory.
    """

    def __init__(self, elf: str | Path, name: str = "model", count: bool = True):
        """Load `elf`, made by `toolchain.build`, with the model whose symbols begin with `name`.

        Without `count` it runs faster, and `instructions` and `layers` stay empty.
        Raises TinycourseError where the file is missing, damaged, or holds no such model.
        """
        self.elf, self.name, self.instructions, self.layers, self.stack = elf, name, 0, {}, 0
        self.core, segments, self.symbols, self.sections = read_elf(elf)
        if f"{name}_run" not in self.symbols:
            raise TinycourseError(f"{elf} holds no model '{name}'; export it again.")
        flash = bytearray(max(address + size - FLASH for address, size, _ in segments if address < RAM))
        for address, _, data in segments:
            flash[address - FLASH : address - FLASH + len(data)] = data
        self.ram_bytes = max(address + size - RAM for address, size, _ in segments)
        self.exit = FLASH + pages(len(flash))  # an unused page after the flash: to return there ends a run
        self.engine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self.engine.ctl_set_cpu_model(CORES[self.core])
        self.engine.mem_map(FLASH, pages(len(flash)) + PAGE, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        self.engine.mem_map(RAM, pages(self.ram_bytes), unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE)
        self.engine.mem_write(FLASH, bytes(flash))
        self.fault = None
        self.engine.hook_add(unicorn.UC_HOOK_MEM_INVALID, self.remember)
        self.profile = self.attach_counter(bytes(flash)) if count else None
        self.output = self.call("output")

    def run(self, x: bytes, output_bytes: int) -> bytes:
        """One inference: the input tensor's bytes in, the output tensor's out. Raises TinycourseError on a fault."""
        bottom, top = self.symbols["stack_bottom"][0], self.symbols["stack_top"][0]
        self.write("input", x)
        self.engine.mem_write(bottom, bytes([PAINT]) * (top - bottom))
        if self.profile:
            self.counters[:] = 0
            self.profile.current = 0
        self.call("run")
        touched = np.frombuffer(self.engine.mem_read(bottom, top - bottom), np.uint8) != PAINT
        self.stack = int(np.count_nonzero(np.logical_or.accumulate(touched)))
        if self.profile:
            self.instructions = int(self.counters.sum())
            self.layers = {i: int(self.counters[i + 1]) for i in self.layers}
        return bytes(self.engine.mem_read(self.output, output_bytes))

    def stack_bound(self, pointers: Sequence[str] = ()) -> int:
        """Bytes of stack that a run can use at most, whatever the input: by analysis of the code. See `stack.bound`."""
        return stack.bound(self.elf, f"{self.name}_run", [f"{self.name}_{function}" for function in pointers])

    def write(self, place: str, x: bytes) -> None:
        """Fill the tensor whose address the function `place` gives: input, or a part of the state."""
        self.engine.mem_write(self.call(place), x)

    def read(self, place: str, count: int) -> bytes:
        """So many bytes from the address that the function `place` gives."""
        return bytes(self.engine.mem_read(self.call(place), count))

    def call(self, function: str) -> int:
        """Call a function of the model without arguments; returns what it leaves in register 0."""
        self.engine.reg_write(arm.UC_ARM_REG_SP, self.symbols["stack_top"][0])
        self.engine.reg_write(arm.UC_ARM_REG_LR, self.exit | 1)
        self.fault = None
        try:
            self.engine.emu_start(self.symbols[f"{self.name}_{function}"][0] | 1, self.exit)
        except unicorn.UcError as error:
            raise TinycourseError(self.explain(error)) from None
        return self.engine.reg_read(arm.UC_ARM_REG_R0)

    def remember(self, engine, access, address, size, value, data) -> bool:
        """Called by unicorn on an access to memory that is not there; returning False ends the run."""
        self.fault = address
        return False

    def explain(self, error: unicorn.UcError) -> str:
        """A sentence about a fault of the emulated program: what, where, in which layer."""
        where = f"at instruction {self.engine.reg_read(arm.UC_ARM_REG_PC):#010x}"
        what = f"touched address {self.fault:#010x}" if self.fault is not None else f"stopped ({error})"
        layer = f", layer {self.profile.current - 1}" if self.profile and self.profile.current else ""
        overflow = " (the stack is full)" if self.fault is not None and RAM - PAGE <= self.fault < RAM else ""
        return f"The emulated {self.core} {what}{overflow} {where}{layer}: a fault in the program; export the model again."

    def attach_counter(self, flash: bytes) -> Profile:
        """Have counter.c called before every block of straight-line code. Counter 0 is `run` itself, counter i + 1 layer i."""
        self.code = np.frombuffer(flash + bytes(len(flash) % 2), np.uint16)
        self.entries = np.zeros_like(self.code)
        self.layers = {int(m[1]): 0 for symbol in self.symbols if (m := re.fullmatch(rf"{self.name}_layer_(\d+)", symbol))}
        self.counters = np.zeros(max(self.layers, default=-1) + 2, np.uint64)
        start, size = self.symbols[f"{self.name}_run"]
        self.entries[(start - FLASH) // 2 : (start - FLASH + size) // 2] = 1
        for i in self.layers:
            self.entries[(self.symbols[f"{self.name}_layer_{i}"][0] - FLASH) // 2] = i + 2
        profile = Profile(FLASH, len(self.code), *(a.ctypes.data for a in (self.code, self.entries, self.counters)), 0)
        callback, handle = ctypes.cast(native_counter().count_block, ctypes.c_void_p), ctypes.c_size_t()
        status = uclib.uc_hook_add(  # by hand: the binding's hook_add takes Python functions only
            self.engine._uch, ctypes.byref(handle), unicorn.UC_HOOK_BLOCK, callback, ctypes.byref(profile), 1, 0
        )
        if status != unicorn.UC_ERR_OK:
            raise unicorn.UcError(status)
        return profile


def pages(size: int) -> int:
    """Round up to whole pages."""
    return -(-size // PAGE) * PAGE


def read_elf(path: str | Path) -> tuple[str, list, dict, dict]:
    """See `parse_elf`."""
    try:
        return parse_elf(path)
    except (OSError, ELFError, AttributeError) as error:
        raise TinycourseError(f"{path} is missing or is not a program for Cortex-M ({error}); export the model again.") from None


@once_per_file(maxsize=4)
def parse_elf(path: str | Path) -> tuple[str, list, dict, dict]:
    """The core, segments [(address, size in memory, data)], symbols {name: (address, size)} and sections {name: size}."""
    with open(path, "rb") as file:
        elf = ELFFile(file)
        segments = [(s["p_vaddr"], s["p_memsz"], s.data()) for s in elf.iter_segments() if s["p_type"] == "PT_LOAD"]
        table = elf.get_section_by_name(".symtab").iter_symbols()
        symbols = {s.name: (s["st_value"] & ~int(s["st_info"]["type"] == "STT_FUNC"), s["st_size"]) for s in table}
        sections = {s.name: s["sh_size"] for s in elf.iter_sections()}
        attributes = elf.get_section_by_name(".ARM.attributes").subsections
        names = [a.value for s in attributes for t in s.subsubsections for a in t.attributes if a.tag == "TAG_CPU_NAME"]
    if not names or names[0] not in CORES:
        raise TinycourseError(f"{path} is for {names or 'an unknown core'}, not for {' or '.join(CORES)}; export it again.")
    return names[0], segments, symbols, sections


@functools.cache
def native_counter() -> ctypes.CDLL:
    """counter.c as a library of this machine, built once in each process."""
    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)  # kept while the library is: Windows cannot delete it
    source, binary = Path(__file__).with_name("counter.c"), Path(folder.name, toolchain.LIBRARY)
    library = ctypes.CDLL(str(toolchain.build([source], "host", binary)))
    library.folder = folder
    return library
