"""The kernels' Python to LLVM, directly: a tenth of the time that numba takes to start, to type and to lower.

Kernels are written in a small part of what numba compiles: integers, floats, truth values and pointers; loops
over ranges, conditions, arithmetic, calls of each other and of intrinsics. A variable keeps the type of its
first value. Whatever else a text uses raises `Unsupported`, and the kernel cache has numba compile it.

In the package of translated kernels this module stands in the place of `entries`.
"""
# mypy: ignore-errors

from __future__ import annotations

import ast
import builtins
from functools import cache

from llvmlite import binding, ir

from .arithmetic import INT, Value, constant, holds
from .dialect import Signature, Unsupported, cgutils, intrinsic, types
from .expressions import Called, Expressions

__all__ = ["cfunc", "cgutils", "intrinsic", "njit", "types"]


class _Function(Expressions):
    """Translates one function for arguments of certain types; `result` is the type it returns."""

    def __init__(self, unit, function, arguments, name, result=None):
        self.unit, self.function, self.result = unit, function, result
        self.tree, self.variables, self.loops = _tree_of(function), {}, []
        self.ir = ir.Function(unit.module, ir.FunctionType(ir.VoidType(), [a.ir for a in arguments]), name)
        self.ir.attributes.add("nounwind")
        self.builder = ir.IRBuilder(self.block("entry"))  # holds the variables
        self.start, self.end, self.place = self.block("start"), self.block("end"), None
        self.builder.position_at_end(self.start)
        names = [a.arg for a in self.tree.args.args]
        if len(names) != len(arguments):
            raise Unsupported(f"{len(arguments)} arguments for {function.__name__}")
        for argument, kind, value in zip(names, arguments, self.ir.args, strict=True):
            self.assign(ast.Name(argument), Value(kind, value))
        self.body(self.tree.body)
        self._close()

    def _close(self):
        """Finish the first and the last block; now the type of the result is known."""
        if not self.builder.block.is_terminated:
            self.builder.branch(self.end)
        self.result = self.result or types.void
        self.builder.position_at_end(self.end)
        if self.result is types.void:
            self.builder.ret_void()
        elif self.place is None:
            raise Unsupported(f"{self.function.__name__} without a result")
        else:
            self.ir.ftype = ir.FunctionType(self.result.ir, self.ir.ftype.args)
            self.ir.type = self.ir.ftype.as_pointer()
            self.ir.return_value.type = self.result.ir
            self.builder.ret(self.builder.load(self.place))
        self.builder.position_at_end(self.ir.entry_basic_block)
        self.builder.branch(self.start)

    def body(self, statements):
        """Statements one after the other; those behind a jump are never reached."""
        for statement in statements:
            if self.builder.block.is_terminated:
                return
            method = getattr(self, "do_" + type(statement).__name__, None)
            if method is None:
                raise Unsupported(type(statement).__name__)
            method(statement)

    # --------------------------------------------------------------------------- assignment
    def do_Expr(self, node):
        """A call, or a docstring."""
        if not isinstance(node.value, ast.Constant):
            self.value(node.value)

    def do_Assign(self, node):
        """x = …, p[i] = …, a, b = …, …."""
        for target in node.targets:
            if not isinstance(target, ast.Tuple):
                self.assign(target, self.value(node.value))
                continue
            if not isinstance(node.value, ast.Tuple) or len(target.elts) != len(node.value.elts):
                raise Unsupported("taking a tuple apart")
            values = [self.value(v) for v in node.value.elts]
            for part, value in zip(target.elts, values, strict=True):
                self.assign(part, value)

    def do_AugAssign(self, node):
        """x += … and the like."""
        self.assign(node.target, self.binary(node.op, self.value(node.target), self.value(node.value)))

    def assign(self, target, value):
        """Store a value in a variable, made at its first assignment, or in an element."""
        if isinstance(target, ast.Subscript):
            base, index = self.value(target.value), self.value(target.slice)
            place = self.element(base, index)
            self.builder.store(self.cast(value, base.type.dtype).ir, place)
            return
        if not isinstance(target, ast.Name) or value.type.kind == "v":
            raise Unsupported(f"assignment of {value.type} to {type(target).__name__}")
        if target.id not in self.variables:
            self.variables[target.id] = value.type, self.room(value.type)
        kind, place = self.variables[target.id]
        if not holds(kind, value.type):
            raise Unsupported(f"{target.id} is {kind}, then {value.type}")
        self.builder.store(self.cast(value, kind).ir, place)

    def do_Return(self, node):
        """Store the result and jump to the end."""
        if node.value is not None:
            value = self.value(node.value)
            self.result = self.result or value.type
            self.place = self.place or self.room(self.result)
            if not holds(self.result, value.type):
                raise Unsupported(f"a result {self.result}, then {value.type}")
            self.builder.store(self.cast(value, self.result).ir, self.place)
        self.builder.branch(self.end)

    # --------------------------------------------------------------------------- jumps
    def do_Pass(self, node):
        """Nothing."""

    def do_If(self, node):
        """Two branches; one where the condition is a constant of the surroundings."""
        condition = self.truth(self.value(node.test))
        if condition.known is not None:
            self.body(node.body if condition.known else node.orelse)
            return
        yes, no, after = self.block("yes"), self.block("no"), self.block("after")
        self.builder.cbranch(condition.ir, yes, no)
        for block, statements in ((yes, node.body), (no, node.orelse)):
            self.builder.position_at_end(block)
            self.body(statements)
            if not self.builder.block.is_terminated:
                self.builder.branch(after)
        self.builder.position_at_end(after)

    def do_While(self, node):
        """As long as a condition holds."""
        header, inside, after = self.block("while"), self.block("body"), self.block("after")
        self.builder.branch(header)
        self.builder.position_at_end(header)
        self.builder.cbranch(self.truth(self.value(node.test)).ir, inside, after)
        self._loop(node, inside, header, after)

    def do_For(self, node):
        """Over a range. The counter is the loop's own, as Python has it."""
        call = node.iter
        if not isinstance(call, ast.Call) or self.known(call.func) is not builtins.range:
            raise Unsupported("a loop over something else than a range")
        limits = [self.cast(self.value(a), INT) for a in call.args]
        start, stop = (constant(0), *limits) if len(limits) == 1 else limits[:2]
        step = limits[2] if len(limits) == 3 else constant(1)
        if not step.known:
            raise Unsupported("a range whose step is no constant")
        counter = self.room(INT)
        self.builder.store(start.ir, counter)
        header, inside = self.block("for"), self.block("body")
        onward, after = self.block("onward"), self.block("after")
        self.builder.branch(header)
        self.builder.position_at_end(onward)
        self.builder.store(self.builder.add(self.builder.load(counter), step.ir, flags=["nsw"]), counter)
        self.builder.branch(header)
        self.builder.position_at_end(header)
        index = self.builder.load(counter)
        goes_on = self.builder.icmp_signed("<" if step.known > 0 else ">", index, stop.ir)
        self.builder.cbranch(goes_on, inside, after)
        self.builder.position_at_end(inside)
        self.assign(node.target, Value(INT, index))
        self._loop(node, inside, onward, after)

    def _loop(self, node, inside, onward, after):
        """The body of a loop, from where `continue` and `break` lead."""
        if node.orelse:
            raise Unsupported("an else of a loop")
        if self.builder.block is not inside:
            self.builder.position_at_end(inside)
        self.loops.append((onward, after))
        self.body(node.body)
        self.loops.pop()
        if not self.builder.block.is_terminated:
            self.builder.branch(onward)
        self.builder.position_at_end(after)

    def do_Break(self, node):
        """Out of the loop."""
        self.builder.branch(self.loops[-1][1])

    def do_Continue(self, node):
        """To the loop's next turn."""
        self.builder.branch(self.loops[-1][0])


