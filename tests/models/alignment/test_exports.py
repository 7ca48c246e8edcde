"""What trainers read: pairs follow σ(Δr + λᵀΔg), weights add up, files appear whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adjoint.errors import ShapeError, UnknownNameError
from adjoint.models.alignment import (
    FileScores,
    Scores,
    align,
    read_scores,
    write_preferences,
    write_reward_weights,
    write_weights,
)
from adjoint.models.alignment.exports import _pairs, _sigmoid
from adjoint.models.alignment.outputs import Outputs
from adjoint.models.base import DataError

from .files import Row, grouped_rows, long_rows, read_lines, write
from .samples import policies

ROWS = long_rows(40, seed=3)
BY_TEXT = {(row["prompt"], row["response"]): row for row in ROWS}
LAM = {"safe": 0.7, "humor": 0.2}


@pytest.fixture
def scores(tmp_path: Path) -> FileScores:
    path = write(tmp_path / "scores.jsonl", ROWS)
    return read_scores(path, reward="helpful", utilities=["safe", "humor"])


def total(row: Row) -> float:
    return float(row["helpful"] + LAM["safe"] * row["safe"] + LAM["humor"] * row["humor"])


def test_pairs_carry_the_probability_of_their_order(scores: FileScores, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    counts = write_preferences(path, scores, LAM, pairs=None, rng=np.random.default_rng(0))
    found = read_lines(path)
    assert counts == {"pairs": len(found), "without": 0, "equal": 0}
    assert len(found) == sum(k * (k - 1) // 2 for k in scores.counts)
    for row in found:
        assert list(row) == ["prompt", "chosen", "rejected", "p"]
        chosen, rejected = (BY_TEXT[row["prompt"], row[side]] for side in ("chosen", "rejected"))
        assert row["p"] == pytest.approx(1 / (1 + np.exp(total(rejected) - total(chosen))), rel=1e-12)
    unordered = {(r["prompt"], *sorted((r["chosen"], r["rejected"]))) for r in found}
    assert len(unordered) == len(found)


def test_labels_are_drawn_with_that_probability(tmp_path: Path) -> None:
    """In 4,000 pairs with P(a ≻ b) = σ(1), a is chosen as often as a binomial allows; "likely" always."""
    N = 4000
    scores = Scores.dense(
        np.tile([1.0, 0.0], (N, 1)), {}, prompts=[f"p{x}" for x in range(N)], responses=["a", "b"] * N
    )
    path = tmp_path / "pairs.jsonl"
    write_preferences(path, scores, {}, rng=np.random.default_rng(0))
    share = np.mean([row["chosen"] == "a" for row in read_lines(path)])
    p = 1 / (1 + np.exp(-1))
    assert abs(share - p) < 4 * np.sqrt(p * (1 - p) / N)
    write_preferences(path, scores, {}, labels="likely", rng=np.random.default_rng(0))
    assert all(row["chosen"] == "a" for row in read_lines(path))


def test_preferences_lead_back_to_the_tilted_policy(tmp_path: Path) -> None:
    """DPO with β on labels drawn by p has the optimum π_ref e^{s/β}: p is the model of its log-ratios."""
    path, pairs = write(tmp_path / "scores.jsonl", ROWS), tmp_path / "pairs.jsonl"
    scores = read_scores(path, reward="helpful", utilities=["safe", "humor"])
    beta = 0.5
    write_preferences(pairs, scores, LAM, pairs=None, rng=np.random.default_rng(0))
    pi: dict[tuple[str, str], float] = {}
    weights = np.concatenate(policies(scores, LAM, beta))
    for row, weight in zip(ROWS, weights, strict=True):
        pi[row["prompt"], row["response"]] = float(weight)
    for row in read_lines(pairs):
        ratio = np.log(pi[row["prompt"], row["chosen"]] / pi[row["prompt"], row["rejected"]])
        # P = σ(β log-ratio difference) is DPO's model; π_ref is even over the samples
        assert row["p"] == pytest.approx(1 / (1 + np.exp(-beta * ratio)), rel=1e-9)


def test_the_seed_decides_and_few_pairs_are_a_part_of_all(scores: FileScores, tmp_path: Path) -> None:
    texts = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        write_preferences(tmp_path / name, scores, LAM, pairs=2, rng=np.random.default_rng(seed))
        texts.append((tmp_path / name).read_text())
    assert texts[0] == texts[1] != texts[2]
    per_prompt = {p: 0 for p in scores_prompts()}
    for row in read_lines(tmp_path / "a"):
        per_prompt[row["prompt"]] += 1
    assert list(per_prompt.values()) == [min(2, k * (k - 1) // 2) for k in scores.counts]


def scores_prompts() -> list[str]:
    return list(dict.fromkeys(row["prompt"] for row in ROWS))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 1000])
def test_pairs_are_numbered_without_gap(count: int) -> None:
    a, b = _pairs(count, None, np.random.default_rng(0))
    assert set(zip(a, b, strict=True)) == {(i, j) for j in range(count) for i in range(j)}
    assert len(a) == count * (count - 1) // 2


def test_sigmoid_at_its_ends() -> None:
    assert _sigmoid(800.0) == 1.0 and _sigmoid(-800.0) == 0.0 and _sigmoid(0.0) == 0.5


def test_equal_texts_and_single_responses_make_no_pair(tmp_path: Path) -> None:
    rows = [
        {"prompt": "a", "response": "same", "r": 1}, {"prompt": "a", "response": "same", "r": 2},
        {"prompt": "b", "response": "only", "r": 1},
        {"prompt": "c", "response": "x", "r": 1}, {"prompt": "c", "response": "y", "r": 2},
    ]  # fmt: skip
    scores = read_scores(write(tmp_path / "s.jsonl", rows), reward="r")
    counts = write_preferences(tmp_path / "p.jsonl", scores, {}, rng=np.random.default_rng(0))
    assert counts == {"pairs": 1, "without": 2, "equal": 1}


def test_conversations_stay_conversations(tmp_path: Path) -> None:
    prompt = [{"role": "user", "content": "hi"}]
    rows: list[Row] = [{"prompt": prompt, "response": t, "r": k} for k, t in enumerate("ab")]
    scores = read_scores(write(tmp_path / "s.jsonl", rows), reward="r")
    write_preferences(tmp_path / "p.jsonl", scores, {}, labels="likely")
    (row,) = read_lines(tmp_path / "p.jsonl")
    assert row["prompt"] == prompt and row["chosen"] == [{"role": "assistant", "content": "b"}]


def test_exports_need_texts(tmp_path: Path) -> None:
    rows = [{"prompt": k // 2, "answer": "t", "r": k} for k in range(4)]
    path = write(tmp_path / "s.jsonl", rows)
    scores = read_scores(path, reward="r")
    with pytest.raises(DataError, match=r"need a column of responses.*\n.*--response.*s.jsonl has answer"):
        write_preferences(tmp_path / "p.jsonl", scores, {})
    with pytest.raises(DataError, match="the number 0, and a preference needs its text"):
        write_preferences(tmp_path / "p.jsonl", read_scores(path, reward="r", response="answer"), {})
    with pytest.raises(DataError, match=r"labels should be 'sampled' or 'likely', got 'best'"):
        write_preferences(tmp_path / "p.jsonl", scores, {}, labels="best")
    with pytest.raises(DataError, match="pairs should be a number ≥ 1, or None for all, got 0"):
        write_preferences(tmp_path / "p.jsonl", scores, {}, pairs=0)
    with pytest.raises(DataError, match="need a column of responses"):
        write_weights(tmp_path / "w.jsonl", Scores.dense([[1.0]], {}), np.ones(1))


def test_what_cannot_be_written_destroys_nothing(scores: FileScores, tmp_path: Path) -> None:
    before = scores.file.path.read_bytes()
    for write_one in (
        lambda: write_preferences(str(scores.file.path), scores, LAM),
        lambda: write_weights(scores.file.path, scores, np.zeros(scores.n_responses)),
    ):
        with pytest.raises(DataError, match=r"scores\.jsonl' is the file of the scores"):
            write_one()
        assert scores.file.path.read_bytes() == before
    kept = tmp_path / "kept.jsonl"
    kept.write_text("kept")
    with pytest.raises(DataError, match="need a column of responses"):
        write_preferences(kept, Scores.dense(np.zeros((2, 2)), {}), {})
    with pytest.raises(UnknownNameError, match=r"no utility 'saef' to weigh; there are 'safe', 'humor'"):
        write_preferences(kept, scores, {"saef": 0.0})
    with pytest.raises(ShapeError, match=r"weights should be \(\d+,\), one per response; got \(7,\)"):
        write_weights(kept, scores, np.zeros(7))
    assert kept.read_text() == "kept"


def test_reward_weights_are_what_a_weighted_sum_needs(tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    write_reward_weights(path, "helpful", LAM, 0.1)
    assert json.loads(path.read_text()) == {
        "reward_funcs": ["helpful", "safe", "humor"], "reward_weights": [1.0, 0.7, 0.2], "beta": 0.1
    }  # fmt: skip
    write_reward_weights(path, "safe", {"safe": 0.5}, 0.1, scale=0.2)
    found = json.loads(path.read_text())
    assert found["reward_funcs"] == ["safe"] and found["reward_weights"] == pytest.approx([0.3])


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@pytest.mark.parametrize("grouped", [False, True])
def test_weights_are_the_tilted_policy(tmp_path: Path, suffix: str, grouped: bool) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="pyarrow writes Parquet")
    rows = grouped_rows(ROWS) if grouped else ROWS
    path = write(tmp_path / "scores.jsonl", rows)
    scores = read_scores(path, reward="helpful", utilities=["safe"], id="id")
    solution = align(scores, beta=0.5, constraints="safe>=0.6")
    target = tmp_path / f"weights{suffix}"
    assert write_weights(target, scores, solution.weights(), parquet=suffix == ".parquet") == len(ROWS)
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        found: list[Row] = pq.read_table(target).to_pylist()
    else:
        found = read_lines(target)
    wanted = np.concatenate(policies(scores, solution.multipliers, 0.5))
    np.testing.assert_allclose([row["weight"] for row in found], wanted, rtol=1e-8, atol=1e-12)
    for row, given in zip(found, ROWS, strict=True):
        assert (row["prompt"], row["completion"], row["id"]) == tuple(
            given[n] for n in ("prompt", "response", "id")
        )


# ---------------------------------------------------------------------------------------------- the files
def test_outputs_appear_when_committed_and_leave_nothing_behind(tmp_path: Path) -> None:
    with Outputs({"a": tmp_path / "a", "b": tmp_path / "b", "c": None}) as outputs:
        outputs["a"].write_text("whole")
        assert "c" not in outputs and not (tmp_path / "a").exists()
        outputs.commit("a")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    with pytest.raises(KeyboardInterrupt), Outputs({"a": tmp_path / "a"}) as outputs:
        outputs["a"].write_text("half")
        raise KeyboardInterrupt
    assert [p.name for p in tmp_path.iterdir()] == ["a"] and (tmp_path / "a").read_text() == "whole"


def test_outputs_have_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    with Outputs({"a": tmp_path / "a"}) as outputs:
        outputs.commit()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "usual").stat().st_mode


def refused(targets: dict[str, Any], given: Path, text: str) -> None:
    with pytest.raises(DataError) as caught, Outputs(targets, [given]):
        raise AssertionError("entered")
    assert text in str(caught.value)


def test_outputs_that_cannot_be_are_refused_on_entry(tmp_path: Path) -> None:
    given = tmp_path / "scores.jsonl"
    given.write_text("{}")
    refused({"--json": tmp_path / "no" / "a"}, given, "--json cannot be written to")
    refused({"--json": tmp_path}, given, "is a folder")
    refused({"--json": Path("/dev/null")}, given, "is not a plain file")
    refused({"--json": given}, given, "--json would overwrite the scores")
    (tmp_path / "link").symlink_to(given)
    refused({"--json": tmp_path / "link"}, given, "--json would overwrite the scores")
    refused({"--json": tmp_path / "x", "--html": tmp_path / "." / "x"}, given, "would be the same file")
    (tmp_path / "file").touch()
    refused({"--json": tmp_path / "file" / "a"}, given, "--json cannot be written to")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "link", "scores.jsonl"]


def test_a_read_only_target_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a"
    target.write_text("precious")
    target.chmod(0o444)
    if os.access(target, os.W_OK):  # the superuser may write everywhere
        monkeypatch.setattr(os, "access", lambda path, mode: False)
    refused({"--json": target}, tmp_path / "scores", "it is read-only")
    assert target.read_text() == "precious"
