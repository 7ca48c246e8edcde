"""The kernel cache: compiled once, found again, never trusted blindly."""

from __future__ import annotations

import ctypes
import math
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from adjoint.__main__ import main
from adjoint.engines.cpu import cache, objects, store
from adjoint.errors import AdjointError

from .kernels import ADD, PRELUDE

TRIPLE = """
@cfunc("int64(int64)", error_model="numpy")
def entry(x):
    return 3 * x
"""


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, in this process."""
    fresh(monkeypatch)
    monkeypatch.setenv("ADJOINT_CACHE_DIR", str(tmp_path / "kernels"))
    cache._forget_modules()
    return tmp_path / "kernels"


def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the process had just begun; restored at the end of the test."""
    monkeypatch.setattr(store, "_location", None)
    monkeypatch.setattr(cache, "_known", {})
    monkeypatch.setattr(cache, "_counts", cache.Statistics())


def call(kernel: cache.Kernel, x: int) -> int:
    return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(kernel.address)(x)


def python(code: str, **environment: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


def test_compiled_then_remembered_then_loaded(kernels: Path, monkeypatch) -> None:
    first = cache.load(TRIPLE, prelude=PRELUDE)
    again = cache.load(TRIPLE, prelude=PRELUDE)
    assert first.compiled and first.seconds > 0 and call(first, 14) == 42
    assert not again.compiled and again.seconds == 0 and again.address == first.address
    fresh(monkeypatch)
    loaded = cache.load(TRIPLE, prelude=PRELUDE)
    assert not loaded.compiled and loaded.address != first.address and call(loaded, 14) == 42
    assert cache.statistics()[0:3:2] == (0, 1)
    assert first.name == loaded.name and (cache.folder() / f"{first.name}.py").read_text() == PRELUDE + TRIPLE


def test_another_text_is_another_kernel(kernels: Path) -> None:
    three = cache.load(TRIPLE, prelude=PRELUDE)
    four = cache.load(TRIPLE.replace("3 *", "4 *"), prelude=PRELUDE)
    assert (call(three, 1), call(four, 1)) == (3, 4) and three.name != four.name
    assert cache.statistics().compiled == 2


def test_a_module_with_several_entries_is_compiled_once(kernels: Path, monkeypatch) -> None:
    text = TRIPLE + TRIPLE.replace("entry", "half").replace("3 * x", "x // 2")
    cache.load(text, prelude=PRELUDE)
    fresh(monkeypatch)
    half = cache.load(text, "half", prelude=PRELUDE)
    assert not half.compiled and call(half, 9) == 4
    with pytest.raises(AdjointError, match="defines no cfunc named other"):
        cache.load(text, "other", prelude=PRELUDE)


WARM = f"""
import sys
from adjoint.__main__ import main
from adjoint.engines.cpu import cache
kernel = cache.load({ADD!r}, prelude={PRELUDE!r})
print(kernel.compiled, "numba" in sys.modules)
"""


def test_processes_start_without_numba(tmp_path: Path) -> None:
    where = str(tmp_path / "kernels")
    assert python(WARM, ADJOINT_CACHE_DIR=where) == "True False"
    assert python(WARM, ADJOINT_CACHE_DIR=where) == "False False"
    # options that shape machine code have kernels of their own; others do not
    assert python(WARM, ADJOINT_CACHE_DIR=where, NUMBA_NUM_THREADS="1") == "False False"
    assert python(WARM, ADJOINT_CACHE_DIR=where, NUMBA_OPT="1", NUMBA_CPU_NAME="generic") == "True False"


def test_two_processes_compile_the_same_kernel(tmp_path: Path) -> None:
    run = [sys.executable, "-W", "error", "-c", WARM]
    environment = {**os.environ, "ADJOINT_CACHE_DIR": str(tmp_path / "kernels")}
    both = [
        subprocess.Popen(run, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in both:
        output, error = process.communicate()
        assert process.returncode == 0, error
        assert output.split()[0] in ("True", "False")
    assert not list(tmp_path.rglob(".*"))  # temporary files
    assert python(WARM, ADJOINT_CACHE_DIR=str(tmp_path / "kernels")) == "False False"


@pytest.mark.parametrize("suffix", [".entry.o", ".py"])
@pytest.mark.parametrize("damage", ["truncated", "altered", "empty"])
def test_damaged_files_are_made_anew(kernels: Path, monkeypatch, suffix: str, damage: str) -> None:
    name = cache.load(TRIPLE, prelude=PRELUDE).name
    path = cache.folder() / (name + suffix)
    whole = path.read_bytes()
    half = len(whole) // 2
    changed = whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :]
    path.write_bytes({"truncated": whole[:half], "altered": changed, "empty": b""}[damage])
    (cache.folder() / f"{name}.entry.o").write_bytes(path.read_bytes() if suffix != ".py" else b"")
    fresh(monkeypatch)
    kernel = cache.load(TRIPLE, prelude=PRELUDE)
    assert kernel.compiled and call(kernel, 14) == 42
    # numba numbers its functions: object code differs in names from one compilation to the next
    assert path.read_bytes() == whole or (suffix == ".entry.o" and store.unseal(path.read_bytes()))


CALLS_SUPPORT = """
from .helper import twice
@cfunc("int64(int64)", error_model="numpy")
def entry(x):
    return twice(x) + {}
"""


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_damaged_files_of_numba_are_made_anew(kernels: Path, monkeypatch, ending: str) -> None:
    texts = cache._support() | {
        "helper": "from numba import njit\n@njit(cache=True)\ndef twice(x):\n    return x + x\n"
    }
    monkeypatch.setattr(cache, "_support", lambda: texts)
    call(cache.load(CALLS_SUPPORT.format(1), prelude=PRELUDE), 1)
    damaged = list(cache.folder().glob(f"__pycache__/*.{ending}"))
    assert damaged
    for path in damaged:
        path.write_bytes(path.read_bytes()[:40])
    fresh(monkeypatch)
    cache._forget_modules()
    assert call(cache.load(CALLS_SUPPORT.format(2), prelude=PRELUDE), 4) == 10
    assert all(path.stat().st_size != 40 for path in cache.folder().glob(f"__pycache__/*.{ending}"))


def refused(directory: Path) -> str:
    with pytest.warns(RuntimeWarning, match="kept for this process only") as caught:
        location = store.location()
        assert store.location() is location  # no second warning
    assert len(caught) == 1 and location.refusal in str(caught[0].message)
    assert location.directory != directory and location.directory.stat().st_mode & 0o777 == 0o700
    return location.refusal


def test_an_unwritable_place_falls_back_to_a_private_one(kernels: Path) -> None:
    kernels.write_text("a file where the directory should be")
    assert "cannot be written" in refused(kernels)
    assert call(cache.load(TRIPLE, prelude=PRELUDE), 2) == 6


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="POSIX owners and permissions")
def test_a_directory_others_may_write_is_refused(kernels: Path) -> None:
    kernels.mkdir()
    kernels.chmod(0o770)
    assert "may be written by others" in refused(kernels)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="POSIX owners and permissions")
