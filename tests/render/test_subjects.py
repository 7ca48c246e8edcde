"""Pictures of problems, solutions and compiled functions, and the command line."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.__main__ import main


def problem() -> ad.Problem:
    return ad.Problem(
        lambda x: np.sum((x - 3) ** 2),
        eq={"sum": lambda x: np.sum(x) - 3},
        ineq={"first": lambda x: x[0] - 0.5, "far": lambda x: x[0] - 50},
        bounds=(0, None),
    )


def test_a_problem_shows_constraints_and_lines() -> None:
    picture = ad.draw(problem())
    text = picture.text()
    assert "sum(x)  h(x) = 0  test_subjects.py:" in text and "first(x)  g(x) ≤ 0" in text
    assert "lower ≤ x ≤ upper" in text
    ET.fromstring(picture.svg())


def test_a_solution_shows_multipliers_residuals_and_what_binds() -> None:
    solution = problem().solve(np.ones(3))
    picture = ad.draw(solution)
    nodes = {node["name"]: node for node in json.loads(picture.json())["nodes"]}
    assert nodes["first"]["lam"] == pytest.approx(solution.multipliers["first"]) and nodes["first"]["active"]
    assert nodes["far"]["lam"] == 0 and nodes["far"]["active"] is False
    assert nodes["sum"]["lam"] == pytest.approx(solution.multipliers["sum"])
    assert "upper" not in nodes  # no element has that bound
    text = picture.text()
    assert "slack" in text and "binds" in text and "stationarity" in text and "solved: the KKT" in text
    dot = picture.dot()
    first = next(line for line in dot.splitlines() if "<b>first</b>" in line)
    far = next(line for line in dot.splitlines() if "<b>far</b>" in line)
    assert "dashed" in far and "dashed" not in first
    ET.fromstring(picture.svg())


def test_edges_of_a_solution_balance() -> None:
    """∂L/∂x = 0: what f and the constraints add to it, so the edge to f carries ‖∇f‖."""
    solution = problem().solve(np.ones(3))
    graph = ad.draw(solution).graph
    names = {node.number: node.name for node in graph.nodes}
    edges = {(names[a], names[b]): c for a, b, c in graph.edges}
    assert edges["x", "f"] == pytest.approx(float(np.linalg.norm(2 * (solution.x - 3))))
    assert edges["x", "first"] == pytest.approx(float(solution.multipliers["first"]))
    assert edges["x", "sum"] == pytest.approx(float(abs(solution.multipliers["sum"])) * 3**0.5)
    assert edges["x", "far"] == 0


def test_a_constraint_that_binds_in_part() -> None:
    solution = ad.minimize(
        lambda x: np.sum((x - 1) ** 2), np.zeros(2), ineq={"g": lambda x: x - np.array([0.5, 9])}
    )
    node = ad.draw(solution).graph.nodes[2]
    assert node.note == "binds in 1 of 2" and node.active
    assert node.lam is not None and node.lam.norm == pytest.approx(1.0) and node.lam.size == 2


def test_unknowns_in_containers() -> None:
    solution = ad.minimize(lambda p: np.sum(p["a"] ** 2) + (p["b"] - 1) ** 2, {"a": np.ones(2), "b": 0.0})
    assert [n.name for n in ad.draw(solution).graph.nodes] == ["x/a", "x/b", "f", "L"]


def test_a_compiled_function_has_kernels_as_outlines() -> None:
    def f(w: Any, x: Any) -> Any:
        return np.mean(np.tanh(x @ w) ** 2)

    compiled = ad.compile(ad.value_and_grad(f))
    with pytest.raises(ad.TraceError, match="Call it once, then draw it"):
        ad.draw(compiled)
    compiled(np.ones(3), np.ones((5, 3)))
    picture = ad.draw(compiled)
    steps = compiled.explain().programs[0].steps
    kernels = [c for c in picture.view.clusters if c.kind == "kernel"]
    assert len(kernels) == len(steps)
    assert [c.name for c in kernels] == [s.kind for s in steps]
    inside = [sum(b.cluster == k for b in picture.view.boxes) for k in range(len(kernels))]
    assert inside == [s.nodes for s in steps]
    assert "test_subjects.py:" in picture.text() and "tanh" in picture.text()
    ET.fromstring(picture.svg())


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    (tmp_path / "a_program.py").write_text(
        "import numpy as np, adjoint as ad\n"
        "def loss():\n"
        "    with ad.Tape() as tape:\n"
        "        return np.sum(tape.parameter(np.ones(3), name='w') ** 2)\n"
        "def nothing():\n"
        "    return 3\n"
        "def takes(w):\n"
        "    return w\n"
    )
    monkeypatch.chdir(tmp_path)
    assert main(["draw", "a_program:loss"]) == 0
    assert "w  3 float64  ‖z‖ 1.73" in capsys.readouterr().out
    assert main(["draw", "a_program:loss", "-o", "g.svg", "--right"]) == 0
    assert capsys.readouterr().out == "g.svg: 3 nodes\n"
    ET.fromstring((tmp_path / "g.svg").read_text(encoding="utf-8"))
    assert main(["draw", "a_program:nothing"]) == 1
    assert "cannot draw int 3" in capsys.readouterr().err
    assert main(["draw", "a_program"]) == main(["draw", "a_program:absent"]) == 2
    assert "needs module:function" in capsys.readouterr().err
    assert main(["draw", "a_program:takes"]) == 2
    assert "missing a required argument: 'w': name a function that takes nothing" in capsys.readouterr().err


def test_constraints_that_bind_and_slack_ones_are_not_one_box() -> None:
    ineq = {f"g{k}": lambda x, k=k: x[k] - (0.5 if k % 2 else 50) for k in range(20)}
    solution = ad.minimize(lambda x: np.sum((x - 1) ** 2), np.zeros(20), ineq=ineq)
    picture = ad.draw(solution)
    nodes = {n.number: n for n in picture.graph.nodes}
    for box in picture.view.boxes:
        assert len({nodes[m].active for m in box.members}) == 1
    assert "slack" in picture.text() and "binds" in picture.text() and "‖μ‖" in picture.text()
