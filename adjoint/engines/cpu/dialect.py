"""Types of kernels and what intrinsics emit for them, by numba's names but without numba: for `translate`.

The support modules (`memory`, `intrinsics`, `vmath`, the matrix products) import `types`, `intrinsic` and
`cgutils` from `.entries`; in a kernel's package that is `translate`, which hands on what stands here.
"""
# mypy: ignore-errors

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace

from llvmlite import ir

__all__ = ["Intrinsic", "Signature", "Type", "Unsupported", "cgutils", "context", "intrinsic", "types"]

_WORD = ir.IntType(64)


class Unsupported(Exception):
    """The text uses something that is not translated; numba has to compile it."""


class Type:
    """A type of values: kind "i" (signed), "u", "f", "b" (truth), "p" (pointer) or "v" (nothing)."""

    def __init__(self, name, kind, bitwidth, native, dtype=None, literal=None):
        self.name, self.kind, self.bitwidth, self.ir, self.dtype = name, kind, bitwidth, native, dtype
        self.literal_value = literal

    def __call__(self, *arguments):
        """The signature of a function that returns this type."""
        return Signature(self, arguments)

    def __repr__(self):
        return self.name


class Signature:
    """Types of a function's result and arguments."""

    def __init__(self, result, arguments):
        self.return_type, self.args = result, tuple(arguments)


@cache
def pointer(element):
    """The type of pointers to an element type."""
    return Type(f"CPointer({element})", "p", 64, element.ir.as_pointer(), dtype=element)


def literal(value):
    """The type of one known integer."""
    return Type(f"Literal({value})", "i", 64, _WORD, literal=value)


types = SimpleNamespace(
    CPointer=pointer,
    boolean=Type("boolean", "b", 1, ir.IntType(1)),
    float32=Type("float32", "f", 32, ir.FloatType()),
    float64=Type("float64", "f", 64, ir.DoubleType()),
    void=Type("void", "v", 0, ir.VoidType()),
)
types.none = types.void
for _bits in (8, 16, 32, 64):
    setattr(types, f"int{_bits}", Type(f"int{_bits}", "i", _bits, ir.IntType(_bits)))
    setattr(types, f"uint{_bits}", Type(f"uint{_bits}", "u", _bits, ir.IntType(_bits)))


class Intrinsic:
    """A function of kernels that emits its instructions itself.

    Attributes:
        define: `define(typing, *types)` → (signature, `emit(context, builder, signature, args)`), or None
            where there is none for these types.
        literals: whether integers known in the text come as types with a `literal_value`.
    """

    def __init__(self, define, literals):
        self.define, self.literals, self.__doc__ = define, literals, define.__doc__


def intrinsic(*given, prefer_literal=False):
    """As numba's decorator."""
    return Intrinsic(given[0], False) if given else lambda define: Intrinsic(define, prefer_literal)


# What an intrinsic's emitter is given as its target.
context = SimpleNamespace(get_dummy_value=lambda: None, get_value_type=lambda kind: kind.ir)


# ------------------------------------------------------------------------------- numba's helpers by name
def alloca_once(builder, native, size=None):
    """Room in the function's frame."""
    with builder.goto_entry_block():
        return builder.alloca(native, size=size)


def alloca_once_value(builder, value):
    """Room in the function's frame that holds a value from now on."""
    place = alloca_once(builder, value.type)
    builder.store(value, place)
    return place


def get_or_insert_function(module, kind, name):
    """A function of the module, declared at its first use."""
    return module.globals.get(name) or ir.Function(module, kind, name)


@contextmanager
def for_range_slice(builder, start, stop, step, kind=None):
    """A loop over start, start + step, … below stop; gives (index, None)."""
    place = alloca_once_value(builder, start)
    header, body, after = (builder.append_basic_block(name) for name in ("loop", "body", "after"))
    builder.branch(header)
    builder.position_at_end(header)
    index = builder.load(place)
    builder.cbranch(builder.icmp_signed("<", index, stop), body, after)
    builder.position_at_end(body)
    yield index, None
    builder.store(builder.add(index, step, flags=["nsw"]), place)
    builder.branch(header)
    builder.position_at_end(after)


@contextmanager
def for_range(builder, count):
    """A loop over 0 … count − 1; gives an object with the `index`."""
    zero, one = ir.Constant(count.type, 0), ir.Constant(count.type, 1)
    with for_range_slice(builder, zero, count, one) as (index, _):
        yield SimpleNamespace(index=index)


cgutils = SimpleNamespace(
    alloca_once=alloca_once,
    alloca_once_value=alloca_once_value,
    for_range=for_range,
    for_range_slice=for_range_slice,
    get_or_insert_function=get_or_insert_function,
)
