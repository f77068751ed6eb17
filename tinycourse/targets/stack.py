"""The most stack that a program for Cortex-M can need, read from its code: what one run happened to use is only a lower bound.

The compiler writes down the frame of every function (`-fstack-size-section`); who calls whom stands in the instructions themselves.
The deepest path from a function is then a sum over the graph of calls, in which there must be no loop; of a call through a pointer
somebody has to say where it may lead.
"""

import functools
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from elftools.elf.elffile import ELFFile

from tinycourse.errors import TinycourseError


def bound(elf: str | Path, function: str, pointers: Sequence[str] = ()) -> int:
    """Bytes of stack that a call of `function` can need at most, in a program made by `toolchain.build` for a Cortex-M.

    `pointers` names the functions that a call through a pointer may reach. Raises TinycourseError for a recursion, a call through a
    pointer without such names, and a function that the compiler says nothing about.
    """
    with open(elf, "rb") as file:
        program = ELFFile(file)
        frames, code, names = frame_sizes(program), code_of(program), names_of(program)
    addresses = {name: address for address, name in names.items()}
    anywhere, callers = {addresses[name] for name in pointers}, []

    @functools.cache
    def deepest(address: int) -> int:
        if address in callers:
            raise TinycourseError(f"{names[address]} calls itself, so its stack has no bound; write it as a loop.")
        if address not in frames:
            raise TinycourseError(f"The compiler wrote down no stack for {names[address]}; build the program with `toolchain.build`.")
        callees, by_pointer = called(code[address], address)
        if by_pointer and not anywhere:
            raise TinycourseError(f"{names[address]} calls through a pointer, so its stack has no bound; call the function by its name.")
        callers.append(address)
        below = max(map(deepest, callees & names.keys() | (anywhere if by_pointer else set())), default=0)
        callers.pop()
        return frames[address] + below

    return deepest(addresses[function])


def names_of(program: ELFFile) -> dict[int, str]:
    """{address: name} of all functions."""
    symbols = program.get_section_by_name(".symtab").iter_symbols()
    return {s["st_value"] & ~1: s.name for s in symbols if s["st_info"]["type"] == "STT_FUNC"}


def frame_sizes(program: ELFFile) -> dict[int, int]:
    """{address of a function: bytes of its own frame}: the section has pairs of an address and a LEB128 number."""
    data, sizes, place = program.get_section_by_name(".stack_sizes").data(), {}, 0
    while place < len(data):
        (address,), place, shift, size = struct.unpack_from("<I", data, place), place + 4, 0, 0
        while True:
            byte, place = data[place], place + 1
            size, shift = size | (byte & 127) << shift, shift + 7
            if byte < 128:
                break
        sizes[address & ~1] = size
    return sizes


def code_of(program: ELFFile) -> dict[int, list[int]]:
    """{address of a function: its instructions, as half words}; 0 stands for constants between them ($d and $t mark where they lie)."""
    section, symbols = program.get_section_by_name(".text"), list(program.get_section_by_name(".symtab").iter_symbols())
    base, half_words = section["sh_addr"], np.frombuffer(section.data(), "<u2").copy()
    marks = sorted((s["st_value"], s.name) for s in symbols if s.name in ("$d", "$t") and s["st_value"] < base + section["sh_size"])
    for (start, mark), (end, _) in zip(marks, [*marks[1:], (base + section["sh_size"], "")]):
        if mark == "$d":
            half_words[(start - base) // 2 : (end - base) // 2] = 0
    functions = [(s["st_value"] & ~1, s["st_size"]) for s in symbols if s["st_info"]["type"] == "STT_FUNC"]
    return {address: half_words[(address - base) // 2 : (address - base + size) // 2].tolist() for address, size in functions}


def called(code: list[int], start: int) -> tuple[set[int], bool]:
    """Addresses that Thumb code calls (BL) or jumps to (B), and whether it calls through a pointer. `start` is where the code lies."""
    calls, jumps, by_pointer, i = set(), set(), False, 0
    while i < len(code):
        first, here = code[i], start + 2 * i + 4
        wide = first >> 11 in (0b11101, 0b11110, 0b11111)
        by_pointer |= first & 0xFF00 == 0x4700 and first != 0x4770  # BX or BLX to a register, but not to the link register
        if first >> 11 == 0b11100:  # B
            jumps.add(here + 2 * signed(first & 0x7FF, 11))
        if first >> 11 == 0b11110 and code[i + 1] & 0x9000 == 0x9000:  # BL, or the wide B
            second, sign = code[i + 1], first >> 10 & 1
            upper = [1 - (second >> bit & 1 ^ sign) for bit in (13, 11)]
            aim = calls if second & 0x4000 else jumps
            aim.add(here + 2 * signed(sign << 23 | upper[0] << 22 | upper[1] << 21 | (first & 0x3FF) << 11 | second & 0x7FF, 24))
        i += 1 + wide
    return calls | jumps - {start}, by_pointer  # a jump to its own start is a loop


def signed(number: int, bits: int) -> int:
    """A number of so many bits, in two's complement."""
    return number - (number >> bits - 1 << bits)
