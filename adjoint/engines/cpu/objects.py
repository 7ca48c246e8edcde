"""Object code in, address out, by LLVM's loader alone.

numba takes 0.6 s to come up (its import, then every typing rule, SciPy's linear algebra among them); a stored
kernel needs none of it. What a kernel calls outside itself must be there: LLVM ends the process otherwise.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import Any

# Python's own functions: code that calls them raises or allocates, and leans on tables that numba fills.
_NEEDS_NUMBA = ("Py", "_Py", "NRT_", "numba_")
_engines: list[Any] = []  # the code lives as long as its engine


def link(code: bytes, symbol: str) -> int | None:
    """The address of `symbol` in object code made ready to run; None when LLVM alone cannot do it.

    Each piece of code has an engine of its own, so equal names of inlined helpers cannot meet.
    """
    from llvmlite import binding  # type: ignore[import-untyped]

    needed = undefined(code)
    if needed is None or any(name.startswith(_NEEDS_NUMBA) for name in needed):
        return None
    # the engine before the symbols: the process's own are found only once there is one
    machine = _target().create_target_machine(jit=True)  # the engine takes it over
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
    if not all(binding.address_of_symbol(name) for name in needed):
        return None
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address = int(engine.get_function_address(symbol))
    if not address:
        return None
    _engines.append(engine)
    return address


@cache
def _target() -> Any:
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding.Target.from_default_triple()


def undefined(code: bytes) -> list[str] | None:
    """Names a 64-bit ELF object calls but does not hold; None for another format or a damaged file."""
    if code[:6] != b"\x7fELF\x02\x01":  # 64 bits, little-endian
        return None
    try:
        (table,) = struct.unpack_from("<Q", code, 0x28)
        size, count = struct.unpack_from("<HH", code, 0x3A)
        # name, type, flags, address, offset, size, link, info, alignment, entry size
        sections = [struct.unpack_from("<IIQQQQIIQQ", code, table + k * size) for k in range(count)]
        names: list[str] = []
        for section in sections:
            if section[1] != 2:  # the symbol table
                continue
            strings = sections[section[6]][4]
            for at in range(section[4] + 24, section[4] + section[5], 24):  # entry 0 is empty by definition
                name, _, _, home = struct.unpack_from("<IBBH", code, at)
                if home == 0:
                    start = strings + name
                    names.append(code[start : code.index(b"\0", start)].decode())
        return names
    except (struct.error, IndexError, ValueError):
        return None
