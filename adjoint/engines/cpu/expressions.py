"""Expressions of kernels as LLVM instructions: names, elements, calls, choices. See `translate`."""
# mypy: ignore-errors

from __future__ import annotations

import ast
import builtins

from .arithmetic import BOOL, DTYPES, INT, Arithmetic, Value, common, constant, holds
from .dialect import Intrinsic, Type, Unsupported, context, literal

__all__ = ["Called", "Expressions"]


class Called:
    """A Python function that kernels call.

    Attributes:
        function: the function itself.
        always: whether it is inlined wherever it is called.
        contract: whether products and sums in it may be rounded once.
    """

    def __init__(self, function, always, contract):
        self.function, self.always, self.contract = function, always, contract
        self.__doc__ = function.__doc__


class Expressions(Arithmetic):
    """Translates expressions of one function.

    Attributes:
        unit: what gives instances of the functions called.
        function: the Python function, for the names of its surroundings.
        ir: the LLVM function.
        variables: name → type and place.
    """

    unit = function = ir = variables = None

    def value(self, node):
        """The value of an expression."""
        method = getattr(self, "of_" + type(node).__name__, None)
        if method is None:
            raise Unsupported(type(node).__name__)
        return method(node)

    def known(self, node):
        """What a name of the surroundings stands for."""
        if isinstance(node, ast.Attribute):
            return getattr(self.known(node.value), node.attr)
        if isinstance(node, ast.Name) and node.id not in self.variables:
            for names in (self.function.__globals__, vars(builtins)):
                if node.id in names:
                    return names[node.id]
        raise Unsupported(ast.dump(node))

    def room(self, kind):
        """A place for a variable, in the function's frame."""
        with self.builder.goto_block(self.ir.entry_basic_block):
            return self.builder.alloca(kind.ir)

    def block(self, name):
        """A new block."""
        return self.ir.append_basic_block(name)

    # --------------------------------------------------------------------------- names and elements
    def of_Constant(self, node):
        """A number."""
        return constant(node.value)

    def of_Name(self, node):
        """A variable, or a constant of the surroundings."""
        if node.id in self.variables:
            kind, place = self.variables[node.id]
            return Value(kind, self.builder.load(place))
        return constant(self.known(node))

    def of_Attribute(self, node):
        """A constant of another module."""
        return constant(self.known(node))

    def of_Subscript(self, node):
        """p[i]."""
        base, index = self.value(node.value), self.value(node.slice)
        return Value(base.type.dtype, self.builder.load(self.element(base, index)))

    def element(self, base, index):
        """The address of p[i]."""
        if base.type.kind != "p" or base.type.dtype.kind == "b":
            raise Unsupported(f"elements of {base.type}")
        return self.builder.gep(base.ir, [self.cast(index, INT).ir])

    # --------------------------------------------------------------------------- operators
    def of_UnaryOp(self, node):
        """−x, ~x, not x."""
        return self.unary(node.op, self.value(node.operand))

    def of_BinOp(self, node):
        """Arithmetic."""
        return self.binary(node.op, self.value(node.left), self.value(node.right))

    def of_Compare(self, node):
        """One comparison."""
        if len(node.ops) != 1:
            raise Unsupported("a chain of comparisons")
        return self.compare(node.ops[0], self.value(node.left), self.value(node.comparators[0]))

    def of_BoolOp(self, node):
        """`and`, `or` of truth values; what follows is computed only where it counts."""
        stops = isinstance(node.op, ast.Or)
        place, after = self.room(BOOL), self.block("decided")
        for operand in node.values[:-1]:
            truth = self.truth(self.value(operand)).ir
            self.builder.store(truth, place)
            onward = self.block("undecided")
            self.builder.cbranch(truth, *((after, onward) if stops else (onward, after)))
            self.builder.position_at_end(onward)
        self.builder.store(self.truth(self.value(node.values[-1])).ir, place)
        self.builder.branch(after)
        self.builder.position_at_end(after)
        return Value(BOOL, self.builder.load(place))

    def of_IfExp(self, node):
        """x if condition else y: a select where both are cheap, else two branches."""
        condition = self.truth(self.value(node.test))
        if _is_cheap(node.body) and _is_cheap(node.orelse):
            return self.choose(condition, self.value(node.body), self.value(node.orelse))
        found, after = [], self.block("chosen")
        blocks = self.block("if"), self.block("else")
        self.builder.cbranch(condition.ir, *blocks)
        for block, side in zip(blocks, (node.body, node.orelse), strict=True):
            self.builder.position_at_end(block)
            found.append((self.value(side), self.builder.block))
        x, y = (value.type for value, _ in found)
        kind = x if x is y else common(x, y)
        sides = []
        for value, block in found:
            self.builder.position_at_end(block)
            sides.append((self.cast(value, kind).ir, block))
            self.builder.branch(after)
        self.builder.position_at_end(after)
        phi = self.builder.phi(kind.ir)
        for side in sides:
            phi.add_incoming(*side)
        return Value(kind, phi)

    # --------------------------------------------------------------------------- calls
    def of_Call(self, node):
        """A conversion, a kernel's function, an intrinsic, or a function of Python, NumPy or `math`."""
        callee, args = self.known(node.func), [self.value(a) for a in node.args]
        if node.keywords:
            raise Unsupported("arguments by name")
        if isinstance(callee, type):
            callee = DTYPES.get(callee, callee)
        if isinstance(callee, Type) and len(args) == 1:
            return self.cast(args[0], callee)
        if isinstance(callee, Called):
            instance = self.unit.instance(callee, tuple([a.type for a in args]))
            return Value(instance.result, self.builder.call(instance.ir, [a.ir for a in args]))
        if isinstance(callee, Intrinsic):
            return self.expand(callee, args)
        if callee in (builtins.min, builtins.max) and len(args) == 2:
            return self.extremum(callee is builtins.min, *args)
        return self.absolute(args[0]) if callee is builtins.abs else self.mathematics(callee, args)

    def expand(self, callee, args):
        """What an intrinsic emits for these arguments."""
        kinds = [
            literal(a.known) if callee.literals and a.type is INT and a.known is not None else a.type
            for a in args
        ]
        found = callee.define(None, *kinds)
        if found is None:
            raise Unsupported(f"{callee.define.__name__} of {kinds}")
        signature, emit = found
        given = []
        for a, kind in zip(args, signature.args, strict=True):
            if not holds(kind, a.type) and kind.literal_value is None:
                raise Unsupported(f"{a.type} for {kind}")
            given.append(a.ir if kind.literal_value is not None else self.cast(a, kind).ir)
        return Value(signature.return_type, emit(context, self.builder, signature, given))


_DEAR = (ast.Subscript, ast.BoolOp, ast.IfExp, ast.Div, ast.FloorDiv, ast.Mod)


def _is_cheap(node):
    """Whether an expression may be computed without need: it reads no memory and calls nothing."""
    for part in ast.walk(node):
        if isinstance(part, _DEAR):
            return False
        if isinstance(part, ast.Call) and getattr(part.func, "attr", "") not in ("float32", "float64"):
            return False
    return True
