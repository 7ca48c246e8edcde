"""The report: its words and numbers are the alignment's, its curves have slope −λ, its page stands alone."""

from __future__ import annotations

import dataclasses
import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from adjoint.models.alignment import Alignment, Report, Scores, Status, align, explain
from adjoint.models.alignment.charts import Estimate, Move, Series, histogram, intervals, moves, plot
from adjoint.models.alignment.page import page
from adjoint.models.alignment.report import levels_around
from adjoint.models.alignment.sections import Drawing, Grid, Section, Words, minus
from adjoint.models.base import DataError

from .samples import random_scores

SCORES = random_scores(0, 200, least=2)


# functions: every process of a run collects this file, and one of them runs it
@cache
def solved() -> Alignment:
    return align(SCORES, beta=0.5, constraints=["a>=0.3", "b>=-5"], bootstrap=30, random_state=0)


@cache
def relative() -> Alignment:
    return align(SCORES, beta=0.5, constraints="a>=0.2 relative")


@cache
def budget() -> Alignment:
    return align(SCORES, kl_budget=0.2, constraints="a>=0.3")


@cache
def infeasible() -> Alignment:
    return align(SCORES, beta=0.5, constraints=["a>=0.9", "b>=0.9"])


@cache
def free() -> Alignment:
    return align(SCORES, beta=0.5)


@pytest.fixture
def alignment(request: pytest.FixtureRequest) -> Alignment:
    return request.param()


def report(alignment: Any, **options: Any) -> Report:
    return Report.of(alignment, reward="helpful", subject="scores.jsonl", **{"levels": 6} | options)


def test_the_text_states_the_answer_and_why_to_believe_it() -> None:
    text = report(solved()).text()
    lam = solved().multipliers["a"]
    assert f"Solved. Align with the reward  helpful + {lam:.4g}·a  and KL weight β = 0.5." in text
    assert f"• a ≥ 0.3 binds: λ = {explain.with_error(lam, solved().standard_errors['a'])}." in text
    assert "• b ≥ -5 holds by itself" in text
    for words in (
        "prompts below",
        "s.e. bootstrap",
        "duality gap",
        "λ = −slope",
        "← chosen",
        "log K",
        "dλ/db",
    ):
        assert words in text
    assert max(len(line) for line in text.splitlines()) <= 120
    assert "\n\n\n" not in text


def test_every_diagnostic_is_explained_and_every_warning_shown() -> None:
    single = Scores.ragged([[1.0], [0.0, 1.0]], {"a": [[0.0], [1.0, 0.0]]}, log_base=[[0.0], [0.0, -9.0]])
    for alignment in (solved(), relative(), budget(), align(single, beta=0.01, constraints="a>=0.1")):
        assert {d.name for d in alignment.diagnostics} <= set(explain.MEANINGS)
        flat = " ".join(report(alignment).text().split()).replace("! ", "")
        for warning in alignment.warnings:
            assert warning[1:] in flat
    assert align(single, beta=0.01, constraints="a>=0.1").warnings


def test_verdicts_that_are_not_solved_say_so_first() -> None:
    assert (
        report(infeasible()).text().splitlines()[2].startswith("Infeasible. No policy over these responses")
    )
    stuck = Scores.dense([[0.0, 1.0]], {"a": [[0.5, 0.5]]})
    lines = report(align(stuck, beta=1.0, constraints="a>=0.5")).text()
    assert lines.splitlines()[2].startswith("Not to be used as it is: feasible, but no policy")
    assert "no constraints" in report(free()).text().lower()
    bought = align(SCORES, kl_budget=0.2)
    assert f"There are none. dP*/dκ = β = {bought.beta:.4g}." in report(bought).text()
    one = report(align(Scores.dense([[1.0]], {}), beta=1.0)).text()
    assert "From 1 prompt with 1 response each. No constraints" in one
    odd = dataclasses.replace(solved(), status=Status.STOPPED)
    assert "within 1e8 of the reward's?" in " ".join(report(odd).text().split())


def test_a_level_at_the_edge_of_the_possible_is_said_to_be() -> None:
    rng = np.random.default_rng(0)
    helpful, safe = rng.normal(size=(2, 200, 6))
    most = float(np.mean(np.max(safe, axis=1)))
    scores = Scores.dense(helpful, {"safe": safe})
    found = align(scores, beta=0.1, constraints=f"safe>={most - 1e-4}", bootstrap=20, random_state=0)
    text = " ".join(report(found).text().split())
    assert "which is hardly known: the level is near the most that these responses allow" in text
    assert f"resamples of the prompts; {found.bootstrap.failed} more cannot keep the limits." in text
    assert any("do not train with it" in warning for warning in found.warnings)
    sure = align(scores, beta=0.5, constraints="safe>=0.3")
    assert "hardly known" not in report(sure).text()


