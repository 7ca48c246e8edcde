"""Pictures of tapes and Lagrangians: what is in them, that they are stable, that no label breaks them."""

from __future__ import annotations

import json
import pickle
import re
import xml.etree.ElementTree as ET
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.render import layout
from adjoint.render.pdf import pdf_of
from adjoint.sweeps.repeats import repeats
from adjoint.text import clean

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "a -> b", "<b>&amp;</b>", "{x|y}", '"; evil [label=x]', "\\N \\G \\", "line\nbreak\r\n\t", "x" * 10_000,
    "]]> <!-- -->", "&#x3c;", "'", "\x00\x01\x1b[31m", "\ud800 lone", "\u202e right to left", "%s {0} $x",
    "λ µ 漢字 🦜 \ufffe", "</text><script>alert(1)</script>", "   ", "&#0;", "end", "subgraph",
]  # fmt: skip


def network(layers: int, depth: int = 8) -> Any:
    rng = np.random.default_rng(0)
    with ad.Tape() as tape:
        h = x = tape.input(rng.normal(size=(5, depth)), name="x")
        weights = tape.parameter([rng.normal(size=(depth, depth)) / 3 for _ in range(layers)], name="W")
        for k, w in enumerate(weights):
            with ad.scope(f"layer{k}"):
                h = ad.name(np.tanh(h @ w), "h") + x
        return ad.name(np.mean(h**2), "loss")


def test_a_box_shows_z_and_its_multiplier() -> None:
    with ad.Tape() as tape:
        w = tape.parameter(np.array([3.0, 4.0]), name="w")
        loss = ad.name(np.sum(w * w), "loss")
    picture = ad.draw(loss)
    assert [box.lam for box in picture.view.boxes] == pytest.approx([10.0, 2**0.5, 1.0])
    first = picture.text().splitlines()[2]
    assert "‖z‖ 5 in [3, 4]" in first and "‖λ‖ 10 in [6, 8]" in first and "test_draw.py:" in first
    # both operands of w·w are w: the contribution is that of the edge, not of one of its ends
    assert [a.contribution for a in picture.view.arrows] == pytest.approx([10.0, 2**0.5])


def test_a_contribution_is_what_the_edge_adds_to_lambda() -> None:
    """λ_j is the sum of contributions: of a value with one use, the contribution's norm is ‖λ_j‖."""
    graph = ad.draw(network(3), fold=False).graph
    uses: dict[int, list[float]] = {}
    for p, _, c in graph.edges:
        assert c is not None
        uses.setdefault(p, []).append(c)
    single = [n for n in graph.nodes if len(uses.get(n.number, [])) == 1]
    assert len(single) > 5
    for n in single:
        assert n.lam is not None and n.lam.norm == pytest.approx(uses[n.number][0], rel=1e-12)


def test_a_tape_and_a_variable_without_multipliers() -> None:
    with ad.Tape() as tape:
        x = tape.input(np.arange(3.0))
        y = x.reshape(3, 1) * np.ones(2)
        _unused = x + 1
    assert "λ" not in ad.draw(tape).text()
    assert len(ad.draw(tape).graph.nodes) == len(tape)
    of_y = ad.draw(y)
    assert len(of_y.graph.nodes) == len(tape) - 1
    assert len(of_y.view.boxes) == 2 and of_y.view.arrows[0].label.startswith("reshape")
    assert "1 reshape or cast told on edges" in of_y.caption
    assert len(ad.draw(y, fold=False).view.boxes) == 3


def test_disconnected_values_say_so() -> None:
    with ad.Tape() as tape:
        w = tape.parameter(2.0, name="w")
        tape.parameter(3.0, name="idle")
        loss = w * w
    text = ad.draw(ad.Lagrangian(tape, loss)).text()
    assert "idle  float  z 3  λ 0, disconnected" in text


def test_equal_layers_are_drawn_once() -> None:
    loss = network(12)
    picture = ad.draw(loss)
    assert [c.count for c in picture.view.clusters] == [12]
    assert picture.view.clusters[0].name == "layer0 … layer11"
    assert "W/0…11 × 12" in picture.text() and "layer0…11/h × 12" in picture.text()
    assert {len(box.norms) for box in picture.view.boxes} == {0, 12}
    assert any(arrow.carried for arrow in picture.view.arrows)
    assert "2 repeats drawn once (× 12, × 12)" in picture.caption
    assert sum(len(box.members) for box in picture.view.boxes) == len(picture.graph.nodes)


