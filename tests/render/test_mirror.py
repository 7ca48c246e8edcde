"""The adjoint sweep drawn as the mirror image of the program."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.__main__ import main

from ..helpers import twelve_layers

SVG = "{http://www.w3.org/2000/svg}"


def network(layers: int = 2) -> ad.Lagrangian:
    rng = np.random.default_rng(0)
    functions = [np.tanh, np.sin, np.arctan]
    with ad.Tape() as tape:
        h = x = tape.input(rng.normal(size=(5, 3)), name="x")
        for k in range(layers):
            with ad.scope(f"layer{'abcdefghijkl'[k]}"):
                w = tape.parameter(rng.normal(size=(3, 3)), name="W")
                h = ad.name(functions[k % 3](h @ w), "h") + x
        loss = ad.name(np.mean(h**2), "loss")
    return ad.Lagrangian(tape, loss)


def test_every_z_has_its_lambda_and_every_arrow_its_reverse() -> None:
    lagrangian = network()
    plain = ad.draw(lagrangian)
    view = ad.draw(lagrangian, adjoint=True).view
    half = len(plain.view.boxes)
    assert [b.side for b in view.boxes] == ["program"] * half + ["adjoint"] * half
    ids = [b.id for b in view.boxes]
    assert ids[half:] == [f"l{i}" for i in reversed(ids[:half])] and len(set(ids)) == 2 * half
    ends: dict[str, list[tuple[str, str]]] = {"": [], "adjoint": [], "pair": []}
    for arrow in view.arrows:
        ends[arrow.side].append((ids[arrow.source], ids[arrow.target]))
    assert sorted((b[1:], a[1:]) for a, b in ends["adjoint"]) == sorted(ends[""])
    assert sorted(ends["pair"]) == sorted((i, f"l{i}") for i in ids[:half])


def test_contributions_are_on_the_arrows_of_the_sweep_alone() -> None:
    """λ_j = Σ_i (∂f_i/∂z_j)ᵀλ_i: where one arrow arrives, its contribution is ‖λ_j‖."""
    view = ad.draw(network(), adjoint=True).view
    arriving: dict[int, list[float | None]] = {}
    for arrow in view.arrows:
        if arrow.side == "adjoint":
            arriving.setdefault(arrow.target, []).append(arrow.contribution)
        else:
            assert arrow.contribution is None and arrow.weight is None
    single = [(k, c[0]) for k, c in arriving.items() if len(c) == 1]
    assert len(single) > 5
    for k, contribution in single:
        assert contribution == pytest.approx(view.boxes[k].lam, rel=1e-12)
    assert all(box.heat is None for box in view.boxes if box.side == "program")


def centers(picture: ad.Picture) -> dict[str, tuple[float, float]]:
    """Where each box's first letter stands."""
    found = {}
    for g in ET.fromstring(picture.svg()).iter(f"{SVG}g"):
        if g.get("class") == "node":
            corners = re.findall(r"(-?[\d.]+),(-?[\d.]+)", " ".join(
                shape.get("points") or shape.get("d") or "" for shape in g.iter()
                if shape.tag in (f"{SVG}polygon", f"{SVG}path")
            ))  # fmt: skip
            xy = np.array(corners, float)
            middle = (xy.min(0) + xy.max(0)) / 2
            found[str(g.get("id"))] = (middle[0], middle[1])
    return found


@pytest.mark.parametrize(("direction", "along", "across"), [("down", 1, 0), ("right", 0, 1)])
def test_pairs_stand_across_from_each_other(direction: str, along: int, across: int) -> None:
    picture = ad.draw(network(4), adjoint=True, direction=direction)
    at = centers(picture)
    program = [b.id for b in picture.view.boxes if b.side == "program"]
    assert len(program) > 15
    for box in program:
        assert at[f"l{box}"][along] == pytest.approx(at[box][along], abs=1.0)
    # all of the program lies on one side of the sweep: on the left, or above
    rows = {round(at[box][along]) for box in program}
    for row in rows:
        mine = [at[b][across] for b in program if round(at[b][along]) == row]
        sweep = [at[f"l{b}"][across] for b in program if round(at[b][along]) == row]
        assert max(mine) < min(sweep)


def test_every_format_has_both_sides() -> None:
    picture = ad.draw(network(), adjoint=True)
    root = ET.fromstring(picture.svg())
    classes = [g.get("class") for g in root.iter(f"{SVG}g")]
    assert classes.count("node") == len(picture.view.boxes)
    assert classes.count("edge") == len(picture.view.arrows)
    titles = "".join(root.itertext())
    assert "adjoint sweep" in titles and "λ layera/h" in titles and "λ_j = Σ_i" in titles
    text = picture.text()
    program, _, sweep = text.partition("    adjoint sweep:\n")
    assert "λ" not in program.partition("program:")[2] and "‖z‖" not in sweep
    first, *_, last = sweep.splitlines()
    assert first.endswith("λ loss  the seed, 1  λ 1")  # in the order in which the sweep reaches them
    assert "λ layera/W" in last or "λ x" in last
    mermaid = picture.mermaid()
    assert mermaid.count(" -.- ") == len(picture.view.boxes) / 2
    assert "subgraph a0" in mermaid and "the gradient" in mermaid
    document = json.loads(picture.json())
    sides = [box["side"] for box in document["view"]["boxes"]]
    assert sides.count("program") == sides.count("adjoint") == len(sides) / 2
    assert {a.get("side") for a in document["view"]["arrows"]} == {None, "adjoint", "pair"}
    assert picture.png().startswith(b"\x89PNG") and picture.pdf().startswith(b"%PDF")
    assert "the adjoint sweep mirrored" in picture.caption
    assert picture.dot() == ad.draw(network(), adjoint=True).dot()


def test_repeats_and_folded_scopes_are_mirrored_too() -> None:
    picture = ad.draw(twelve_layers(), adjoint=True)
    assert [c.count for c in picture.view.clusters if c.kind == "scope" or c.count > 1] == [12, 12]
    backwards = [a for a in picture.view.arrows if a.carried and a.side == "adjoint"]
    assert backwards and "λ W0…11 × 12" in picture.text()
    few = ad.draw(network(12), adjoint=True, limit=30)
    assert len(few.view.boxes) <= 30 and "λ layer" in few.text()
    ET.fromstring(few.svg())


def test_a_solution_is_mirrored_with_its_multipliers() -> None:
    solution = ad.minimize(
        lambda x: np.sum((x - 3) ** 2),
        np.ones(3),
        eq={"sum": lambda x: np.sum(x) - 3},
        ineq={"first": lambda x: x[0] - 0.5},
    )
    text = ad.draw(solution, adjoint=True).text()
    assert "ν sum" in text and "μ first" in text and "∂L/∂x, zero at a solution" in text


def test_what_has_no_multipliers_has_no_sweep() -> None:
    with ad.Tape() as tape:
        tape.parameter(2.0) * 3.0
    with pytest.raises(ValueError, match="adjoint=True draws multipliers, and this tape has none\n  Draw"):
        ad.draw(tape, adjoint=True)


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    (tmp_path / "a_mirror.py").write_text(
        "import numpy as np, adjoint as ad\n"
        "def loss():\n"
        "    with ad.Tape() as tape:\n"
        "        return np.sum(tape.parameter(np.ones(3), name='w') ** 2)\n"
    )
    monkeypatch.chdir(tmp_path)
    assert main(["draw", "a_mirror:loss", "--adjoint"]) == 0
    assert "λ w" in capsys.readouterr().out
