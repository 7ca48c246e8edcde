"""`python -m adjoint align` as a user meets it: answers, exit codes, bad input, interruptions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adjoint.__main__ import main
from adjoint.models.alignment import align, command, read_scores
from adjoint.models.alignment.outputs import Outputs

from .files import Row, long_rows, read_lines, write

ROWS = [row | {"source": "base"} for row in long_rows(60, seed=1)]
USUAL = [
    "--reward",
    "helpful",
    "--beta",
    "0.5",
    "--constraint",
    "safe>=0.6",
    "--bootstrap",
    "0",
    "--levels",
    "0",
]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    return write(tmp_path / "scores.jsonl", ROWS)


def run(*arguments: object) -> int:
    return main(["align", *map(str, arguments)])


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_one_run_writes_everything(scores: Path, capsys: Capture) -> None:
    folder = scores.parent
    code = run(
        scores, "--reward", "helpful", "--beta", 0.5, "--constraint", "safe>=0.6",
        "--constraint", "humor>=0.1 relative", "--bootstrap", 20, "--levels", 4,
        "--json", folder / "a.json", "--html", folder / "a.html", "--preferences", folder / "p.jsonl",
        "--reward-weights", folder / "w.json", "--sft-weights", folder / "s.jsonl",
    )  # fmt: skip
    printed = capsys.readouterr().out
    assert code == 0
    assert names(folder) == ["a.html", "a.json", "p.jsonl", "s.jsonl", "scores.jsonl", "w.json"]
    assert "Solved. Align with the reward  helpful + " in printed and "s.e. bootstrap" in printed
    found = json.loads((folder / "a.json").read_text())
    same = align(
        scores, reward="helpful", beta=0.5, constraints=["safe>=0.6", "humor>=0.1 relative"],
        bootstrap=20, random_state=0,
    )  # fmt: skip
    assert {c["name"]: c["multiplier"] for c in found["constraints"]} == same.multipliers
    assert {c["name"]: c["standard_error"] for c in found["constraints"]} == same.standard_errors
    assert same.bootstrap is not None
    again = {c["name"]: c["bootstrap_standard_error"] for c in found["constraints"]}
    assert again == same.bootstrap.standard_errors
    weights = json.loads((folder / "w.json").read_text())
    assert weights["reward_weights"] == [1.0, *same.multipliers.values()] and weights["beta"] == 0.5
    assert sum(row["weight"] for row in read_lines(folder / "s.jsonl")) == pytest.approx(60)
    assert len(read_lines(folder / "p.jsonl")) == 60


def test_a_kl_budget_finds_beta(scores: Path, capsys: Capture) -> None:
    target = scores.parent / "a.json"
    limits = ["--constraint", "safe>=0.6", "--bootstrap", "0", "--levels", "0"]
    assert run(scores, "--reward", "helpful", "--kl-budget", 0.2, *limits, "--json", target) == 0
    found = json.loads(target.read_text())
    assert found["kl"] == pytest.approx(0.2) and found["kl_budget"] == 0.2
    assert f"β = {found['beta']:.4g}" in capsys.readouterr().out
    same = align(scores, reward="helpful", beta=found["beta"], constraints="safe>=0.6")
    assert same.multipliers["safe"] == pytest.approx(found["constraints"][0]["multiplier"], rel=1e-6)


def test_no_constraint_is_plain_alignment(scores: Path, capsys: Capture) -> None:
    target = scores.parent / "a.json"
    assert run(scores, "--reward", "helpful", "--beta", 0.5, "--json", target) == 0
    assert "No constraints: this is plain KL-regularized alignment." in capsys.readouterr().out
    assert json.loads(target.read_text())["constraints"] == []


def test_log_ratios_are_scores_once_multiplied_by_beta(scores: Path) -> None:
    """PeCAN: P(a ≻ b) = σ(β(Δ log-ratio of the reward + λ Δ log-ratio of the utility))."""
    folder, beta = scores.parent, 0.25
    limits = ["--constraint", "safe>=0.02 relative", "--bootstrap", "0", "--levels", "0"]
    assert run(
        scores, "--reward", "helpful", "--beta", beta, "--log-ratios", *limits, "--labels", "likely",
        "--preferences", folder / "p.jsonl", "--reward-weights", folder / "w.json",
        "--json", folder / "a.json",
    ) == 0  # fmt: skip
    lam = json.loads((folder / "a.json").read_text())["constraints"][0]["multiplier"]
    plain = read_scores(scores, reward="helpful", utilities=["safe"])
    wanted = align(plain.scaled(beta), beta=beta, constraints="safe>=0.02 relative").multipliers["safe"]
    assert lam == pytest.approx(wanted) and lam > 0
    assert json.loads((folder / "w.json").read_text())["reward_weights"] == pytest.approx([beta, beta * lam])
    row = read_lines(folder / "p.jsonl")[0]
    both = [next(r for r in ROWS if r["response"] == row[side]) for side in ("chosen", "rejected")]
    difference = [both[0][n] - both[1][n] for n in ("helpful", "safe")]
    assert row["p"] == pytest.approx(1 / (1 + np.exp(-beta * (difference[0] + lam * difference[1]))))


def test_log_base_weights_the_reference(scores: Path, capsys: Capture) -> None:
    target = scores.parent / "a.json"
    assert run(scores, *USUAL, "--log-base", "log_base", "--json", target) == 0
    reward = json.loads(target.read_text())["reward"]["reference"]
    by_prompt: dict[str, list[Row]] = {}
    for row in ROWS:
        by_prompt.setdefault(row["prompt"], []).append(row)
    means = []
    for group in by_prompt.values():
        w = np.exp([row["log_base"] for row in group])
        means.append(np.sum(w * [row["helpful"] for row in group]) / np.sum(w))
    assert reward == pytest.approx(np.mean(means))
    assert "not used" not in capsys.readouterr().out
    assert run(scores, *USUAL) == 0
    assert "! The file has a column log_base, which was not used" in capsys.readouterr().out


# ---------------------------------------------------------------------------------- no usable answer
def test_infeasible_reports_a_certificate_and_exports_nothing(scores: Path, capsys: Capture) -> None:
    folder = scores.parent
    code = run(
        scores, "--reward", "helpful", "--beta", 0.5,
        "--constraint", "safe>=1.1", "--constraint", "humor>=0.9",
        "--json", folder / "a.json", "--preferences", folder / "p.jsonl",
        "--reward-weights", folder / "w.json", "--sft-weights", folder / "s.jsonl",
    )  # fmt: skip
    printed = capsys.readouterr().out
    assert code == 1 and names(folder) == ["a.json", "scores.jsonl"]
    assert "Infeasible. No policy over these responses meets all constraints; nothing was exported" in printed
    assert "nearest feasible" in printed and "The verdict holds on these samples" in printed
    found = json.loads((folder / "a.json").read_text())["infeasibility"]
    u = found["weights"]
    best: dict[str, float] = {}
    for row in ROWS:
        value = u["safe"] * row["safe"] + u["humor"] * row["humor"]
        best[row["prompt"]] = max(value, best.get(row["prompt"], -np.inf))
    achievable = float(np.mean(list(best.values())))
    assert min(u.values()) >= 0 and sum(u.values()) == pytest.approx(1)
    assert found["achievable"] == pytest.approx(achievable, rel=1e-6)
    assert achievable < u["safe"] * 1.1 + u["humor"] * 0.9


def test_no_strictly_feasible_policy_exports_nothing(tmp_path: Path, capsys: Capture) -> None:
    rows = [{"prompt": k // 2, "response": "t", "helpful": k % 2, "safe": 0.5} for k in range(8)]
    scores = write(tmp_path / "scores.jsonl", rows)
    code = run(
        scores, "--reward", "helpful", "--beta", 1, "--constraint", "safe>=0.5",
        "--reward-weights", tmp_path / "w.json",
    )  # fmt: skip
    assert code == 1 and names(tmp_path) == ["scores.jsonl"]
    assert "Slater" in capsys.readouterr().out


def test_single_responses_are_counted_in_a_warning(tmp_path: Path, capsys: Capture) -> None:
    rows = [*ROWS, {**ROWS[0], "prompt": "alone", "id": "alone"}]
    assert run(write(tmp_path / "scores.jsonl", rows), *USUAL) == 0
    assert "! 1 of 61 prompts have a single response" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------- bad input
BAD: dict[str, tuple[list[str], str]] = {
    "no such column": (["--reward", "helpfull"], "has no column 'helpfull'\n  Did you mean 'helpful'?"),
    "no such constraint": (["--constraint", "saef>=0.5"], "has no column 'saef'\n  Did you mean 'safe'?"),
    "constraint": (["--constraint", "safe=0.5"], "a constraint is a lower limit"),
    "contradiction": (
        ["--constraint", "safe>=0.5", "--constraint", "safe>=0.7"],
        "contradictory constraints on 'safe': safe ≥ 0.5, and safe ≥ 0.7",
    ),
    "beta of 0": (["--beta", "0"], "beta should be a finite number > 0, got 0.0"),
    "beta below 0": (["--beta", "-1"], "beta should be a finite number > 0, got -1.0"),
    "beta nan": (["--beta", "nan"], "beta should be a finite number > 0, got nan"),
    "both": (["--kl-budget", "1"], "both beta and kl_budget are given"),
    "neither": (["--beta", ""], "neither beta nor kl_budget is given"),
    "pairs": (["--pairs", "none"], "--pairs should be a number ≥ 1 or all, got 'none'"),
    "levels": (["--levels", "1"], "levels should be 0 (no curves) or a number ≥ 2, got 1"),
    "bootstrap": (["--bootstrap", "-1"], "--bootstrap should be a number ≥ 0, got -1"),
    "log ratios": (
        ["--log-ratios", "--constraint", "humor>=0 relative", "--constraint", "safe>=1"],
        '--log-ratios with the absolute limit safe ≥ 1: they are known up to a shift per prompt\n'
        '  Write "safe>=1 relative".',
    ),
    "unwritable": (["--html", "{}/no/such/a.html"], "--html cannot be written to"),
    "folder": (["--json", "{}"], "--json: '{}' is a folder"),
    "input": (["--json", "{}/scores.jsonl"], "--json would overwrite the scores, '{}/scores.jsonl'"),
    "same": (["--json", "{}/b", "--html", "{}/b"], "--html and --json would be the same file, '{}/b'"),
    "id": (["--id", "source"], "source 'base' occurs twice in scores.jsonl: in lines 1 and 2"),
    "column twice": (["--id", "prompt"], "'prompt' is named as the column of prompts and of ids"),
    "prompt a score": (["--reward", "prompt"], "'prompt' is named as the column of prompts and as a score"),
    "response a score": (
        ["--response", "helpful"], "'helpful' is named as the column of responses and as a score",
    ),
    "response": (["--response", "answer"], "has no column 'answer'"),
    "not a file": (["SCORES={}/nosuch.jsonl"], "no file '{}/nosuch.jsonl'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_writes_nothing(scores: Path, case: str, capsys: Capture) -> None:
    folder = str(scores.parent)
    changes, text = BAD[case]
    given: dict[str, list[str]] = {
        "--reward": ["helpful"],
        "--beta": ["0.5"],
        "--preferences": [f"{folder}/p"],
    }
    source = str(scores)
    for name, value in zip(changes, [*changes[1:], ""], strict=True):
        if name.startswith("SCORES="):
            source = name.removeprefix("SCORES=").replace("{}", folder)
        elif name == "--constraint":
            given.setdefault(name, []).append(value)
        elif name.startswith("--"):
            given[name] = [value.replace("{}", folder)] if not value.startswith("--") else []
    if given["--beta"] == [""]:
        del given["--beta"]
    arguments = [source]
    for name, values in given.items():
        arguments += [part for value in values for part in (name, value)] or [name]
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert text.replace("{}", folder) in captured.err and not captured.out
    assert "recorded at" not in captured.err and "Traceback" not in captured.err
    assert names(scores.parent) == ["scores.jsonl"]


def test_bad_files_are_named_with_the_line(tmp_path: Path, capsys: Capture) -> None:
    good = write(tmp_path / "scores.jsonl", ROWS).read_text()
    for content, text in (
        ("", "scores.jsonl is empty"),
        (good[:-20], f"line {len(ROWS)} of scores.jsonl is cut off"),
        (good.replace(str(ROWS[4]["safe"]), "NaN"), "line 5 of scores.jsonl: safe is nan"),
        (good.replace(str(ROWS[4]["safe"]), '"0.5"'), 'line 5 of scores.jsonl: safe is the string "0.5"'),
    ):
        (tmp_path / "scores.jsonl").write_text(content)
        assert run(tmp_path / "scores.jsonl", *USUAL, "--json", tmp_path / "a.json") == 2
        assert text in capsys.readouterr().err
        assert names(tmp_path) == ["scores.jsonl"]


def test_outputs_are_checked_before_anything_is_read(
    scores: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(command, "read_scores", lambda *a, **k: pytest.fail("was read"))
    assert run(scores, *USUAL, "--json", scores.parent) == 2


# --------------------------------------------------------------------------------------- interruptions
@pytest.mark.parametrize("moment", ["read_scores", "align", "write_preferences", "write_weights", "commit"])
def test_an_interruption_leaves_no_file(
    scores: Path, moment: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Raised inside every stage, after it has written what it writes."""

    def interrupted(*arguments: Any, **options: Any) -> None:
        if moment.startswith("write"):
            Path(arguments[0]).write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(Outputs if moment == "commit" else command, moment, interrupted)
    folder = scores.parent
    code = run(
        scores, *USUAL, "--json", folder / "a", "--preferences", folder / "p", "--sft-weights", folder / "s"
    )
    assert code == 130 and names(folder) == ["scores.jsonl"]
    assert "interrupted; nothing was written" in capsys.readouterr().err


