"""Wrong derivatives found and false alarms raised: ours beside the checks of torch, jax, autograd and scipy.

The catalogue (tests/check/catalogue) has wrong derivatives as people make them, each with its place, and
right derivatives of functions that are hard to check. A third group are the right derivatives, by the
library's own rules, of the functions of the first. Every checker gets every case with its own defaults,
wrapped as its users would wrap it (`checkers.py`). *Detected* is any failure; *located* is a message that
names a wrong argument and a wrong entry of it (for torch: that names the argument and prints both Jacobians
in full). What a checker cannot take is counted apart. At a kink every derivative between the one-sided ones
is right.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import harness
import numpy as np
from cases import HARD, WRONG, Case, Pair, misplaced, trees, twin, wrong_entries
from checkers import CHECKERS, Answer, Checker
from environment import heading, options, prepare, versions

BENCH = "detection"
MILLION = 1_000_000
Truth = dict[str, set[tuple[int, ...]]]


@dataclass
class Group:
    """Cases of one kind, and what each checker answered."""

    title: str
    cases: Sequence[Case]
    right: bool  # whether their derivatives are right

    def __post_init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}

    def ask(self, checkers: Sequence[Checker]) -> None:
        """Ask all, case by case."""
        for case in self.cases:
            for checker in checkers:
                self.answers.setdefault(checker.name, []).append(checker(case))

    def taken(self, name: str) -> list[tuple[Case, Answer]]:
        """The cases that a checker can take, with its answers."""
        pairs = zip(self.cases, self.answers[name], strict=True)
        return [(case, answer) for case, answer in pairs if answer.passed is not None]


def located(name: str, case: Case, answer: Answer, truth: Truth) -> bool:
    """Whether a failing message names a wrong argument and a wrong entry of it, and none that is right."""
    if name == "adjoint":
        return answer.report is not None and not misplaced(case, answer.report, truth)
    if name == "torch gradcheck":
        found = re.search(r"with respect to input (\d+)", answer.text)
        return bool(found) and paths(case.build())[int(found[1])] in truth and "..." not in answer.text
    return False  # the others name neither


def paths(pair: Pair) -> list[str]:
    """The path of every array among the arguments, in the catalogue's manner."""
    found = []
    for k in pair.positions:
        structure = trees.flatten(pair.args[k])[1]
        found += [f"{k}/{path}" if path else str(k) for path in trees.paths(structure)]
    return found


def truths(cases: Sequence[Case]) -> list[Truth]:
    """Where each case is wrong; empty where the place is no entry (memory, chance, second order)."""
    return [wrong_entries(c) if c.arguments and c.theme != "wrong second order" else {} for c in cases]


# ------------------------------------------------------------------------------------------------ the report
def size(case: Case) -> int:
    """Inputs of a case."""
    pair = case.build()
    return sum(np.size(x) for x in trees.flatten([pair.args[k] for k in pair.positions])[0])


def share(part: int, whole: int) -> str:
    return f"{part} of {whole}"


def summary(checker: Checker, faults: Group, groups: Sequence[Group], places: Sequence[Truth]) -> list[str]:
    """A checker's row, and its JSON lines."""
    name, installed = checker.name, versions([checker.package])
    taken = faults.taken(name)
    found = [(case, a) for case, a in taken if not a.passed]
    where = {case.name: truth for case, truth in zip(faults.cases, places, strict=True)}
    placed = [(case, a) for case, a in taken if where[case.name]]
    right = sum(not a.passed and located(name, case, a, where[case.name]) for case, a in placed)
    row = [name, share(len(found), len(taken)), share(right, len(placed))]
    emit = harness.emit
    emit(BENCH, faults.title, name, len(found), "detected", len(taken), versions=installed)
    emit(BENCH, faults.title, name, right, "located", len(placed), versions=installed)
    for group in groups:
        answers = group.taken(name)
        alarms = sum(not a.passed for _, a in answers)
        row.append(share(alarms, len(answers)))
        emit(BENCH, group.title, name, alarms, "false alarms", len(answers), versions=installed)
    unable = sum(a.passed is None for g in (faults, *groups) for a in g.answers[name])
    # what it costs where all is well
    calm = [a for g in groups for _, a in g.taken(name) if a.passed]
    values, seconds = statistics.median(a.values for a in calm), statistics.median(a.seconds for a in calm)
    emit(BENCH, "evaluations of f, median", name, values, "evaluations", len(calm), versions=installed)
    emit(BENCH, "time of a check, median", name, seconds, "s", len(calm), versions=installed)
    return [*row, str(unable), f"{values:.0f}", f"{1e3 * seconds:.1f}"]


def of_a_million(groups: Sequence[Group], names: Sequence[str]) -> None:
    """Evaluations for functions of 10⁶ inputs."""
    rows = []
    for group in groups:
        for k, case in enumerate(group.cases):
            if size(case) < MILLION:
                continue
            row = [case.name]
            for name in names:
                a = group.answers[name][k]
                verdict = "–" if a.passed is None else "passes" if a.passed else "fails"
                row.append(
                    verdict if a.passed is None else f"{verdict} {a.values}+{a.derivatives} {a.seconds:.1f} s"
                )
                seen = {"verdict": verdict, "derivatives": a.derivatives, "seconds": a.seconds}
                harness.emit(
                    BENCH, f"{MILLION} inputs: {case.name}", name, a.values, "evaluations", MILLION, **seen
                )
            rows.append(row)
    harness.table("10⁶ inputs: verdict, evaluations of f + of derivatives, seconds", ["", *names], rows)


def details(groups: Sequence[Group], names: Sequence[str]) -> None:
    """Every case that a checker got wrong, by name."""
    for name in names:
        for group in groups:
            wrong = [case.name for case, a in group.taken(name) if a.passed is not group.right]
            if wrong:
                what = "false alarms" if group.right else "missed"
                print(f"\n{name}, {what} ({group.title}): {', '.join(wrong)}")


def main() -> None:
    parser = options(__doc__, rounds=1)
    keys = ",".join(c.package for c in CHECKERS)
    parser.add_argument("--peers", default=keys, help=f"packages that take part: {keys}")
    parser.add_argument("--only", default="", help="cases whose names contain one of these, by commas")
    parser.add_argument("--verbose", action="store_true", help="name every case that somebody got wrong")
    given = parser.parse_args()
    prepare(given)
    print(heading())
    wanted = [part for part in given.only.split(",") if part]

    def chosen(cases: Sequence[Case]) -> list[Case]:
        return [c for c in cases if not wanted or any(part in c.name for part in wanted)]

    faults = Group("planted faults", chosen(WRONG), right=False)
    hard = Group("hard functions", chosen(HARD), right=True)
    twins = Group("right twins of the faults", [t for c in chosen(WRONG) if (t := twin(c))], right=True)
    checkers = [c for c in CHECKERS if c.package in given.peers.split(",")]
    groups = [faults, hard, twins]
    for group in groups:
        group.ask(checkers)
    places = truths(faults.cases)
    rows = [summary(c, faults, [hard, twins], places) for c in checkers]
    header = ["", "detected", "located", "false, hard", "false, twins", "cannot take", "evaluations", "ms"]
    harness.table("Wrong derivatives and false alarms", header, rows)
    for checker in checkers:
        print(f"  {checker.name}: {checker.defaults}")
    of_a_million(groups, [c.name for c in checkers])
    if given.verbose:
        details(groups, [c.name for c in checkers])


if __name__ == "__main__":
    main()
