"""Sources by g++: what is compiled together, what is kept, what is refused."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from adjoint.engines.gpu.modules import module_text, prelude

from . import compiler
from .compiler import CompileError, prepare

pytestmark = pytest.mark.skipif(compiler.missing() is not None, reason=str(compiler.missing()))


def kernel(name: str, body: str = "y[0] = 1;", before: str = "") -> str:
    return f'{before}extern "C" __global__ void {name}(float *y)\n{{\n    {body}\n}}\n'


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A place for what is compiled, where there is only the runtime."""
    usual = compiler.folder()
    own = tmp_path / usual.name
    own.mkdir()
    shutil.copy(usual / "runtime.so", own)
    monkeypatch.setattr(compiler, "cache_directory", lambda: tmp_path)
    compiler.folder.cache_clear()
    with compiler.unseen():
        yield compiler.folder()
    compiler.folder.cache_clear()


def batches(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*.so") if path.name != "runtime.so"]


def test_what_was_compiled_is_kept(folder: Path) -> None:
    a, b = kernel("a"), kernel("b")
    assert prepare([a, b, a]) == 2
    assert prepare([b, a]) == 0
    assert prepare([a], checked=False) == 1
    for path in batches(folder):
        path.unlink()  # the notes of where sources are stay
    assert prepare([a, b]) == 2


def test_a_source_that_is_refused_keeps_no_other_back() -> None:
    a, b, bad = kernel("a"), kernel("b"), kernel("bad", "y[0] = missing;")
    with pytest.raises(CompileError, match=r"bad\.cu:3:12: error: .missing. was not declared"):
        prepare([a, bad, b])
    assert prepare([a, b]) == 0
    with pytest.raises(CompileError, match="no  extern"):
        prepare(["int x;"])


def test_modules_share_their_kernels() -> None:
    a, b, c = ((kernel(name), name) for name in "abc")
    assert prepare([module_text([a, b])]) == 2
    assert prepare([module_text([b, c])]) == 1
    assert len({text for text in compiler.SEEN if text.startswith(prelude())}) >= 3


def test_kernels_that_bring_helpers_of_one_name_along(folder: Path) -> None:
    """They are compiled together all the same, the library's and others."""
    helper = "__device__ float helper() { return 2; }\n"
    sources = [kernel(name, "y[0] = helper();", helper) for name in "ab"]
    assert prepare(sources) == 2 and len(batches(folder)) == 1
    assert prepare([prelude() + source for source in sources]) == 2 and len(batches(folder)) == 2


def test_what_stands_before_kernels_is_parsed_once(folder: Path) -> None:
    prepare([prelude() + kernel("a")])
    (header,) = folder.glob("*.h")
    header.write_text("#error read again")
    assert prepare([prelude() + kernel("b")]) == 1
    header.with_suffix(".h.gch").write_bytes(b"spoiled")  # then the text counts
    with pytest.raises(CompileError, match="read again"):
        prepare([prelude() + kernel("c")])


def test_shared_arrays_of_one_declaration() -> None:
    body = "__shared__ float s[4][2],\n        t[8], one;\n    s[0][0] = t[0] = one = 1; y[0] = WRONG;"
    with pytest.raises(CompileError, match=r"a\.cu:5:38: error: .WRONG."):  # lines stay what they are
        prepare([kernel("a", body)])
    assert prepare([kernel("a", body.replace("WRONG", "s[0][0]"))]) == 1


def test_what_nobody_used_for_long_goes(folder: Path) -> None:
    prepare([kernel("a")])
    left = folder.parent / "another version"
    left.mkdir()
    for path in (left, *batches(folder)):
        os.utime(path, (0, 0))
    compiler.folder.cache_clear()
    assert compiler.folder() == folder
    assert not left.exists() and not batches(folder)