def test_infeasible_levels_are_told_apart() -> None:
    assert "Each level is within reach alone; together they are not." in " ".join(
        report(infeasible()).text().split()
    )
    alone = align(SCORES, beta=0.5, constraints=["a>=9", "b>=0"])
    assert "Even alone, a cannot reach its level." in " ".join(report(alone).text().split())


@pytest.mark.parametrize("alignment", [solved, relative, budget], indirect=True)
def test_curves_have_the_slope_minus_lambda(alignment: Any) -> None:
    """By central differences of P* over close levels, with an error that falls as their square."""
    b = next(one.level for one in alignment.constraints if one.name == "a")
    errors = []
    for h in (0.04, 0.02):
        curve = alignment.pareto("a", [b - h, b, b + h])
        slope = (curve.objective[2] - curve.objective[0]) / (2 * h)
        errors.append(abs(slope + curve.multiplier[1]))
        assert curve.multiplier[1] == pytest.approx(alignment.multipliers["a"], rel=1e-6)
    assert errors[1] < 1e-3 and np.log2(errors[0] / errors[1]) > 1.7


def test_levels_above_the_reference_stand_beside_what_is_above_it() -> None:
    rows = [line.split() for line in report(relative()).text().splitlines() if "← chosen" in line]
    assert rows[0][:4] == ["0.2", "←", "chosen", "0.2"]


@pytest.mark.parametrize("alignment", [solved, relative, budget], indirect=True)
def test_levels_are_round_rise_and_hold_the_chosen_one(alignment: Any) -> None:
    own = next(one.level for one in alignment.constraints if one.name == "a")
    levels = levels_around(alignment, "a", 9)
    assert own in levels and (np.diff(levels) > 0).all() and 5 <= len(levels) <= 14
    assert all(len(f"{level:.12g}") <= 6 for level in levels)
    curve = alignment.pareto("a", levels)
    assert curve.multiplier[0] <= 1e-9 and np.isfinite(curve.objective).sum() >= len(levels) - 3


def test_rounding_is_shown_as_zero() -> None:
    """At level 0 the average is 0 but for rounding; the certificate alone shows what is left."""
    rng = np.random.default_rng(0)
    scores = Scores.dense(rng.normal(size=(50, 4)), {"a": rng.normal(size=(50, 4))})
    for limit in ("a>=0", "a>=0 relative"):
        found = align(scores, beta=0.5, constraints=limit)
        grids = [
            block.text()
            for section in report(found).sections() if section.title != "Is this the optimum?"
            for block in section.blocks if isinstance(block, Grid)
        ]  # fmt: skip
        drawn = [
            block.svg for s in report(found).sections() for block in s.blocks if isinstance(block, Drawing)
        ]
        row = next(line for line in repr(found).splitlines() if line.startswith("  a ≥ 0"))
        for text in (*grids, *drawn, row, repr(found.pareto("a", [-0.1, 0.0, 0.1]))):
            assert not re.search(r"\de-\d|-0(?![.\d])", text), text


def test_names_of_several_lines_keep_tables_whole() -> None:
    rows = Grid(["name", "is"], [["a\nb\x1b", "1"], ["abc", "22"]]).text().splitlines()
    assert rows[2:] == ["a b    1", "abc   22"]


def test_no_curves_when_none_are_wanted_and_one_level_is_none() -> None:
    assert "What other levels would cost" not in report(solved(), levels=0).text()
    with pytest.raises(DataError, match=r"levels should be 0 \(no curves\) or a number ≥ 2, got 1"):
        report(solved(), levels=1)


def test_json_has_every_number() -> None:
    found = json.loads(report(solved()).json())
    assert found["format"] == "adjoint.alignment" and found["status"] == "solved"
    first = found["constraints"][0]
    assert (
        first["multiplier"] == solved().multipliers["a"] and first["share_below"] == solved().share_below["a"]
    )
    assert found["certificate"]["gap"] == solved().certificate.gap
    np.testing.assert_array_equal(found["level_response"]["matrix"], solved().level_response)
    np.testing.assert_array_equal(found["covariance"], solved().covariance)
    assert found["value_response"] == solved().value_response
    assert found["pareto"][0]["multiplier"] == pytest.approx(report(solved()).curves["a"].multiplier.tolist())
    assert len(found["diagnostics"]) == len(solved().diagnostics)
    assert json.loads(report(infeasible()).json())["infeasibility"]["nearest"].keys() == {"a", "b"}
    assert "NaN" not in report(infeasible()).json() and "Infinity" not in report(infeasible()).json()


