"""The road of example 18 on a text and with scorers of our own: no network, nothing to install."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adjoint.errors import MissingPackageError

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

arguments = importlib.import_module("language.arguments")
text = importlib.import_module("language.text")
scorers = importlib.import_module("language.scorers")
settings = importlib.import_module("language.settings")
experiment = importlib.import_module("language.experiment")
page = importlib.import_module("language.page")
tables = importlib.import_module("language.tables")
policies = importlib.import_module("language.policies")
results_of = importlib.import_module("language.results")

SHARP = {"charming": -1.0, "decent": -0.3, "dull": 0.6, "stupid": 1.0}  # and "stupid" is not polite
TEXTS = [  # 108 beginnings, for prompts are the first four words
    f"{this} {new} {film} {plot} is {word} from start to end."
    for this, new, film, plot, word in product(
        ("The", "This", "Our"), ("new", "old", "next"), ("film", "story", "drama"),
        ("plot", "cast", "music", "humor"), SHARP,
    )
]  # fmt: skip
CORPUS = text.Corpus(
    *([text.Sentence(t, -SHARP[t.split()[5]]) for t in part] for part in (TEXTS, TEXTS, TEXTS))
)
SETTINGS = settings.Settings(
    steps=150, units=16, least=1, betas=(0.5,), papers=(0.02,), practice=40, exam=40, k=6, exam_k=4, pairs=8,
    gradient_steps=30, rounds=3, round_steps=5, words=10, level=0.85, rate=0.1, batch=64, temperature=1.0,
)  # fmt: skip


def scorer(name: str, score: Any) -> Any:
    return scorers.Scorer(
        name, "ours", "1", "MIT", "by words", lambda texts: np.array([score(t) for t in texts])
    )


def sharp(sentence: str) -> float:
    return sum(SHARP.get(word, 0.0) for word in sentence.split()) + 0.02 * sentence.count("e")  # few ties


PANEL = scorers.Panel(
    scorer("sharp", sharp), scorer("clean", lambda t: 0.1 if "stupid" in t else 0.95),
    scorer("sharp 2", lambda t: "dull" in t), scorer("clean 2", lambda t: "stupid" not in t),
)  # fmt: skip
PANEL_NAMES = [one.name for one in PANEL]


@pytest.fixture(scope="module")
def results() -> Any:
    return experiment.run(SETTINGS, CORPUS, PANEL)


def test_the_limit_is_missed_without_it_and_kept_with_it(results: Any) -> None:
    (at,) = results.found
    free, iterative = at.row("free tilt"), at.row("iterative")
    assert not tables.met(free, SETTINGS.level) and at.alignment.multipliers["clean"] > 0
    assert tables.met(iterative, SETTINGS.level)
    before, after = results.reference.scores["sharp"], iterative.scores["sharp"]
    assert after.mean > before.mean + 2 * np.hypot(before.error, after.error)
    assert results.reference.kl.mean == 0 < iterative.kl.mean
    assert len(at.path) == SETTINGS.rounds and at.path[0].lam == at.alignment.multipliers["clean"]


def test_the_multiplier_moves_against_what_is_left_over(results: Any) -> None:
    (at,) = results.found
    lams = [one.lam for one in at.path]
    for before, after, one in zip(lams[:-1], lams[1:], at.path, strict=False):
        left = one.clean.mean - one.clean.error - SETTINGS.level
        assert np.sign(before - after) == np.sign(left) or after == 0.0
    assert lams[0] != lams[1]


def test_both_ways_of_training_move_towards_the_tilted_policy(results: Any) -> None:
    (at,) = results.found
    lam, level, before = at.alignment.multipliers["clean"], SETTINGS.level, results.reference

    def value(row: Any) -> float:
        scores = row.scores
        gain = scores["sharp"].mean + lam * (scores["clean"].mean - level)
        return float(gain - at.beta * row.kl.mean)

    for who in ("dpo", "gradient"):
        assert value(at.row(who)) > value(before) + 0.3 * (value(at.row("tilt")) - value(before))


def test_the_control_differs_from_the_iterative_policy_in_its_multiplier_alone(results: Any) -> None:
    (at,) = results.found
    longer, iterative = at.row("longer"), at.row("iterative")
    assert longer.lam == at.alignment.multipliers["clean"] != iterative.lam
    constant = replace(SETTINGS, level=0.0)  # does not bind: λ is 0 and stays 0, whatever comes out
    (at,) = experiment.run(constant, CORPUS, PANEL).found
    assert {one.lam for one in at.path} == {0.0}
    assert at.row("longer")._replace(who="") == at.row("iterative")._replace(who="")


def test_no_prompt_is_both_for_practice_and_for_the_exam() -> None:
    study = experiment.Study(replace(SETTINGS, steps=2), CORPUS, PANEL, lambda text: None)
    assert not {tuple(p) for p in study.practice} & {tuple(p) for p in study.exam}


def test_the_numbers_of_the_record_are_those_of_the_page(results: Any) -> None:
    kept = json.loads(json.dumps(results.record(), allow_nan=False))
    assert kept["found"][0]["rows"] and kept["prices"][1]["lam"] == results.papers[1].multipliers["clean"]
    assert shown(kept, page.markdown(results, PANEL, "language.png", "python"))


def test_the_docs_agree_with_their_numbers() -> None:
    folder = Path(__file__).parents[2] / "docs"
    kept = json.loads((folder / "language.json").read_text())
    written = (folder / "language.md").read_text()
    assert shown(kept, written)
    assert not shown(kept, written.replace("0.96", "0.97"))


def shown(kept: Any, written: str) -> bool:
    """Whether a page in Markdown has every row of the two tables that the record has."""
    rows = [f"| {p['beta']:g} | {p['lam']:.3f} ± {p['error']:.3f} |" for p in kept["prices"]]
    for at in kept["found"]:
        for row in (kept["reference"], *at["rows"]):
            scores = {name: results_of.Average(**row[name]) for name in PANEL_NAMES}
            lam = float("nan") if row["lam"] is None else row["lam"]
            of = results_of.Row(row["who"], lam, results_of.Average(**row["kl"]), scores)
            rows.append("| " + " | ".join(tables.cells(of, kept["settings"]["level"])) + " |")
    return all(row in written for row in rows)


def test_the_same_seed_gives_the_same_results(results: Any) -> None:
    again = experiment.run(SETTINGS, CORPUS, PANEL)
    assert again.found[0].rows == results.found[0].rows
    assert again.found[0].samples == results.found[0].samples
    assert again.found[0].path == results.found[0].path
    assert [one.warnings for one in again.papers] == [one.warnings for one in results.papers]


def test_the_page_says_what_was_found(results: Any) -> None:
    content = page.html(results, PANEL, "python examples/18_a_polite_critic.py")
    for words in ("Required: clean ≥ 0.85", "one-shot, DPO", "best of K", "Made by python examples/18"):
        assert words in content
    assert "nan" not in content.lower().replace("finance", "")
    begin = results.prompts[0]
    assert begin in content and content.count("<svg") >= 5
    written = page.markdown(results, PANEL, "language.png", "python examples/18_a_polite_critic.py")
    assert "| one-shot, DPO |" in written and "](language.png)" in written


def test_the_script_in_its_quick_form(tmp_path: Path) -> None:
    """On the real text with the real scorers, where they are to be had: pages and numbers are there."""
    script = Path(__file__).parents[2] / "examples" / "18_a_polite_critic.py"
    command = [sys.executable, "-W", "error", str(script), str(tmp_path), "--quick"]
    run = subprocess.run(command, capture_output=True, text=True)
    if "MissingText" in run.stderr or "MissingPackageError" in run.stderr:
        pytest.skip(f"no text, or nobody to judge it: {run.stderr.strip().splitlines()[-1].strip()}")
    assert run.returncode == 0, run.stderr
    last = run.stdout.strip().splitlines()[-1]
    assert last.startswith("check: ") and last.endswith("  ok"), last
    assert {"language.html", "language.md", "language.json"} <= {path.name for path in tmp_path.iterdir()}
    assert json.loads((tmp_path / "language.json").read_text())["settings"]["seed"] == 0


def test_a_page_of_seconds_says_that_it_means_nothing(results: Any) -> None:
    quick = replace(results, settings=settings.QUICK)
    for written, said in ((page.html(quick, PANEL, ""), True), (page.html(results, PANEL, ""), False)):
        assert ("the numbers mean nothing" in written) == said
    assert "the numbers mean nothing" in page.markdown(quick, PANEL, "", "")


def test_a_policy_that_is_no_sharper_is_no_success(results: Any) -> None:
    (at,) = results.found
    dull = at.row("iterative")._replace(
        scores=results.reference.scores | {"clean": at.row("tilt").scores["clean"]}
    )
    rows = (*(row for row in at.rows if row.who != "iterative"), dull)
    failed = replace(results, found=(replace(at, rows=rows),))
    assert '<p class="good">Asked' in page.html(results, PANEL, "")
    assert '<p class="bad">Asked' in page.html(failed, PANEL, "")


def test_how_many_values_of_beta() -> None:
    assert [page._of(*n) for n in ((3, 3), (2, 3), (1, 1), (0, 1))] == [
        "each of 3 values of β", "2 of 3 values of β", "this β", "no β",
    ]  # fmt: skip


def test_the_folder_is_made_before_the_work_and_options_are_known(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    assert arguments.arguments([str(folder), "--quick"]) == (folder, True) and folder.is_dir()
    assert arguments.arguments([str(folder)]) == (folder, False)
    with pytest.raises(SystemExit, match=r"no option --qick\n  python .* \[FOLDER\] \[--quick\]"):
        arguments.arguments(["--qick"])
    with pytest.raises(SystemExit, match="2 folders: a, b"):
        arguments.arguments(["a", "b"])


# ------------------------------------------------------------------------------------------------ errors
def test_settings_that_make_no_experiment() -> None:
    with pytest.raises(settings.ExperimentError, match="at least 2 responses to each prompt, got k = 1"):
        replace(SETTINGS, k=1)
    with pytest.raises(settings.ExperimentError, match="exam_k should be at least 1, got 0"):
        replace(SETTINGS, exam_k=0)
    with pytest.raises(settings.ExperimentError, match="exam should be at least 2, got 1"):
        replace(SETTINGS, exam=1)
    with pytest.raises(settings.ExperimentError, match="β should be numbers > 0"):
        replace(SETTINGS, betas=(0.5, 0.0))


def test_a_text_with_too_few_sentences() -> None:
    short = CORPUS._replace(held_out=CORPUS.held_out[:50])
    with pytest.raises(settings.ExperimentError, match="80 prompts are wanted, and 50 held-out sentences"):
        experiment.run(SETTINGS, short, PANEL)


def test_a_level_that_cannot_be_met() -> None:
    few = replace(SETTINGS, steps=5, level=0.99)
    with pytest.raises(settings.ExperimentError, match=r"has E clean ≥ 0.99: the cleanest .* average 0\.9"):
        experiment.run(few, CORPUS, PANEL)


def test_a_beta_so_small_that_it_is_best_of_k_says_so(results: Any) -> None:
    assert tables.best_of(results.papers[-1]) > 0.5
    assert any("best of K" in text for text in results.papers[-1].warnings)


def test_a_scorer_that_answers_nan_is_named() -> None:
    broken = scorer("clean", lambda t: np.nan if "dull" in t else 1.0)
    with pytest.raises(scorers.ScorerError, match="ours scores 'a dull one' as nan; 1 such in all"):
        broken(["fine", "a dull one"])
    with pytest.raises(scorers.ScorerError, match=r"gave \(2, 1\) scores for 2 sentences"):
        broken._replace(score=lambda texts: np.ones((2, 1)))(["a", "b"])


def test_a_missing_package_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vaderSentiment", None)
    scorers.panel.cache_clear()
    with pytest.raises(MissingPackageError, match=r"pip install 'adjoint-autodiff\[text\]'"):
        scorers.panel()


# --------------------------------------------------------------------------------------------- the pieces
def test_responses_are_cut_where_all_have_ended() -> None:
    tokens = np.zeros((2, 2, 20), np.int32)
    tokens[0, 1, :6] = 5
    assert policies.cut(tokens).shape == (2, 2, 8)
    assert policies.cut(tokens[..., :6]).shape == (2, 2, 6)


def test_the_scorers_of_the_packages() -> None:
    for package in ("vaderSentiment", "profanity_check", "textblob", "better_profanity"):
        pytest.importorskip(package, reason=f"scorers need {package}: pip install 'adjoint-autodiff[text]'")
    scorers.panel.cache_clear()
    kind, cruel = "a charming and funny film.", "an idiotic, boring, stupid mess of damn crap."
    for one in scorers.panel():
        low, high = one([kind, cruel]) if one.name.startswith("sharp") else one([cruel, kind])
        assert low < high, one.name