SLOW_WRITER = """
import pathlib, sys, time
from adjoint.__main__ import main
from adjoint.models.alignment import command

def write(path, *arguments, **options):
    path.write_text("half")
    print("writing", flush=True)
    time.sleep(60)

command.write_preferences = write
sys.exit(main(sys.argv[1:]))
"""


def listening() -> None:
    """In the child: a shell that runs these tests in the background has it ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_to_a_process_leave_no_file(scores: Path, number: signal.Signals) -> None:
    folder = scores.parent
    (folder / "pairs.jsonl").write_text("of an earlier run")
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_WRITER, "align", str(scores), *USUAL,
         "--preferences", str(folder / "pairs.jsonl")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=listening,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    assert len(names(folder)) == 3  # the half-written file lies beside, under another name
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and "interrupted" in errors and "Traceback" not in errors
    assert names(folder) == ["pairs.jsonl", "scores.jsonl"]
    assert (folder / "pairs.jsonl").read_text() == "of an earlier run"


@pytest.mark.slow
def test_signals_at_any_moment_leave_no_half_file(tmp_path: Path) -> None:
    """Forty moments over a real run: an output is whole or absent, and nothing else lies about."""
    scores = write(tmp_path / "scores.jsonl", long_rows(3000, seed=2))
    target = tmp_path / "pairs.jsonl"
    arguments = [sys.executable, "-m", "adjoint", "align", str(scores), *USUAL, "--pairs", "all"]
    arguments += ["--preferences", str(target)]
    start = time.perf_counter()
    subprocess.run(arguments, check=True, capture_output=True)
    took, whole = time.perf_counter() - start, target.read_text()
    for k in range(40):
        target.unlink(missing_ok=True)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(arguments, **quiet, preexec_fn=listening)
        time.sleep(took * (k + 1) / 41)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        assert set(names(tmp_path)) <= {"scores.jsonl", "pairs.jsonl"}, k
        assert not target.exists() or target.read_text() == whole, k


# ------------------------------------------------------------------------------------------------ help
def test_help_explains_with_an_example(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        run("--help")
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    for words in ('{"prompt": "…", "response": "…", "helpful": 1.7', "example:", "--kl-budget", "exit code"):
        assert words in printed


def test_the_example_of_the_help_runs(tmp_path: Path) -> None:
    write(tmp_path / "scores.jsonl", ROWS)
    lines = command.EXAMPLE.split("exit code")[0].removeprefix("example:").replace("\\\n", " ")
    text = lines.strip().replace("python", sys.executable, 1).replace("--beta 0.1", "--beta 0.5")
    root = Path(__file__).parents[3]
    environment = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run(text, shell=True, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert names(tmp_path) == ["pairs.jsonl", "report.html", "scores.jsonl", "weights.json"]
