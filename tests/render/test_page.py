"""The HTML page: what is in the file, and, in a real browser, what it does."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.__main__ import main
from adjoint.ops import PRIMITIVES
from adjoint.ops.elementwise import Elementwise
from adjoint.render.page.typeset import tree_of
from adjoint.render.rules import rule

from .test_draw import network


class Parts(HTMLParser):
    """Tags, and the text of scripts and styles, as a browser's parser splits them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, str]] = []
        self.open = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.open = tag
            self.raw.append((str(dict(attrs).get("type") or tag), ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == self.open:
            self.open = ""

    def handle_data(self, data: str) -> None:
        if self.open:
            kind, before = self.raw[-1]
            self.raw[-1] = kind, before + data


def data_of(page: str) -> Any:
    return json.loads(dict(Parts(page).raw)["application/json"])


def test_one_file_that_needs_nothing(tmp_path: Path) -> None:
    picture = ad.draw(network(3))
    page = picture.html()
    assert page.startswith("<!DOCTYPE html>")
    parts = Parts(page)
    assert [kind for kind, _ in parts.raw] == ["style", "application/json", "script"]
    for tag, attributes in parts.tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base"), tag
        assert not {"src", "href", "style"} & set(attributes), (tag, attributes)
    assert not re.findall(r"https?://(?!www\.w3\.org/)", page)
    picture.save(tmp_path / "g.html")
    assert (tmp_path / "g.html").read_text("utf-8") == page


def test_the_policy_allows_this_script_and_style_alone() -> None:
    parts = Parts(ad.draw(network(2)).html())
    policy = next(a["content"] for tag, a in parts.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None and policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    texts = dict(parts.raw)
    for kind in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(texts[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_the_same_program_gives_the_same_page() -> None:
    assert ad.draw(network(4)).html() == ad.draw(network(4)).html()


def test_a_label_like_a_mark_or_like_markup_stays_data() -> None:
    with ad.Tape() as tape, ad.scope("</script><script>alert(1)</script>"):
        w = tape.parameter(2.0, name="{{data}} {{script}}")
        loss = ad.name(w * w, "<!-- <script> ]]>")
    page = ad.draw(loss).html()
    parts = Parts(page)
    assert [kind for kind, _ in parts.raw] == ["style", "application/json", "script"]
    data = dict(parts.raw)["application/json"]
    assert "<" not in data and data.isascii()
    assert {"{{data}} {{script}}", "script><script>alert(1)<"} <= set(json.loads(data)["texts"])


def test_long_names_are_cut() -> None:
    with ad.Tape() as tape:
        loss = ad.name(tape.parameter(2.0, name="x" * 10_000) * 2.0, "y" * 10_000)
    page = ad.draw(loss).html()
    assert "x" * 399 + "…" in data_of(page)["texts"] and "x" * 400 not in page


def test_rules_are_typeset_for_each_use() -> None:
    with ad.Tape() as tape:
        w = tape.parameter(np.array([[2.0]]), name="w")
        loss = np.sum(np.tanh(w @ w) * 3.0) ** 3
    rules = data_of(ad.draw(loss).html())["rules"]

    def read(tree: Any) -> str:
        return tree if isinstance(tree, str) else "".join(map(read, tree[2:]))

    said = {use: [read(tree) for tree in lines] for use, lines in rules.items()}
    assert said["matmul"] == ["z=xy", "λx+=λy⊤", "λy+=x⊤λ"]
    assert said["tanh"] == ["z=tanh(x)", "λx+=(1−z2)λ"]
    assert said["multiply(·, 3)"] == ["z=x3", "λx+=3λ"]
    with ad.Tape() as tape:  # ties share λ in equal parts
        top = np.max(tape.parameter(np.array([2.0, 2.0])))
    lines = data_of(ad.draw(top).html())["rules"].popitem()[1]
    assert [read(tree) for tree in lines] == ["z=maxx", "λx+=[x=z]∑[x=z]λ"]
    assert said["power(·, 3)"] == ["z=x3", "λx+=3x2λ"]


def test_parameters_that_no_formula_says_have_rules_of_their_own() -> None:
    with ad.Tape() as tape:
        x = tape.parameter(np.ones((4, 4)), name="x")
        loss = np.sum(x[::2, 1:3]) + np.sum(x[1:4, ::2]) + np.sum(x[::2, 1:3])
    picture = ad.draw(loss)
    first, second, third = (n for n in picture.graph.nodes if n.operation == "getitem")
    rules = picture.graph.rules
    assert first.formula == second.formula == third.formula
    assert "1:3" in rules[first.formula][0] and "1:4" in rules[f"#{second.number}"][0]
    assert f"#{third.number}" not in rules


def test_a_row_that_calls_numpy_by_name_is_typeset_by_its_name() -> None:
    clip = Elementwise("positive", lambda m, x: np.maximum(x, 0.0), [lambda m, x, z: np.where(x > 0, 1, 0)])
    assert [line.latex() for line in rule(clip, [None], {})] == [
        r"z = \operatorname{positive}\left(x\right)",
        r"\lambda_{x} \mathrel{+}= {\left(\frac{\partial z}{\partial x}\right)}^{\top} \lambda",
    ]


def test_every_primitive_has_a_rule_that_typesets() -> None:
    rng = np.random.default_rng(0)
    own = [op for op in PRIMITIVES.values() if not op.foreign]  # other tests leave theirs behind
    assert len(own) > 100
    for op in own:
        for args, params in op.samples(rng)[:1]:
            lines = rule(op, [None] * len(args), params)
            assert len(lines) <= 1 + len(args), op
            for line in lines:
                assert tree_of(f"<math>{line.mathml()}</math>")[0] == "math" and line.latex()


def test_formulas_hold_no_markup_but_their_own() -> None:
    assert tree_of('<math><mtd style="text-align: left; padding-left: 2em"><mi>x</mi></mtd></math>')
    for bad in ("<math><script>1</script></math>", "<math><mi><a href='x'>y</a></mi></math>"):
        with pytest.raises(ValueError, match="no element of a formula"):
            tree_of(bad)
    with pytest.raises(ValueError, match="no style of a formula"):
        tree_of('<math><mi style="background: url(x)">x</mi></math>')
    assert tree_of('<math onclick="alert(1)"><mi>x</mi></math>') == ["math", {}, ["mi", {}, "x"]]


def test_the_lagrangian_is_beside_the_picture_where_there_is_one() -> None:
    lagrangian = data_of(ad.draw(network(1)).html())["lagrangian"]
    assert lagrangian[0] == "math"
    with ad.Tape() as tape:
        tape.parameter(np.ones(2))
    assert data_of(ad.draw(tape).html())["lagrangian"] is None


def test_the_command_line_writes_pages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "g.html"
    assert main(["draw", "tests.render.test_page:two_layers", "-o", str(target)]) == 0
    assert target.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert "g.html: " in capsys.readouterr().out


def two_layers() -> Any:
    return network(2)


def test_script_and_style_are_small() -> None:
    texts = dict(Parts(ad.draw(network(1)).html()).raw)
    assert len(texts["script"].encode()) + len(texts["style"].encode()) <= 60_000


def test_the_data_has_every_node_edge_and_group() -> None:
    picture = ad.draw(network(12))
    data = data_of(picture.html())
    assert [row[0] for row in data["nodes"]] == [node.number for node in picture.graph.nodes]
    assert len(data["edges"]) == len(picture.graph.edges)
    names = {data["texts"][group[0]] for group in data["groups"]}
    assert "layer0 … layer11" in names
    titles = [data["texts"][box[1]] for box in data["boxes"]]
    assert "layer0…11/h × 12" in titles
