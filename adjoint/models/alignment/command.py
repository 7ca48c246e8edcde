"""`python -m adjoint align`: from a file of scores to λ*, a report, and files that trainers read.

Exit codes: 0 solved, 1 no usable answer (infeasible, no strictly feasible policy, …: nothing is exported),
2 bad input (nothing is written), 130 interrupted (nothing is written).
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...errors import AdjointError, need
from .align import Progress, align, check_weight
from .columns import complaint
from .constraints import Constraint, check_constraints
from .exports import check_texts, write_preferences, write_reward_weights, write_weights
from .outputs import Outputs
from .reading import FileScores, read_scores
from .report import COLUMNS, Report, check_levels
from .result import Alignment, Status

DESCRIPTION = """\
Constrained alignment from scores alone: find the weight of every constraint before any training.

SCORES has sampled responses with a score per reward, as JSON lines (.jsonl, .jsonl.gz) or Parquet:

  {"prompt": "…", "response": "…", "helpful": 1.7, "safe": 0.2}      one row a response, or
  {"prompt": "…", "responses": ["…", "…"], "helpful": [1.7, 0.4], "safe": [0.2, 0.9]}      one row a prompt

It maximizes E[reward] − β·KL(policy ‖ reference) over policies whose average scores keep the limits, and says
what each limit costs (λ), how sure that is, whether it can be kept at all, and what to train with.
"""
EXAMPLE = """\
example:
  python -m adjoint align scores.jsonl --reward helpful --beta 0.1 \\
      --constraint "safe>=0.5" --constraint "humor>=0.2 relative" \\
      --html report.html --preferences pairs.jsonl --reward-weights weights.json

exit code: 0 solved; 1 no usable answer, nothing exported; 2 bad input, nothing written.
"""


def main(arguments: Sequence[str]) -> int:
    """Run `align` with the arguments that follow it; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m adjoint align", description=DESCRIPTION, epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    _add_problem(parser)
    _add_outputs(parser)
    return run(parser.parse_args(arguments))