def test_a_directory_of_another_user_is_refused(kernels: Path, monkeypatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: kernels.parent.stat().st_uid + 1)
    assert "belongs to another user" in refused(kernels)


def test_a_disk_that_fills_up_later(kernels: Path, monkeypatch) -> None:
    store.location()
    real = store.write

    def write(path: Path, data: bytes) -> None:
        if kernels in path.parents:
            raise OSError(28, "No space left on device")
        real(path, data)

    monkeypatch.setattr(store, "write", write)
    with pytest.warns(RuntimeWarning, match="No space left on device"):
        assert call(cache.load(TRIPLE, prelude=PRELUDE), 2) == 6


def test_the_temporary_place_is_removed_at_exit(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code = f"""
import warnings
warnings.simplefilter("ignore")
from adjoint.__main__ import main
from adjoint.engines.cpu import cache, store
cache.load({TRIPLE!r}, prelude={PRELUDE!r})
print(store.location().directory)
"""
    assert not Path(python(code, ADJOINT_CACHE_DIR=str(tmp_path / "file"))).exists()


def test_where_kernels_are_wanted(monkeypatch) -> None:
    monkeypatch.setenv("ADJOINT_CACHE_DIR", "/elsewhere")
    assert store.wanted() == Path("/elsewhere").absolute()
    monkeypatch.delenv("ADJOINT_CACHE_DIR")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert store.wanted() == Path("/caches/adjoint/kernels").absolute()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert store.wanted() == Path("~/Library/Caches/adjoint/kernels").expanduser()


def test_clear_removes_kernels_and_nothing_else(kernels: Path) -> None:
    kernel = cache.load(TRIPLE, prelude=PRELUDE)
    (kernels / "mine").mkdir()
    (kernels / "mine" / "notes.txt").write_text("kept")
    files, size = cache.clear()
    assert files >= 3 and size > 1000
    assert [p.name for p in kernels.rglob("*")] == ["mine", "notes.txt"]
    assert call(kernel, 5) == 15  # what is loaded stays
    assert cache.load(TRIPLE, prelude=PRELUDE).compiled


def test_threads_ask_for_the_same_kernel(kernels: Path) -> None:
    found: list[cache.Kernel] = []
    asking = [
        threading.Thread(target=lambda: found.append(cache.load(TRIPLE, prelude=PRELUDE))) for _ in range(4)
    ]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len({k.address for k in found}) == 1 and sum(k.compiled for k in found) == 1


def test_a_text_that_does_not_compile_says_so(kernels: Path) -> None:
    from numba.core.errors import NumbaError

    with pytest.raises(NumbaError, match="no_such_name"):
        cache.load(TRIPLE.replace("3 * x", "no_such_name"), prelude=PRELUDE)
    with pytest.raises(SyntaxError):
        cache.load("def entry(:", prelude=PRELUDE)


def test_a_kernel_that_raises_is_heard_of(tmp_path: Path) -> None:
    code = f"""
import ctypes
from adjoint.__main__ import main
from adjoint.engines.cpu import cache
kernel = cache.load('''
@cfunc("int64(int64)")
def entry(x):
    if x > 2:
        raise ValueError("too large")
    return 1 // x
''', prelude={PRELUDE!r})
call = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(kernel.address)
print(call(1), call(3) or "")
"""
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.stdout.startswith("1")
    assert finished.stderr.count("raised; what it was to compute is not there") == 1


def test_without_numba_or_its_compiler(kernels: Path, monkeypatch) -> None:
    assert cache.unavailable() == ""
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    with pytest.raises(AdjointError, match="NUMBA_DISABLE_JIT is set"):
        cache.load(TRIPLE, prelude=PRELUDE)


def test_the_command_line_shows_and_clears(kernels: Path, capsys) -> None:
    cache.load(TRIPLE, prelude=PRELUDE)
    assert main(["cache"]) == 0
    shown = capsys.readouterr().out.split()
    assert int(shown[0]) >= 4 and shown[-1] == str(kernels)
    assert main(["cache", "clear"]) == 0
    assert capsys.readouterr().out.split()[0] == shown[0]
    assert main(["cache", "show"]) == 0 and capsys.readouterr().out.startswith("0 files, 0.0 MB in")
    kernels.chmod(0o777)
    assert main(["cache", "clear"]) == 1 and "not used: " in capsys.readouterr().out


def test_the_doctor_tells_the_state_of_the_engine(kernels: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert main(["doctor"]) == 0
    assert f"threads of its own; kernels kept in {kernels}" in capsys.readouterr().out
    fresh(monkeypatch)
    kernels.chmod(0o777)
    main(["doctor"])
    assert "kept for this process only: " in capsys.readouterr().out
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    main(["doctor"])
    assert "NUMBA_DISABLE_JIT is set: ad.compile raises, all else runs" in capsys.readouterr().out


def test_symbols_an_object_lacks(kernels: Path) -> None:
    from numba import cfunc

    @cfunc("float64(float64)")
    def calls_libm(x):
        return math.sin(x)

    @cfunc("float64(float64)")
    def divides(x):
        return 1 / x

    objects_of = [f._library.serialize_using_object_code()[2][0] for f in (calls_libm, divides)]
    assert objects.undefined(objects_of[0]) == ["sin"]
    assert objects.link(objects_of[0], calls_libm.native_name)
    # numba's way of raising is not there without numba, and LLVM would end the process
    assert "numba_gil_ensure" in (objects.undefined(objects_of[1]) or [])
    assert objects.link(objects_of[1], divides.native_name) is None
    assert objects.undefined(b"MZ" + bytes(100)) is None
    assert objects.undefined(objects_of[0][:200]) is None
