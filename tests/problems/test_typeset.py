"""L = f + νᵀh + μᵀg typeset, with names and multipliers."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np

import adjoint as ad

HOSTILE = '</math><script>alert("1")</script>'


def problem() -> ad.Problem:
    return ad.Problem(
        lambda x: np.sum((x - 3) ** 2),
        eq={"sum": lambda x: np.sum(x) - 3},
        ineq={"first": lambda x: x[0] - 0.5, HOSTILE: lambda x: x[0] - 50},
        bounds=(0, None),
    )


def test_a_problem_has_a_term_for_every_constraint() -> None:
    text = problem().latex()
    assert text.splitlines()[1] == r"\mathcal{L}\left(x, \nu, \mu\right) ={} & f\left(x\right) \\"
    assert r"\nu_{\mathtt{sum}}^{\top} \, h_{\mathtt{sum}}\left(x\right)" in text
    assert r"\mu_{\mathtt{first}}^{\top} \, g_{\mathtt{first}}\left(x\right)" in text
    assert r"\mu_{\mathtt{lower}}^{\top} \, \left(\mathtt{lower} - x\right)" in text
    assert "upper" not in text
    root = ET.fromstring(problem().mathml())
    assert "ℒ(x,ν,μ)=f(x)+νsum⊤" in "".join(root.itertext())
    assert not [e for e in root.iter() if "script" in e.tag]


def test_a_solution_has_the_values_of_its_multipliers_and_what_binds_first() -> None:
    solution = problem().solve(np.ones(3))
    lines = solution.latex().splitlines()
    values = {name: float(np.linalg.norm(m)) for name, m in solution.multipliers.items()}
    assert rf"f\left(x\right) = {solution.fun:.4g}" in lines[1]
    nu = f"{values['sum']:.4g}"
    assert any(line.endswith(rf"\nu_{{\mathtt{{sum}}}} = {nu} \\") for line in lines)
    first = next(k for k, line in enumerate(lines) if rf"= {values['first']:.4g}, \text{{ binds}}" in line)
    slack = next(k for k, line in enumerate(lines) if r"= 0, \text{ slack}" in line)
    assert first < slack and not any("upper" in line for line in lines)  # no element has that bound
    root = ET.fromstring(solution.mathml())
    assert HOSTILE in "".join(root.itertext()) and not [e for e in root.iter() if "script" in e.tag]


def test_many_constraints_stay_readable() -> None:
    ineq = {f"g{k}": lambda x, k=k: x[k] - 1.0 for k in range(60)}
    many = ad.Problem(lambda x: -np.sum(x), ineq=ineq)
    assert r"\sum_{k = 0}^{59} \left[ \mu_{g_{k}}^{\top} \, g_{g_{k}}\left(x\right) \right]" in many.latex()
    solution = many.solve(np.zeros(60))
    assert len(solution.latex(limit=5).splitlines()) == 9
    assert r"\cdots \quad \text{(55 more)}" in solution.latex(limit=5)
    ET.fromstring(solution.mathml(limit=5))


def test_drawings_carry_it() -> None:
    with ad.Tape() as tape:
        loss = ad.name(np.sum(tape.parameter(np.ones(3), name="w") ** 2), "loss")
        assert ad.draw(tape).graph.lagrangian == ""
    assert ad.draw(loss).graph.lagrangian == ad.Lagrangian(tape, loss).mathml()
    solution = problem().solve(np.ones(3))
    assert ad.draw(problem()).graph.lagrangian == problem().mathml()
    assert ad.draw(solution).graph.lagrangian == solution.mathml()
