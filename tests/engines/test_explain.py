"""What a compiled function says about itself: steps, kernels, memory, what runs by NumPy, plans made anew."""

from __future__ import annotations

from typing import Any

import numpy as np

import adjoint as ad
from adjoint.ops.primitive import PRIMITIVES
from adjoint.tape import Tape

from ..helpers import normal


def network(params: Any, x: Any) -> Any:
    h = np.tanh(x @ params["W"] + params["b"])
    return np.mean((h - 0.5) ** 2)


def test_before_the_first_call_there_is_nothing_to_explain() -> None:
    compiled = ad.compile(network)
    assert compiled.explain().programs == [] and compiled.explain().recompilations == 0
    assert repr(compiled.explain()) == "network: 0 programs"


def test_steps_arguments_and_memory() -> None:
    compiled = ad.compile(ad.value_and_grad(network))
    params = {"W": normal(6, 5), "b": normal(5, seed=1)}
    compiled(params, normal(30, 6, seed=2))
    (program,) = compiled.explain().programs
    assert program.arguments == ("float64[6, 5]", "float64[5]", "float64[30, 6]")
    assert program.outputs == 8 * (1 + 30 + 5)
    assert program.arena >= 8 * 30 * 5
    kinds = {step.kind for step in program.steps}
    assert kinds == {"region", "product", "scalars"} or kinds == {"region", "product"}
    assert sum(step.kind == "product" for step in program.steps) == 2
    operations = {name for step in program.steps for name in step.operations}
    assert {"tanh", "matmul", "sum"} <= operations
    assert program.fallbacks == ()
    assert len(program.seconds) == 3 and min(program.seconds) >= 0
    assert 0 < sum(step.nodes for step in program.steps) <= program.recorded


def test_a_program_in_words() -> None:
    compiled = ad.compile(network)
    compiled({"W": normal(6, 5), "b": 0.5}, normal(30, 6, seed=2))
    text = repr(compiled.explain())
    assert text.startswith("network: 1 program\n")
    assert "float64[6, 5], float64[] (Python), float64[30, 6]" in text
    for word in ("recorded nodes", "bytes between steps", "kernel", "region", "product", "30×5", "tanh"):
        assert word in text, word


def test_a_fallback_is_named_with_its_line_and_reason() -> None:
    compiled = ad.compile(lambda x: np.sum(np.sort(x) * 2))
    compiled(normal(5))
    (fallback,) = compiled.explain().programs[0].fallbacks
    name, place, why = fallback
    assert name == "argsort" and "test_explain.py:" in place and why
    assert f"by NumPy: argsort at {place}" in repr(compiled.explain())


def test_equal_fallbacks_take_one_line() -> None:
    compiled = ad.compile(lambda x: sum(np.sum(np.sort(x + k)) for k in range(3)))
    compiled(normal(5))
    lines = [line for line in repr(compiled.explain()).splitlines() if line.startswith("by NumPy: argsort")]
    assert len(lines) == 1 and lines[0].endswith(" (3 nodes)")


def test_plans_made_anew_are_counted_and_listed() -> None:
    compiled = ad.compile(network)
    for rows in (30, 40, 30):
        compiled({"W": normal(6, 5), "b": 0.5}, normal(rows, 6, seed=2))
    explanation = compiled.explain()
    assert explanation.recompilations == 1
    assert [program.arguments[-1] for program in explanation.programs] == ["float64[30, 6]", "float64[40, 6]"]
    assert repr(explanation).startswith("network: 2 programs\n")
    first, second = explanation.programs
    assert [s.kernel for s in first.steps] == [
        s.kernel for s in second.steps
    ]  # a batch size compiles nothing
    assert not any(step.compiled for step in second.steps)


def test_explaining_changes_nothing_and_holds_no_tape() -> None:
    compiled = ad.compile(network)
    args = {"W": normal(6, 5), "b": 0.5}, normal(3, 6, seed=2)
    value = compiled(*args)
    explanation = compiled.explain()
    assert compiled(*args) == value
    assert compiled.explain() == explanation
    assert not any(isinstance(x, Tape) for program in explanation.programs for x in vars(program).values())


def test_every_step_of_the_common_programs_is_native() -> None:
    def program(x: Any, w: Any, y: Any) -> Any:
        h = np.maximum(x @ w, 0.0)
        h = (h - np.mean(h, axis=0)) / np.sqrt(np.var(h, axis=0) + 1e-5)
        shifted = h - np.max(h, axis=1, keepdims=True)
        logits = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
        return -np.mean(logits[np.arange(8), y]) + 0.1 * np.sum(np.concatenate([w, w[:1]]) ** 2)

    compiled = ad.compile(ad.value_and_grad(program, (0, 1)))
    compiled(normal(8, 6), normal(6, 4, seed=1), np.array([0, 3, 1, 1, 2, 0, 3, 2]))
    assert compiled.explain().programs[0].fallbacks == ()


def test_primitives_of_the_users_run_by_their_own_function() -> None:
    cube = PRIMITIVES.get("test_explained_cube") or ad.primitive(
        "test_explained_cube", lambda x: x**3, adjoint=lambda a, z, lam: (3 * a[0] ** 2 * lam,)
    )
    compiled = ad.compile(ad.grad(lambda x: np.sum(cube(np.sin(x)))))
    compiled(normal(3))
    names = [name for name, _, _ in compiled.explain().programs[0].fallbacks]
    assert "test_explained_cube" not in names  # the gradient does not need its value
    compiled = ad.compile(lambda x: np.sum(cube(np.sin(x))))
    compiled(normal(3))
    assert [name for name, _, _ in compiled.explain().programs[0].fallbacks] == ["test_explained_cube"]