# ------------------------------------------------------------------------------- functions and their texts
def njit(*given, inline="never", fastmath=(), **options):
    """As numba's decorator; signatures and other options do not matter here."""
    if given and not isinstance(given[0], (str, Signature)):
        return Called(given[0], False, False)
    return lambda function: Called(function, inline == "always", bool(fastmath))


@cache
def _trees(path):
    """The functions of a file by their first lines, decorators included."""
    with open(path, encoding="utf-8") as file:
        nodes = [node for node in ast.walk(ast.parse(file.read())) if isinstance(node, ast.FunctionDef)]
    return {min([node.lineno, *[d.lineno for d in node.decorator_list]]): node for node in nodes}


def _tree_of(function):
    code = function.__code__
    return _trees(code.co_filename)[code.co_firstlineno]


_ROUNDED = frozenset({"fadd", "fsub", "fmul", "fdiv", "frem", "fcmp"})


class _Unit:
    """One module of LLVM: an entry and all that it calls, each function once for every kind of arguments."""

    def __init__(self, name):
        self.module, self.contract, self.instances = ir.Module(name), False, {}

    def instance(self, callee, kinds):
        """A function for arguments of these types."""
        key = (callee, kinds)
        if key not in self.instances:
            name = f"{callee.function.__name__}.{len(self.instances)}"
            made = self.instances[key] = _Function(self, callee.function, kinds, name)
            made.ir.linkage = "internal"
            if callee.always:
                made.ir.attributes.add("alwaysinline")
            self.contract |= callee.contract
        return self.instances[key]

    def allow_contraction(self):
        """Let LLVM round a product and a sum once, wherever the text says nothing else."""
        reals = ir.FloatType(), ir.DoubleType()
        for function in self.module.functions:
            for block in function.blocks:
                for instruction in block.instructions:
                    if instruction.opname in _ROUNDED and not instruction.flags:
                        instruction.flags = ["contract"]
                    elif instruction.opname == "call" and instruction.type in reals:
                        instruction.fastmath.add("contract")


