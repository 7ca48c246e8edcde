"""Pages with programs: each runs and prints what stands beside it; without its framework it is skipped."""

from __future__ import annotations

import importlib.util
import linecache
import re
from pathlib import Path
from typing import Any

import pytest

from adjoint.ops import PRIMITIVES

PAGE = (Path(__file__).parents[1] / "docs" / "checking_gradients.md").read_text()
SECTIONS = {
    re.sub(r"\W+", " ", part.splitlines()[0]).strip(): part
    for part in re.split(r"^#+ ", PAGE, flags=re.MULTILINE)[1:]
}
FRAMEWORKS = ("torch", "jax", "autograd", "casadi")


def code_of(title: str) -> str:
    return "\n".join(re.findall(r"```python\n(.*?)```", SECTIONS[title], re.DOTALL))


@pytest.mark.parametrize("title", [t for t in SECTIONS if "```python" in SECTIONS[t] and t != "In tests"])
def test_programs_print_what_stands_beside_them(title: str, capsys: Any) -> None:
    code = code_of(title)
    for name in FRAMEWORKS:
        if f"import {name}" in code and importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    registered = set(PRIMITIVES)
    linecache.cache["page.py"] = (len(code), None, code.splitlines(keepends=True), "page.py")
    exec(compile(code, "page.py", "exec"), {"__name__": "page"})
    for name in set(PRIMITIVES) - registered:
        del PRIMITIVES[name]
    printed = capsys.readouterr().out
    promised = re.findall(r"^print\(.*\)  # (.*)$", code, re.MULTILINE)
    assert promised
    for line in promised:
        assert line in printed.splitlines(), printed


def test_a_wrong_gradient_is_located(capsys: Any) -> None:
    exec(compile(code_of("Checking gradients"), "page.py", "exec"), {"__name__": "page"})
    printed = capsys.readouterr().out
    assert re.search(r"argument w, index \[\d\]: received \S+, expected \S+", printed)
    assert "▇" in printed


def test_the_rule_at_fault_is_named_with_its_line(capsys: Any) -> None:
    code = code_of("Functions that this library differentiates")
    linecache.cache["page.py"] = (len(code), None, code.splitlines(keepends=True), "page.py")
    exec(compile(code, "page.py", "exec"), {"__name__": "page"})
    del PRIMITIVES["squared"]
    assert "the adjoint rule of squared at fault" in (printed := capsys.readouterr().out)
    assert "return np.sum(wrong(w) + w)" in printed


def test_the_plugin_runs_the_section_on_tests(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=code_of("Checking gradients").split("rng =")[0] + code_of("In tests"))
    result = pytester.runpytest_inprocess("-p", "adjoint_pytest", "-p", "no:cacheprovider", "-W", "error")
    result.assert_outcomes(passed=2, failed=1)
    assert "likely: sign" in str(result.stdout)
