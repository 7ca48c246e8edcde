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

import adjoint as ad


def network(layers: int, depth: int = 8) -> Any:
    rng = np.random.default_rng(0)
    with ad.Tape() as tape:
        h = x = tape.input(rng.normal(size=(5, depth)), name="x")
        weights = tape.parameter([rng.normal(size=(depth, depth)) / 3 for _ in range(layers)], name="W")
        for k, w in enumerate(weights):
            with ad.scope(f"layer{k}"):
                h = ad.name(np.tanh(h @ w), "h") + x
        return ad.name(np.mean(h**2), "loss")


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
