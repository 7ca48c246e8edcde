"""What is left out of a run is counted; the counts come from other processes too; files stay whole."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = """
import pytest
def test_quick(): pass
@pytest.mark.slow
def test_long(): pass
@pytest.mark.gpu
@pytest.mark.skipif(True, reason="no GPU")
def test_card(): pass
"""
COUNTS = ["LEFT OUT [[]1[]] slow: run with --slow", "LEFT OUT [[]1[]] no GPU"]


@pytest.fixture(autouse=True)
def suite(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nmarkers =\n    slow:\n    gpu:")
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text())


def test_what_is_left_out_is_counted(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    result = pytester.runpytest("-p", "no:xdist")
    result.assert_outcomes(passed=1, deselected=2)
    result.stdout.fnmatch_lines_random(COUNTS)


def test_slow_tests_run_when_asked_for(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    result = pytester.runpytest("-p", "no:xdist", "--slow")
    result.assert_outcomes(passed=2)
    assert "slow:" not in str(result.stdout)


@pytest.mark.parametrize(("option", "reason"), [("long", "slow: run with --slow"), ("card", "no GPU")])
def test_a_run_of_nothing_else_says_why_it_skips(pytester: pytest.Pytester, option: str, reason: str) -> None:
    pytester.makepyfile(TESTS)
    result = pytester.runpytest("-p", "no:xdist", "-rs", "-k", option)
    result.assert_outcomes(skipped=1, deselected=2)
    result.stdout.fnmatch_lines([f"SKIPPED*{reason}"])


def test_processes_count_once_and_take_whole_files(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    one = "met = []\ndef test_a(): met.append(1)\ndef test_b(): assert met\n"
    pytester.makepyfile(test_it=TESTS, test_one=one, test_two=one)
    result = pytester.runpytest_subprocess("-n", "2")
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines_random(COUNTS)


def test_what_fails_in_another_process_is_told(pytester: pytest.Pytester) -> None:
    """Reports of what passes before and after a test are not sent."""
    pytest.importorskip("xdist")
    pytester.makepyfile("""
        import pytest
        @pytest.fixture
        def broken(): assert False, "before"
        @pytest.fixture
        def left():
            yield
            assert False, "after"
        def test_right(): pass
        def test_wrong(): assert False, "meanwhile"
        def test_before(broken): pass
        def test_after(left): pass
        def test_skipped(): pytest.skip("left out")
        @pytest.mark.skip(reason="never run")
        def test_never(): pass
    """)
    result = pytester.runpytest_subprocess("-n", "2", "-rs")
    result.assert_outcomes(passed=2, failed=1, errors=2, skipped=2)
    result.stdout.fnmatch_lines_random(["*before", "*after", "*meanwhile", "*left out", "*never run"])


@pytest.mark.parametrize(("given", "used"), [("", "1"), ("2", "2")])
def test_blas_has_one_thread_unless_told_otherwise(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, given: str, used: str
) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    if given:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", given)
    threads = "os.environ['OPENBLAS_NUM_THREADS']"
    pytester.makepyfile(f"import os\ndef test_it(): assert {threads} == {used!r}")
    pytester.runpytest_subprocess("-p", "no:xdist").assert_outcomes(passed=1)


def test_processes_share_bytecode_that_may_not_lie_beside_sources(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    pytester.makepyfile(found="", test_it="""
        import os, subprocess, sys
        from pathlib import Path
        def test_it():
            subprocess.run([sys.executable, "-c", "import found"], check=True)
            (compiled,) = Path(os.environ["PYTHONPYCACHEPREFIX"]).rglob("found.*.pyc")
            Path("place").write_text(str(compiled))
    """)  # fmt: skip
    pytester.runpytest_subprocess("-p", "no:xdist").assert_outcomes(passed=1)
    assert not Path((pytester.path / "place").read_text()).exists()
    assert not list(pytester.path.rglob("*.pyc"))