class Entry:
    """A compiled C function: `symbol` in the object code `code`."""

    def __init__(self, function, signature, options):
        self.symbol = f"adjoint.{function.__module__}.{function.__qualname__}"
        unit = _Unit(self.symbol)
        _Function(unit, function, signature.args, self.symbol, signature.return_type)
        if unit.contract or options.get("fastmath"):
            unit.allow_contraction()
        self.code = machine_code(unit.module)


def cfunc(signature, *, cache=False, **options):
    """Compile a function into a C function, as `numba.cfunc` does.

    Args:
        signature: "void(CPointer(int64), int64)" and the like, or the same of `types`.
        cache: accepted for the likeness; the kernel cache stores the entry's code in any case.
        options: numba's; `fastmath` allows one rounding of a product and a sum.
    """
    if isinstance(signature, str):
        signature = eval(signature, dict(vars(types)))
    return lambda function: Entry(function, signature, options)


# ------------------------------------------------------------------------------- LLVM
@cache
def _machine():
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_default_triple()
    reloc = "static" if target.name.startswith("x86") else "default"
    features = binding.get_host_cpu_features().flatten()
    return target.create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=features,
        opt=3,
        reloc=reloc,
        codemodel="jitdefault",
        jit=True,
    )


def machine_code(module):
    """Optimized object code of a module."""
    machine = _machine()
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    parsed = binding.parse_assembly(str(module))
    tuning = binding.create_pipeline_tuning_options(speed_level=3)
    tuning.loop_vectorization, tuning.slp_vectorization = True, False
    passes = binding.create_pass_builder(machine, tuning)
    passes.getModulePassManager().run(parsed, passes)
    return machine.emit_object(parsed)