def _add_problem(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("scores", metavar="SCORES", help="file of scores")
    problem = parser.add_argument_group("the problem")
    add = problem.add_argument
    add("--reward", required=True, metavar="COLUMN", help="score to maximize")
    add("--beta", type=float, metavar="β", help="weight of the KL term, as in your trainer; or")
    add("--kl-budget", type=float, metavar="κ", help="KL in nats per prompt at most; β is then found")
    add(
        "--constraint", action="append", default=[], metavar="LIMIT",
        help='"safe>=0.5": average of a column at least so much; "safe>=0.2 relative": so much above the '
        "reference's (for scores known only up to a shift per prompt, as from preferences). Repeat it.",
    )  # fmt: skip
    add(
        "--log-ratios",
        action="store_true",
        help="columns are log π_•/π_ref of preference-trained policies: multiplied by β to be scores (PeCAN)",
    )
    columns = parser.add_argument_group("columns")
    add = columns.add_argument
    add("--prompt", default="prompt", metavar="COLUMN", help="which rows belong together (default: prompt)")
    add("--response", metavar="COLUMN", help="texts (default: response; grouped also responses)")
    add("--id", metavar="COLUMN", help="ids of responses, checked to be unique (default: none)")
    add(
        "--log-base",
        metavar="COLUMN",
        help="log π_ref − log μ of each response, if they were sampled from another policy μ (default: none)",
    )


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    answer = parser.add_argument_group("the answer")
    add = answer.add_argument
    add("--bootstrap", type=int, default=100, metavar="N", help="resamples of the prompts (default: 100)")
    add("--levels", type=int, default=9, metavar="N", help="levels per trade-off curve; 0: none (default: 9)")
    add("--seed", type=int, default=0, help="seed of every random number (default: 0)")
    add("--json", metavar="FILE", help="write every number")
    add("--html", metavar="FILE", help="write the report as one page with plots")
    exports = parser.add_argument_group("for trainers (written only if solved)")
    add = exports.add_argument
    add("--preferences", metavar="FILE", help="JSON lines for DPO: prompt, chosen, rejected, p")
    add("--pairs", default="1", metavar="N", help="pairs per prompt at most, or all (default: 1)")
    add(
        "--labels",
        choices=("sampled", "likely"),
        default="sampled",
        help="chosen is drawn with probability p, or is always the likelier (default: sampled)",
    )
    add("--reward-weights", metavar="FILE", help="JSON for a weighted sum of rewards (PPO, GRPO)")
    add("--sft-weights", metavar="FILE", help="weight of every response, .jsonl or .parquet")


OUTPUTS = ("json", "html", "preferences", "reward_weights", "sft_weights")


def run(options: argparse.Namespace) -> int:
    """Run `align`; returns the exit code."""
    from rich.console import Console

    console, errors = Console(highlight=False), Console(stderr=True, highlight=False)
    try:
        with _terminated(), _progress(errors) as stage:
            report = _run(options, stage)
    except AdjointError as error:
        errors.print(f"error: {_told(error)}", style="red", markup=False, soft_wrap=True)
        return 2
    except OSError as error:
        errors.print(f"error: {error.strerror or error}: {error.filename}", style="red", markup=False)
        return 2
    except KeyboardInterrupt:
        errors.print("interrupted; nothing was written")
        return 130
    _show(report, console)
    return 0 if report.alignment.status is Status.SOLVED else 1


Stage = Callable[[str], Callable[[int, int], None]]


def _run(options: argparse.Namespace, stage: Stage) -> Report:
    """Check, read, solve, write."""
    limits = [Constraint.parse(text) for text in options.constraint]
    names = [one.name for one in limits]
    check_constraints(limits, names)
    check_weight(options.beta, options.kl_budget)
    if options.log_ratios:
        _check_log_ratios(options, limits)
    for name in ("bootstrap", "levels", "seed"):
        if getattr(options, name) < 0:
            raise complaint(f"--{name} should be a number ≥ 0, got {getattr(options, name)}")
    check_levels(options.levels)
    pairs = _pairs(options.pairs)
    if options.sft_weights and options.sft_weights.endswith(".parquet"):
        need("pyarrow", "writing Parquet", "align")
    targets = {f"--{name.replace('_', '-')}": getattr(options, name) for name in OUTPUTS}
    with Outputs(targets, [options.scores]) as outputs:
        scores = read_scores(
            options.scores, reward=options.reward, utilities=names, prompt=options.prompt,
            response=options.response, id=options.id, log_base=options.log_base,
            progress=stage("reading"),
        )  # fmt: skip
        if options.log_ratios:
            scores = scores.scaled(options.beta)
        for name in ("--preferences", "--sft-weights"):
            if name in outputs:
                check_texts(scores, name, ids=name == "--sft-weights")
        alignment = _solve(options, scores, limits, stage)
        return _write(options, scores, alignment, outputs, pairs, stage)


def _solve(
    options: argparse.Namespace, scores: FileScores, limits: list[Constraint], stage: Stage
) -> Alignment:
    bars = {"newton": stage("solving"), "bootstrap": stage("bootstrap")}

    def told(at: Progress) -> None:
        bars[at.stage](at.done, at.total)

    return align(
        scores, beta=options.beta, kl_budget=options.kl_budget, constraints=limits,
        bootstrap=options.bootstrap, random_state=options.seed, progress=told,
    )  # fmt: skip


def _write(
    options: argparse.Namespace, scores: FileScores, alignment: Alignment, outputs: Outputs,
    pairs: int | None, stage: Stage,
) -> Report:  # fmt: skip
    usable = alignment.status is Status.SOLVED
    written = _export(options, scores, alignment, outputs, pairs, stage) if usable else []
    report = Report.of(
        alignment, reward=options.reward, subject=scores.file.name, levels=options.levels, written=written,
        notes=_notes(scores), progress=stage("trade-offs"),
    )  # fmt: skip
    for name, content in (("--json", report.json), ("--html", report.html)):
        if name in outputs:
            outputs[name].write_text(content(), encoding="utf-8")
    outputs.commit(*(() if usable else ("--json", "--html")))
    return report


def _notes(scores: FileScores) -> list[str]:
    if "log_base" not in scores.file.others:
        return []
    return [
        "The file has a column log_base, which was not used: if the responses were sampled from another "
        "policy than the reference, pass --log-base log_base."
    ]


def _export(
    options: argparse.Namespace, scores: FileScores, alignment: Alignment, outputs: Outputs,
    pairs: int | None, stage: Stage,
) -> list[tuple[str, str]]:  # fmt: skip
    """Write what trainers read, under names of its own; returns each file with what is in it."""
    lam, written = alignment.multipliers, []
    if options.preferences:
        counts = write_preferences(
            outputs["--preferences"], scores, lam, pairs=pairs, labels=options.labels,
            rng=np.random.default_rng(options.seed), progress=stage("pairs"),
        )  # fmt: skip
        note = f"{counts['pairs']:,} preference pairs for DPO with beta {alignment.beta:g}"
        if counts["without"]:
            note += f"; {counts['without']:,} prompts without a pair"
        if counts["equal"]:
            note += f"; {counts['equal']:,} pairs of equal texts left out"
        written.append((options.preferences, note))
    if options.reward_weights:
        scale = options.beta if options.log_ratios else 1.0
        write_reward_weights(outputs["--reward-weights"], options.reward, lam, alignment.beta, scale)
        written.append((options.reward_weights, "weights of the rewards and beta, for PPO or GRPO"))
    if options.sft_weights:
        rows = write_weights(
            outputs["--sft-weights"], scores, alignment.weights(),
            parquet=options.sft_weights.endswith(".parquet"), progress=stage("weights"),
        )  # fmt: skip
        written.append((options.sft_weights, f"π* of {rows:,} responses, for weighted fine-tuning"))
    return written


# ------------------------------------------------------------------------------------------ options and words
def _pairs(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise complaint(f"--pairs should be a number ≥ 1 or all, got {text!r}")
    return int(text)


def _check_log_ratios(options: argparse.Namespace, limits: list[Constraint]) -> None:
    if options.beta is None:
        raise complaint(
            "--log-ratios need --beta: scores are β·log π_•/π_ref", "A KL budget does not give it."
        )
    for one in limits:
        if not one.relative:
            raise complaint(
                f"--log-ratios with the absolute limit {one}: they are known up to a shift per prompt",
                f'Write "{one.name}>={one.level:g} relative".',
            )


def _told(error: AdjointError) -> str:
    """The message without the line of the caller's code: there is none but the command."""
    lines = str(error).split("\n")
    return "\n".join(line for line in lines if not line.lstrip().startswith("recorded at "))


STYLES = {"title": "bold", "good": "bold green", "bad": "bold red", "warning": "yellow", "small": "dim"}


def _show(report: Report, console: Any) -> None:
    """Print the report; color is the only thing added to its text."""
    width = min(console.width, COLUMNS) if console.is_terminal else COLUMNS
    for line, kind in report.lines(width):
        console.print(line, style=STYLES.get(kind, ""), markup=False, soft_wrap=True)


@contextmanager
def _progress(console: Any) -> Iterator[Stage]:
    """Bars on a terminal's standard error, gone when all is done; a stage is shown when it first reports."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    bars = Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip

    def stage(name: str) -> Callable[[int, int], None]:
        task: list[Any] = []

        def told(done: int, total: int) -> None:
            if not task:
                task.append(bars.add_task(name))
            bars.update(task[0], completed=done, total=total or None)

        return told

    with bars:
        yield stage


@contextmanager
def _terminated() -> Iterator[None]:
    """Let a polite request to end, as batch systems send it, clean up as an interruption does."""

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread, where signals arrive
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
