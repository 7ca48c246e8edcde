"""The page in a real browser: what a person does with mouse, fingers and keys, and what is seen then."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.render.graph import View
from adjoint.render.views import heat_ends
from adjoint.text import clean

from .browser import Opened, launched
from .test_draw import HOSTILE, network
from .test_subjects import problem

Open = Callable[..., Opened]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as running:
        yield running


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Open pictures; at the end each must have said nothing and asked for nothing."""
    opened: list[Opened] = []

    def open_picture(picture: ad.Picture, **options: Any) -> Opened:
        opened.append(Opened(browser, tmp_path / f"{len(opened)}.html", picture.html(), **options))
        return opened[-1]

    yield open_picture
    for page in opened:
        page.close()


def scale_of(page: Opened) -> float:
    return float(re.findall(r"scale\(([\d.e-]+)\)", page.page.get_attribute("#world", "transform"))[0])


def arrows_of(view: View) -> list[tuple[str, str, bool]]:
    ends = [(view.boxes[a.source].id, view.boxes[a.target].id, a) for a in view.arrows if a.side != "pair"]
    return sorted((source, target, arrow.carried) for source, target, arrow in ends)


def nested(parts: int = 4, steps: int = 30) -> Any:
    with ad.Tape() as tape:
        x = tape.parameter(0.5, name="x")
        for part in range(parts):
            with ad.scope(f"part{'abcd'[part]}"):
                for k in range(steps):
                    with ad.scope("inner"):
                        x = [np.sin, np.tanh, np.cos, np.arctan][(k * k + part + k // 3) % 4](x) * (k + 1.5)
        return ad.name(x * 1.0, "loss")


def tangled(count: int) -> Any:
    rng = np.random.default_rng(0)
    with ad.Tape() as tape:
        values = list(tape.parameter([0.1, 0.2, 0.3], name="x"))
        for a, b, c in rng.integers(0, 10**6, (count, 3)):
            x, y = values[-1 - a % min(len(values), 30)], values[-1 - b % min(len(values), 30)]
            values.append(
                x + y if c % 4 == 0 else np.sin(x) if c % 4 == 1 else x * y if c % 4 == 2 else np.tanh(y)
            )
        return ad.name(sum(values[-20:]), "loss")


def loops() -> Any:
    with ad.Tape() as tape:
        x = tape.parameter(0.5, name="x")
        for _ in range(40):
            x = np.sin(x)
        for _ in range(40):
            for _ in range(10):
                x = np.sin(x) * 1.1
            x = np.exp(-x)
        return x


def overflowing() -> Any:
    with ad.Tape() as tape, np.errstate(all="ignore"):
        x = tape.parameter([1.0, 2.0, 0.5], name="x")
        return ad.name(x[0] * 1e200 * 1e200 + x[1] * 3.0 + x[2] * 1e-9, "loss")


PICTURES: dict[str, Callable[[], ad.Picture]] = {
    "repeats": lambda: ad.draw(network(12)),
    "flat": lambda: ad.draw(network(5), fold=False),
    "loops": lambda: ad.draw(loops()),
    "scopes": lambda: ad.draw(nested(), limit=20),
    "scopes to the right": lambda: ad.draw(nested(), limit=40, expand="parta/*", direction="right"),
    "stretches": lambda: ad.draw(tangled(600)),
    "λ not finite": lambda: ad.draw(overflowing(), fold=False),
    "problem": lambda: ad.draw(problem()),
    "solution": lambda: ad.draw(problem().solve(np.ones(3))),
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_first_view_is_that_of_the_other_formats(name: str, show: Open) -> None:
    """The script folds by itself; `views.py` is the witness."""
    picture = PICTURES[name]()
    page = show(picture)
    view = picture.view
    assert page.ids() == {box.id for box in view.boxes}
    assert page.arrows() == arrows_of(view)
    titles = page.page.eval_on_selector_all(".boxes > .box > .title", "all => all.map(t => t.textContent)")
    document = json.loads(picture.json())
    assert sorted(titles) == sorted(box["title"] for box in document["view"]["boxes"])
    heats = page.page.eval_on_selector_all(
        ".boxes > .box", "all => all.map(b => [b.dataset.id, Number(b.style.getPropertyValue('--heat'))])"
    )
    assert dict(heats) == pytest.approx({box.id: box.heat or 0.0 for box in view.boxes}, abs=1e-4)
    if heat_ends(view.boxes) is not None:
        low, high = page.text("#low").rpartition(" ≤ ")[2], page.text("#high")
        read = [float(text.replace("−", "-")) for text in (low, high)]
        assert read == pytest.approx(heat_ends(view.boxes), rel=6e-3)


GEOMETRY = """() => {
  const box = (e) => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; };
  return {
    boxes: [...document.querySelectorAll(".boxes > .box > .plate:last-of-type")].map(box),
    clusters: [...document.querySelectorAll(".clusters > .cluster > .outline:last-of-type")].map(box),
    ends: [...document.querySelectorAll(".arrow .shaft")].map((p) => {
      const m = p.getScreenCTM(), n = p.getTotalLength();
      const ends = [p.getPointAtLength(0), p.getPointAtLength(n)].map((q) => q.matrixTransform(m));
      return ends.map((q) => [q.x, q.y]);
    }),
  };
}"""


@pytest.mark.parametrize("name", [name for name in PICTURES if name != "stretches"])
def test_boxes_do_not_overlap_and_arrows_begin_and_end_at_them(name: str, show: Open) -> None:
    page = show(PICTURES[name]())
    page.press("e", "f")
    seen = page.page.evaluate(GEOMETRY)
    boxes = np.array(seen["boxes"])
    scale = scale_of(page)
    for a, (left, top, right, bottom) in enumerate(boxes):
        others = np.delete(boxes, a, axis=0)
        overlap = (
            (others[:, 0] < right) & (others[:, 2] > left) & (others[:, 1] < bottom) & (others[:, 3] > top)
        )
        assert not overlap.any(), (name, a)
        for outline in seen["clusters"]:  # inside or outside, never across
            inside = left > outline[0] and right < outline[2] and top > outline[1] and bottom < outline[3]
            apart = left > outline[2] or right < outline[0] or top > outline[3] or bottom < outline[1]
            assert inside or apart
    assert len(seen["ends"]) == len(page.arrows())
    for ends in seen["ends"]:
        for x, y in ends:
            outside = np.stack([boxes[:, 0] - x, x - boxes[:, 2], boxes[:, 1] - y, y - boxes[:, 3]])
            assert np.abs(outside.max(axis=0)).min() < 9 * scale, name  # at the border of one


def test_a_click_opens_a_group_and_a_click_on_its_title_closes_it(show: Open) -> None:
    page = show(ad.draw(nested(), limit=20))
    before = page.ids()
    page.click(".box.role-group .sign")
    opened = page.ids()
    assert len(opened) > len(before) and "× " not in page.text("#caption")
    assert page.page.locator(".header[aria-expanded=true]").count() >= 1
    page.click(".header", position={"x": 12, "y": 12})
    closed = page.ids()
    assert len(closed) < len(opened)
    page.click("#open")
    everything = ad.draw(nested(), limit=10_000)
    assert page.ids() == {box.id for box in everything.view.boxes}
    page.click("#first")
    assert page.ids() == before


def test_search_steps_through_results_and_opens_what_hides_them(show: Open) -> None:
    page = show(ad.draw(nested(), limit=20))
    assert "loss" in page.text(".boxes")
    page.press("/")
    page.page.keyboard.type("multiply")
    expected = sum(node.operation == "multiply" for node in ad.draw(nested()).graph.nodes)
    assert page.text("#found") == str(expected)
    page.press("Enter")
    assert page.text("#found") == f"1 of {expected}" and "multiply" in page.text("#panel .kind")
    first = page.text("#panel .kind")
    page.press("Enter")
    assert page.text("#found") == f"2 of {expected}" and page.text("#panel .kind") != first
    page.press("Shift+Enter")
    assert page.text("#panel .kind") == first
    assert page.page.locator(".box.selected").count() == 1
    page.page.fill("#query", "np.arctan][(k * k")  # the text of the user's line
    assert page.text("#found").isdigit()
    page.page.fill("#query", "test_page_in_browser.py:")
    assert page.text("#found") == str(len(ad.draw(nested()).graph.nodes))
    page.page.fill("#query", "no such thing")
    assert page.text("#found") == "none"
    page.press("Escape", "n")


def test_everything_by_keys(show: Open) -> None:
    page = show(ad.draw(nested(), limit=20))
    before = page.ids()
    page.page.focus("#picture")
    page.press("ArrowDown", "ArrowDown")
    focused = "document.activeElement.dataset.id"
    first = page.page.evaluate(focused)
    assert first in before
    assert (
        page.page.evaluate("getComputedStyle(document.activeElement.querySelector('.plate')).strokeWidth")
        == "3.4px"
    )
    for _ in range(12):
        if page.page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "false":
            break
        page.press("]")
    page.press("Enter")
    assert len(page.ids()) > len(before)
    page.press("Backspace")
    assert page.ids() == before
    page.press("[", "]", "Enter", "i")
    page.press("?")
    assert page.page.locator("#keys").is_visible() and "Backspace" in page.text("#keys")
    page.press("Escape")
    assert not page.page.locator("#keys").is_visible()
    scale = page.page.get_attribute("#world", "transform")
    page.press("+", "w", "a")
    assert page.page.get_attribute("#world", "transform") != scale
    page.press("e")
    assert len(page.ids()) > len(before)
    page.press("r")
    assert page.ids() == before


def test_every_control_has_a_name_and_every_box_a_label(show: Open) -> None:
    page = show(ad.draw(network(12)))
    names = page.page.eval_on_selector_all(
        "button", "all => all.map(b => b.ariaLabel || b.textContent.trim())"
    )
    assert all(names) and "?" not in [name for name in names if not name]
    labels = page.page.eval_on_selector_all(
        ".box", "all => all.map(b => [b.getAttribute('role'), b.ariaLabel])"
    )
    assert all(role == "button" and "‖" in label for role, label in labels[:3])
    tabbable = page.page.eval_on_selector_all(".box[tabindex='0']", "all => all.length")
    assert tabbable == 0 and page.page.get_attribute("#picture", "tabindex") == "0"


def test_the_side_panel_says_what_is_known(show: Open) -> None:
    loss = network(12)
    picture = ad.draw(loss)
    page = show(picture)
    title = page.page.locator(".boxes > .box", has_text="layer0…11/h × 12")
    title.click()
    page.settle()
    panel = page.page.locator("#panel")
    h = next(node for node in picture.graph.nodes if node.name.endswith("h"))
    assert h.z is not None and h.lam is not None
    assert page.text("#panel h2") == "layer0/h" and "layer0" in page.text("#panel .path")
    assert page.text("#panel code") == 'h = ad.name(np.tanh(h @ w), "h") + x'
    assert re.search(r"test_draw.py:\d+", page.text("#panel figcaption"))
    rows = page.page.eval_on_selector_all(
        "#panel .numbers tbody tr", "all => all.map(r => [...r.children].map(c => c.textContent))"
    )
    norm = next(row for row in rows if row[0] == "norm")
    read = [float(text.replace("−", "-")) for text in norm[1:]]
    assert read == pytest.approx([h.z.norm, h.lam.norm], rel=1e-5)
    assert page.page.locator("#panel svg.histogram").count() == 2
    assert "320 B" in panel.inner_text() and "5×8 float64" in panel.inner_text()
    page.click("#panel button[aria-label='Next turn']")
    assert page.text("#panel h2") == "layer1/h"
    page.click("#panel .edges button")  # the first operand, which is a box like any other
    assert page.text("#panel h2") == "matmul" and page.page.locator(".box.selected").count() == 1
    edge = next(c for p, i, c in picture.graph.edges if i == int(page.text("#panel .kind").split()[-1]))
    assert edge is not None
    page.press("i", "Escape")
    assert not panel.is_visible()


def test_zoom_at_the_pointer_drag_and_fit(show: Open) -> None:
    page = show(ad.draw(network(12)))
    box = page.page.locator(".boxes > .box", has_text="loss").first
    before = box.bounding_box()
    page.page.mouse.move(before["x"] + 5, before["y"] + 5)
    page.page.mouse.wheel(0, -300)
    page.settle()
    after = box.bounding_box()
    assert after["width"] / before["width"] == pytest.approx(np.exp(0.5), rel=0.02)
    # the point below the pointer stays there
    assert after["x"] + 5 * np.exp(0.5) == pytest.approx(before["x"] + 5, abs=1.5)
    page.page.mouse.move(640, 300)
    page.page.mouse.down()
    page.page.mouse.move(600, 350, steps=3)
    page.page.mouse.up()
    page.settle()
    moved = box.bounding_box()
    assert (moved["x"] - after["x"], moved["y"] - after["y"]) == pytest.approx((-40, 50), abs=1)
    assert not page.page.locator("#panel").is_visible()  # a drag is no click
    page.click("#fit")
    stage = page.page.locator("#stage").bounding_box()
    for shown in page.page.locator(".boxes > .box").all():
        place = shown.bounding_box()
        assert stage["x"] <= place["x"] and place["y"] + place["height"] <= stage["y"] + stage["height"]


def test_two_fingers_zoom_and_the_panel_is_below_on_a_telephone(show: Open) -> None:
    page = show(ad.draw(network(12)), viewport={"width": 390, "height": 844}, has_touch=True)
    before = scale_of(page)
    session = page.context.new_cdp_session(page.page)
    for kind, spread in (("touchStart", 40), ("touchMove", 60), ("touchMove", 80), ("touchEnd", 0)):
        points = (
            [{"x": 195 - spread, "y": 400, "id": 0}, {"x": 195 + spread, "y": 400, "id": 1}] if spread else []
        )
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.settle()
    assert scale_of(page) / before == pytest.approx(2, rel=0.05)
    page.click("#fit")
    page.page.locator(".boxes > .box", has_text="loss").first.tap()
    page.settle()
    panel = page.page.locator("#panel").bounding_box()
    assert panel["width"] == 390 and panel["y"] > 350
    wide = page.page.evaluate("document.documentElement.scrollWidth")
    assert wide == 390


def test_light_and_dark(show: Open) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    picture = ad.draw(network(3))
    light, dark = show(picture, color_scheme="light"), show(picture, color_scheme="dark")
    colors = light.page.evaluate(paper), dark.page.evaluate(paper)
    assert colors[0] != colors[1]
    light.press("t")
    assert light.page.evaluate(paper) == colors[1]
    dark.click("#theme")
    assert dark.page.evaluate(paper) == colors[0]


def test_print_is_the_plain_picture(show: Open) -> None:
    picture = ad.draw(nested(), limit=20)
    page = show(picture, color_scheme="dark")
    page.press("/", "Escape")
    pdf = page.page.pdf(format="A4")
    assert pdf.count(b"/Type /Page\n") == 1 or len(re.findall(rb"/Type\s*/Page[^s]", pdf)) == 1
    page.page.emulate_media(media="print")
    for hidden in ("#tools", "#finder", "#panel"):
        assert not page.page.locator(hidden).is_visible()
    assert page.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.page.evaluate("getComputedStyle(document.body).color") == "rgb(23, 32, 42)"
    assert page.page.locator("#title").is_visible() and page.page.locator("#caption").is_visible()
    page.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.page.locator("#picture").get_attribute("viewBox")
    assert len(page.ids()) == len(picture.view.boxes)
    page.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.page.locator("#picture").get_attribute("viewBox") is None


def test_hostile_labels_are_texts(show: Open) -> None:
    with ad.Tape() as tape:
        total: Any = 0.0
        for k, label in enumerate(HOSTILE):
            with ad.scope(label.replace("/", "|").replace("#", "+") + "!"):
                w = tape.parameter(2.0 + k, name=label.replace("#", "+"))
                total = total + np.sin(w) * w
        loss = ad.name(total, "{{script}} {{data}}")
    picture = ad.draw(loss, fold=False)
    page = show(picture)
    assert page.page.evaluate("document.scripts.length") == 2
    titles = set(page.page.eval_on_selector_all(".box > .title", "all => all.map(t => t.textContent)"))
    assert {clean(label.replace("#", "+"), 36) for label in HOSTILE} <= titles
    assert "{{script}} {{data}}" in titles
    shown = "".join(titles) + page.page.inner_text("body")
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x1b]", shown)
    for _ in range(len(HOSTILE) // 4):
        page.press("]", "Enter")
    page.page.fill("#query", "</script>")
    page.page.fill("#query", "(.*[")
    page.press("Escape")


def test_the_policy_stops_what_was_not_written_by_us(browser: Any, tmp_path: Path) -> None:
    page = Opened(browser, tmp_path / "page.html", ad.draw(network(1)).html())
    stopped = page.page.evaluate(
        "() => { try { document.body.innerHTML = '<b>x</b>'; } catch (e) { return e.name; } }"
    )
    assert stopped == "TypeError"
    page.page.evaluate(
        "() => { const s = document.createElement('style'); s.textContent = 'body{opacity:0}';"
        " document.head.append(s); }"
    )
    assert page.page.evaluate("getComputedStyle(document.body).opacity") == "1"
    page.page.evaluate("() => fetch('http://127.0.0.1:9/').catch(() => 0)")
    assert any("Content Security Policy" in said for said in page.said)
    page.context.close()


def test_above_two_thousand_boxes_only_what_is_in_view_is_drawn(show: Open) -> None:
    loss = tangled(4000)
    picture = ad.draw(loss, fold=False)
    assert len(picture.view.boxes) > 2000
    page = show(picture)
    page.press("f")
    assert len(page.ids()) == 0 and page.page.locator(".plain").count() == 7  # as plain rectangles
    page.page.fill("#query", "loss")
    page.press("Enter")
    drawn = page.ids()
    assert 0 < len(drawn) < 2000 and f"n{picture.graph.nodes[-1].number}" in drawn
    page.press("Escape", "w", "w", "w", "w", "w", "w", "w", "w", "w", "w", "w", "w", "w", "w", "w", "w")
    assert page.ids() != drawn


def test_the_adjoint_sweep_mirrored(show: Open) -> None:
    picture = ad.draw(network(4), adjoint=True)
    page = show(picture)
    view = picture.view
    assert page.ids() == {box.id for box in view.boxes}
    assert page.arrows() == arrows_of(view)
    places = {
        box.get_attribute("data-id"): box.bounding_box() for box in page.page.locator(".boxes > .box").all()
    }
    program = {id: place for id, place in places.items() if not id.startswith("l")}
    assert all(place["y"] == pytest.approx(places[f"l{id}"]["y"], abs=6) for id, place in program.items())
    middle = max(place["x"] + place["width"] for place in program.values())
    assert all(places[f"l{id}"]["x"] > middle for id in program)
    page.press("m")
    assert page.ids() == {box.id for box in ad.draw(network(4)).view.boxes}
    plain = show(ad.draw(problem()))
    assert not plain.page.locator("#mirror").is_visible()  # no multipliers


def test_the_lagrangian_and_the_rules_are_typeset(show: Open) -> None:
    page = show(ad.draw(network(2), fold=False))
    assert not page.page.locator("#formula").is_visible()
    page.press("l")
    assert page.text("#formula math").startswith("ℒ(z,W,λ)=loss")
    place = page.page.locator("#formula math").bounding_box()
    assert place["height"] > 60  # typeset in rows
    assert page.page.eval_on_selector("#formula mtd", "cell => getComputedStyle(cell).textAlign") == "right"
    below = page.page.locator("#picture").bounding_box()
    assert below["y"] >= place["y"] + 60  # beside the picture, not above it
    page.press("l")
    page.page.locator(".boxes > .box", has_text="matmul").first.click()
    page.settle()
    assert [e.text_content() for e in page.page.locator("#panel .math").all()] == [
        "z=xy",
        "λx+=λy⊤",
        "λy+=x⊤λ",
    ]
    assert not show(ad.draw(tangled(5).tape)).page.locator("#typeset").is_visible()


def test_no_layout_program_is_needed(monkeypatch: pytest.MonkeyPatch, show: Open) -> None:
    from adjoint.render import layout

    monkeypatch.setattr(layout, "system_dot", lambda: None)
    monkeypatch.setattr(layout, "pure_dot", lambda: None)
    picture = ad.draw(network(3))
    with pytest.raises(ad.LayoutError, match="no layout program"):
        picture.svg()
    assert len(show(picture).ids()) == len(picture.view.boxes)