def test_repeats_of_repeats() -> None:
    with ad.Tape() as tape:
        x = tape.parameter(0.5, name="x")
        for _ in range(40):
            for _ in range(10):
                x = np.sin(x) * 1.1
            x = np.exp(-x)
    picture = ad.draw(tape)
    assert sorted(c.count for c in picture.view.clusters) == [10, 40]
    assert len(picture.view.boxes) == 5


def test_scopes_fold_from_the_inside_and_the_caption_says_so() -> None:
    with ad.Tape() as tape:
        x = tape.parameter(0.5, name="x")
        for part in range(4):
            with ad.scope(f"part{'abcd'[part]}"):
                for k in range(30):
                    with ad.scope("inner"):
                        x = [np.sin, np.tanh, np.cos, np.arctan][(k * k + part + k // 3) % 4](x) * (k + 1.5)
    full, few = ad.draw(tape, limit=1000), ad.draw(tape, limit=20)
    assert len(few.view.boxes) <= 20 < len(full.view.boxes)
    assert "scopes folded (" in few.caption and "folded" not in full.caption
    opened = ad.draw(tape, limit=20, expand="parta/*")
    assert len(few.view.boxes) < len(opened.view.boxes) < len(full.view.boxes)
    assert few.view.arrows[0].label  # what crosses the border of a folded scope


def test_a_long_program_without_structure_stays_below_the_limit() -> None:
    rng = np.random.default_rng(0)
    with ad.Tape() as tape:
        values = list(tape.parameter([0.1, 0.2, 0.3], name="x"))
        for a, b, c in rng.integers(0, 10**6, (3000, 3)):
            x, y = values[a % len(values)], values[b % len(values)]
            values.append(
                x + y if c % 4 == 0 else np.sin(x) if c % 4 == 1 else x * y if c % 4 == 2 else np.tanh(y)
            )
    picture = ad.draw(tape)
    assert len(picture.view.boxes) <= 150
    assert "stretches folded" in picture.caption
    assert len(ad.draw(tape, limit=7).view.boxes) <= 7
    ET.fromstring(picture.svg())


def test_no_recursion() -> None:
    with ad.Tape() as tape:
        x = tape.parameter(0.5)
        for k in range(3000):
            x = np.sin(x) if (k * k) % 7 else np.cos(x)
    scopes = "/".join(["s"] * 3000)
    with ad.Tape() as deep, ad.scope(scopes):
        y = deep.parameter(1.0) * 2.0
    for picture in (ad.draw(x, fold=False), ad.draw(y)):
        picture.json(), picture.text(), picture.dot(), picture.mermaid()


@pytest.mark.parametrize("label", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_neither_break_nor_inject(label: str) -> None:
    with ad.Tape() as tape, ad.scope(label.replace("/", "|").replace("#", "+") + "!"):
        w = tape.parameter(2.0, name=label.replace("#", "+"))
        loss = ad.name(np.sin(w) * w, label.replace("#", "+") + "?")
    picture = ad.draw(loss)
    root = ET.fromstring(picture.svg())
    groups = [g.get("class") for g in root.iter(f"{SVG}g") if g.get("class")]
    assert groups.count("node") == len(picture.view.boxes) == 3
    assert groups.count("edge") == len(picture.view.arrows) == 3
    assert groups.count("cluster") == 1
    assert not list(root.iter(f"{SVG}script"))
    assert json.loads(picture.json())["nodes"][0]["name"] == label.replace("#", "+")
    for line in picture.dot().splitlines():  # every HTML-like label is well-formed and has no newline
        for start in (found.end() for found in re.finditer("label=<", line)):
            end, depth = start, 1
            while depth:
                depth += {"<": 1, ">": -1}.get(line[end], 0)
                end += 1
            assert line[end] in ",]"
            ET.fromstring(f"<label>{line[start : end - 1]}</label>")
    for shown in (picture.mermaid(), picture.text()):
        assert "\x1b" not in shown and "\x00" not in shown and "\u202e" not in shown
        assert max(map(len, shown.splitlines())) < 1000
    assert picture.mermaid().count("subgraph") >= 1
    assert "<script" not in picture.mermaid()


def test_clean() -> None:
    assert clean("a\n b\x00\ud800", 10) == "a b\ufffd\ufffd"
    assert clean("x" * 50, 5) == "xxxx…"
    assert clean("λ‖−×") == "λ‖−×"


def test_the_same_program_gives_the_same_bytes() -> None:
    a, b = ad.draw(network(4)), ad.draw(network(4))
    for form in ("json", "text", "dot", "mermaid", "svg", "png"):
        assert getattr(a, form)() == getattr(b, form)(), form
    assert "version" not in a.svg().replace("xml:version", "")


def test_json_has_everything() -> None:
    loss = network(12)
    document = json.loads(ad.draw(loss).json())
    assert document["format"] == "adjoint.graph" and document["version"] == 1
    assert len(document["nodes"]) == len(loss.tape)
    lam = ad.Lagrangian(loss.tape, loss).multipliers
    for node in document["nodes"]:
        shown = node["lam"]["norm"] if isinstance(node["lam"], dict) else abs(node["lam"])
        assert shown == pytest.approx(lam.entries(node["id"])[0].norm)
    ids = {box["id"] for box in document["view"]["boxes"]}
    assert {a["from"] for a in document["view"]["arrows"]} <= ids
    sources = {document["places"][node["place"]]["source"] for node in document["nodes"]}
    assert 'return ad.name(np.mean(h**2), "loss")' in sources
    members = sorted(m for box in document["view"]["boxes"] for m in box["members"])
    assert members == list(range(len(loss.tape)))


def test_values_that_are_not_finite() -> None:
    with ad.Tape() as tape, np.errstate(all="ignore"):
        x = tape.parameter(np.array([np.inf, np.nan, 1.0]), name="x")
        empty = tape.input(np.zeros((0, 3)), name="empty")
        whole = tape.input(np.array([1 + 2j, 3 - 1j]), name="complex")
        loss = np.sum(x * 2) + np.sum(empty) + np.sum(np.abs(whole)) + np.sum(np.sort(x)) * 1e300 * 1e300
        picture = ad.draw(loss)
    assert "not finite" in picture.text()
    assert json.loads(picture.json())["nodes"][0]["z"]["finite"] is False
    ET.fromstring(picture.svg())


def test_a_picture_holds_no_tape_and_pickles() -> None:
    picture = ad.draw(network(2))
    again = pickle.loads(pickle.dumps(picture))
    assert again.json() == picture.json() and again.dot() == picture.dot()


def test_formats_by_suffix(tmp_path: Path) -> None:
    picture = ad.draw(network(2), direction="right")
    starts = {
        ".svg": b"<svg", ".png": b"\x89PNG", ".pdf": b"%PDF-1.", ".dot": b"digraph", ".gv": b"digraph",
        ".mmd": b"flowchart LR", ".json": b'{"format":"adjoint.graph"', ".txt": b"Lagrangian",
    }  # fmt: skip
    for suffix, start in starts.items():
        picture.save(tmp_path / f"g{suffix}")
        assert (tmp_path / f"g{suffix}").read_bytes().startswith(start), suffix
    with pytest.raises(ad.UnknownNameError, match=r"no format for 'g.bmp': a suffix is one of \.svg"):
        picture.save(tmp_path / "g.bmp")
    bundle = picture._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "image/svg+xml"}


def test_svg_has_title_description_and_ids() -> None:
    picture = ad.draw(network(2))
    root = ET.fromstring(picture.svg())
    assert root.find(f"{SVG}title").text == picture.graph.title  # type: ignore[union-attr]
    assert root.find(f"{SVG}desc").text == picture.caption  # type: ignore[union-attr]
    ids = {g.get("id") for g in root.iter(f"{SVG}g")}
    assert {box.id for box in picture.view.boxes} <= ids


def test_heat_reads_in_grey() -> None:
    """Darker and thicker the larger ‖λ‖, never too dark for black letters."""
    from adjoint.render.dot import heat_color

    def lightness(color: str) -> float:
        r, g, b = (int(color[k : k + 2], 16) for k in (1, 3, 5))
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    falling = [lightness(heat_color(k / 20)) for k in range(21)]
    assert falling == sorted(falling, reverse=True) and falling[0] - falling[-1] > 80
    assert falling[-1] > 120
    boxes = sorted((b for b in ad.draw(network(2)).view.boxes), key=lambda b: b.lam or 0.0)
    assert [b.heat for b in boxes] == sorted(b.heat or 0.0 for b in boxes)


def test_noise_below_three_decades_leaves_shades_to_the_others() -> None:
    """A λ of rounding errors, 1e-17 and not 0, must not make all others look alike."""
    with ad.Tape() as tape:
        parts = [tape.parameter(1.0, name=f"{size:g}") for size in (1.0, 0.1, 1e-17)]
        loss = sum(float(p.tape.names[p.index]) * p for p in parts)
    picture = ad.draw(loss, fold=False)
    heat = {node.name: box.heat for node, box in zip(picture.graph.nodes, picture.view.boxes, strict=True)}
    assert heat["1"] == 1.0 and heat["0.1"] == pytest.approx(2 / 3) and heat["1e-17"] == 0.0
    assert "‖λ‖ ≤ 0.001<" in picture.dot()  # what the palest shade of the legend stands for
    thin = {a.source: a.weight for a in picture.view.arrows}
    assert thin[2] == 0.0 and thin[1] == pytest.approx(2 / 3)


def test_the_legend_is_true_of_norms_that_are_alike() -> None:
    """Over less than half a decade the scale is wider than the norms: its pale end is none of theirs."""
    with ad.Tape() as tape:
        a, b = tape.parameter([1.0, 1.0], name="w")
        loss = a * 2.0 + b
    picture = ad.draw(loss, fold=False)
    least = min(box.heat for box in picture.view.boxes if box.heat is not None)
    assert least == pytest.approx(1 - np.log10(2) / 0.5)
    assert "‖λ‖ ≤ 0.632<" in picture.dot() and "2<" in picture.dot()


def test_without_lambda_a_box_has_the_color_of_its_role() -> None:
    with ad.Tape() as tape:
        w = tape.parameter(2.0, name="w")
        tape.parameter(3.0, name="idle")
        loss = w * w
    lines = {box: line for line in ad.draw(ad.Lagrangian(tape, loss)).dot().splitlines()
             for box in ("w", "idle") if f"<b>{box}</b>" in line}  # fmt: skip
    assert 'fillcolor="#e8e3f4"' in lines["idle"] and 'fillcolor="#ee7e41"' in lines["w"]


def test_operands_stand_in_their_order() -> None:
    with ad.Tape() as tape:
        a, b = tape.parameter(2.0, name="a"), tape.parameter(3.0, name="b")
        loss = ad.name(b / a, "q")
    assert (
        "q(b, a)  divide" in ad.draw(loss).text() and "q(b, a)  divide" in ad.draw(loss, adjoint=True).text()
    )


def test_without_a_layout_program_both_remedies_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "system_dot", lambda: None)
    monkeypatch.setattr(layout, "pure_dot", lambda: None)
    picture = ad.draw(network(1))
    for form in (picture.svg, picture.png):
        with pytest.raises(ad.LayoutError) as raised:
            form()
        assert "pip install graphviz-pure" in str(raised.value) and "apt install graphviz" in str(
            raised.value
        )
    assert picture.text() and picture.json() and picture.mermaid() and picture.dot()
    assert set(picture._repr_mimebundle_()) == {"text/plain"}


def test_the_systems_dot_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pure = layout.pure_dot()
    assert pure is not None
    picture = ad.draw(network(1))
    expected = picture.svg()
    (tmp_path / "dot").symlink_to(pure)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(layout, "pure_dot", lambda: None)
    assert layout.system_dot() == str(tmp_path / "dot")
    if layout.laid_out("graph {}", "svg").count(b"graphviz-pure"):
        assert picture.svg() == expected
    with pytest.raises(ad.LayoutError, match=r"dot could not lay this graph out: .*syntax error"):
        layout.laid_out("digraph adjoint { ->", "svg")


def test_a_scalar_that_is_not_finite_says_how() -> None:
    with ad.Tape() as tape, np.errstate(all="ignore"):
        for value in (np.inf, np.array(-np.inf), np.nan, np.array([np.nan])):
            tape.input(value)
    lines = ad.draw(tape, fold=False).text().splitlines()[2:]
    said = ["|z| inf, not finite"] * 2 + ["|z| nan, not finite"] * 2
    assert [s in line for s, line in zip(said, lines, strict=True)] == [True] * 4


def test_a_suffix_in_capitals_is_the_same_format(tmp_path: Path) -> None:
    ad.draw(network(1)).save(tmp_path / "G.DOT")
    assert (tmp_path / "G.DOT").read_text().startswith("digraph")


def test_a_png_too_large_for_viewers_is_refused() -> None:
    for dpi in (0, -3, np.nan):
        with pytest.raises(ValueError, match="dpi is a positive number of pixels per inch"):
            ad.draw(network(1)).png(dpi=dpi)
    with pytest.raises(ad.LayoutError, match=r"Pass dpi=\d+, draw fewer boxes"):
        ad.draw(network(2)).png(dpi=5000)


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(TypeError, match="cannot draw int 3: pass a Variable"):
        ad.draw(3)
    with pytest.raises(ValueError, match="direction is one of 'down', 'right', not 'up'"):
        ad.draw(network(1), direction="up")
    with pytest.raises(ValueError, match="limit must be at least 1"):
        ad.draw(network(1), limit=0)


@pytest.mark.parametrize(
    ("tokens", "found"),
    [
        ([1, 1, 1, 1], [(0, 1, 4)]),
        ([1, 2, 1, 2], []),
        ([0, 1, 2, 1, 2, 1, 2, 9], [(1, 2, 3)]),
        ([1, 1, 2, 1, 1, 2, 1, 1, 2], [(0, 3, 3)]),
        ([], []),
    ],
)
def test_repeats(tokens: list[int], found: list[tuple[int, int, int]]) -> None:
    assert repeats(tokens, [1] * len(tokens), 1) == found


def test_drawing_changes_nothing() -> None:
    with ad.Tape() as tape:
        w = tape.parameter(np.ones(3), name="w")
        loss = np.sum(np.tanh(w))
        before = len(tape)
        ad.draw(loss), ad.draw(tape)
        assert len(tape) == before

    def f(v: Any) -> Any:
        y = np.sum(v**3)
        ad.draw(y)
        return y

    assert ad.grad(ad.grad(f))(2.0) == 12.0


def test_contributions_of_a_value_used_twice_are_apart() -> None:
    with ad.Tape() as tape:
        w = tape.parameter(1.0, name="w")
        loss = 2.0 * w + 3.0 * w
    edges = {(a, b): c for a, b, c in ad.draw(loss).graph.edges}
    assert (edges[0, 1], edges[0, 2]) == (2.0, 3.0)


def test_backslashes_in_tooltips_name_nothing_of_dots() -> None:
    r"""Dot reads \N and \G as the names of node and graph."""
    with ad.Tape() as tape, ad.scope(r'\N \G "\"'):
        loss = np.sin(tape.parameter(2.0))
    svg = ad.draw(loss).svg()
    titles = [a.get("{http://www.w3.org/1999/xlink}title") for a in ET.fromstring(svg).iter(f"{SVG}a")]
    assert '∖N ∖G "∖"' in titles
    assert "<!--" not in svg


def test_numbers_whose_squares_overflow() -> None:
    with ad.Tape() as tape:
        tape.parameter(np.array([1e200, 1.0]), name="w")
    assert "‖z‖ 1e+200" in ad.draw(tape).text()


def test_what_is_expanded_stays_open_in_a_long_program() -> None:
    functions = [np.sin, np.tanh, np.cos, np.arctan]
    with ad.Tape() as tape:
        x = tape.parameter(0.5, name="x")
        for k in range(40):
            x = functions[(k * k + k // 3) % 4](x) * (k + 1.5)
            with ad.scope("enc" + chr(97 + k % 26) + chr(97 + k // 26)):
                x = np.exp(-functions[(k * k + k // 3) % 4](x) * (k + 1.5))
    assert [c.name for c in ad.draw(tape, limit=20, expand="encaa").view.clusters] == ["encaa"]


def test_the_caption_names_only_folded_scopes_that_are_drawn() -> None:
    functions = [np.sin, np.tanh, np.cos, np.arctan]
    with ad.Tape() as tape, ad.scope("a"):
        x = tape.parameter(0.5, name="x")
        for k in range(6):
            with ad.scope("qwertz"[k]):
                for j in range(30):
                    x = functions[(j * j + k + j // 3) % 4](x) * (j + 1.5)
    assert ad.draw(tape, limit=4).caption.endswith("1 scope folded (a)")


def test_a_pdf_of_pixels_is_whole() -> None:
    made = ad.draw(network(1)).png()
    pdf = pdf_of(made, 144)
    places = [int(x) for x in re.findall(rb"^(\d{10}) 00000 n ", pdf, re.M)]
    assert all(pdf[at:].startswith(b"%d 0 obj\n" % k) for k, at in enumerate(places, 1))
    names = (b"Width", b"Height", b"Colors")
    width, height, colors = (int(re.findall(rb"/%b (\d+)" % name, pdf)[0]) for name in names)
    start = pdf.index(b"stream\n") + 7
    assert len(zlib.decompress(pdf[start : pdf.index(b"\nendstream")])) == height * (1 + colors * width)