# ------------------------------------------------------------------------------------------------ the page
class Balanced(HTMLParser):
    """Collects text and tags, and fails on a tag that is not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [v or "" for k, v in attrs if k in ("src", "href", "action", "data")]
        assert not any(k.startswith("on") for k, _ in attrs)
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def read_page(html: str) -> Balanced:
    found = Balanced()
    found.feed(html)
    assert not found.open
    return found


def test_lists_headings_and_columns_of_sentences() -> None:
    listed, mixed, heading = Words("• a<b\n• c"), Words("of these:\n• c"), Words("β = 1", "heading")
    grid = Grid(["who", "what"], [["a", "a sentence that wants some width"]])
    html = page("t", [Section("s", [listed, mixed, heading, grid, grid._replace(numbers=())])])
    read_page(html)
    assert "<ul><li>a&lt;b</li>\n<li>c</li></ul>" in html and '<p class="plain">of these:\n• c</p>' in html
    assert "<h3>β = 1</h3>" in html
    assert "<th>who</th><th class=number>what</th>" in html and "<th>who</th><th class=long>what</th>" in html


def test_an_axis_has_the_marks_that_are_asked_for() -> None:
    x, y = np.log10([0.1, 0.5, 1.0]), np.array([1.0, 2.0, 3.0])
    svg = plot([Series(x, y)], "β", "λ", "t", x_ticks=[(x[0], "0.1"), (x[2], "<1>")])
    said = re.findall(r'text-anchor="middle">([^<]*)</text>', svg)
    assert said == ["0.1", "&lt;1&gt;", "β", "λ"]
    assert "−0.8" in plot([Series(x, y)], "β", "λ", "t")


@pytest.mark.parametrize(
    "alignment",
    [solved, relative, budget, infeasible, free],
    indirect=True,
)
def test_the_page_stands_alone_and_says_what_the_text_says(alignment: Any) -> None:
    made = report(alignment)
    html = made.html()
    found = read_page(html)
    assert "script" not in found.tags and not found.links and "url(" not in html and "@import" not in html
    assert "default-src 'none'" in html
    squeezed = re.sub(r"\s+", " ", found.text)
    for section in made.sections():
        assert minus(section.title) in found.text
        for block in section.blocks:
            if isinstance(block, explain.Words):
                plain = re.sub(
                    "^• ", "", block.text, flags=re.MULTILINE
                )  # the marks of a list are the page's
                assert minus(re.sub(r"\s+", " ", plain)) in squeezed
    for svg in re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL):
        tree = ElementTree.fromstring(svg)
        assert tree.attrib["aria-label"]
        numbers = [
            v for e in tree.iter() for k, v in e.attrib.items() if k in ("x", "y", "cx", "cy", "width")
        ]
        assert numbers and all(np.isfinite(float(v)) for v in numbers)


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a & b",
    "x" * 300,
    "\u202egnp.exe",
    "日本",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_and_nothing_else(name: str) -> None:
    scores = Scores(SCORES.offsets, SCORES.reward, {name: SCORES.utilities["a"]})
    made = Report.of(
        align(scores, beta=0.5, constraints=[explain.Constraint(name, 0.3)]),
        reward=name,
        subject=name,
        levels=4,
    )
    found = read_page(made.html())
    assert not {"script", "img"} & set(found.tags)
    steering = "\u202e\x1b"
    assert name.lstrip(steering) in found.text and not set(steering) & set(found.text + made.text())
    assert json.loads(made.json())["constraints"][0]["name"] == name
    for section in made.sections():
        for block in section.blocks:
            if isinstance(block, explain.Drawing) and block.svg:
                ElementTree.fromstring(block.svg)


def test_drawings_of_what_hardly_varies() -> None:
    """One value, equal values, huge and tiny ones: no division by zero, nothing outside the frame."""
    one = np.array([3.0])
    for values in (one, np.full(5, 1e9), np.array([1e-12, 2e-12]), np.array([-1e6, 1e6])):
        assert "nan" not in histogram(values, "x", "t", 3.0, "w") + histogram(values, "x", "t")
        assert "nan" not in plot([Series(values, values)], "x", "y", "t")
    assert "nan" not in moves([Move("a", 1.0, 1.0, None), Move("b", 0.0, 0.0, 0.0)], "t")
    assert "nan" not in intervals(
        [Estimate("a", 0.0, 0.0, None), Estimate("b", 1.0, float("inf"), None)], "t"
    )
    assert plot([Series(one, np.array([np.nan]))], "x", "y", "t") == ""


@pytest.mark.slow
def test_a_page_in_a_browser(tmp_path: Path) -> None:
    """Its style is let in by its own policy, nothing is fetched, nothing sticks out on a narrow screen."""
    sync = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
    chromium = Path("/usr/bin/chromium")
    if not chromium.exists():
        pytest.skip("no /usr/bin/chromium")
    path = tmp_path / "report.html"
    path.write_text(report(solved()).html(), encoding="utf-8")
    with sync.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(chromium), args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 390, "height": 800})
        asked: list[str] = []
        complaints: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("console", lambda message: complaints.append(message.text))
        tab.goto(path.as_uri())
        look = "getComputedStyle(document.body).backgroundColor"
        light = tab.evaluate(look)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390
        tab.emulate_media(color_scheme="dark")
        assert light == "rgb(255, 255, 255)" and tab.evaluate(look) != light
        assert tab.pdf().startswith(b"%PDF")
        browser.close()
    assert asked == [path.as_uri()] and not complaints
