"""ad.save and ad.load: containers of arrays in one .npz file, without pickle."""

from __future__ import annotations

import os
import pickle
import stat
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import TreeError

from .helpers import message, normal


class Point(NamedTuple):
    x: Any


TREES: dict[str, Any] = {
    "array": normal(3, 4),
    "float32": np.ones(2, np.float32),
    "0-d array": np.array(2.5),
    "numpy scalar": np.float64(2.5),
    "numpy bool": np.bool_(True),
    "float": 0.1,
    "int": 2**70,
    "bool": True,
    "string": "ü/\"'\\",
    "none": None,
    "list": [1.0, [2]],
    "tuple": (1.0, (2, [3, None])),
    "empty": [[], (), {}, np.zeros((0, 3))],
    "infinities": [float("inf"), -float("inf"), 5e-324],
    "dict": {
        "b": {"a": normal(2), "": 1},
        "structure": np.arange(3),
        "array0": 2,
        "generic": {"dict": 1, "scalar": 2},
    },
    "fortran": np.asfortranarray(normal(3, 4)),
    "strided": normal(6)[::2],
    "big-endian": np.arange(3, dtype=">f8"),
    "complex": np.ones(2) * 1j,
    "strings": np.array(["a", "bcd"]),
    "dates": np.array(["2020-01-01"], "datetime64[D]"),
    "half": np.ones(2, np.float16),
    "int8": np.int8(3),
    "bytes array": np.array([b"ab"]),
}


def same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, (np.ndarray, np.generic)):
        return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


@pytest.mark.parametrize("what", TREES)
def test_round_trip(what: str, tmp_path: Path) -> None:
    path = tmp_path / "tree.npz"
    ad.save(path, TREES[what])
    assert same(ad.load(path), TREES[what])
    assert os.listdir(tmp_path) == ["tree.npz"]
    with zipfile.ZipFile(path) as archive:  # every member is a plain .npy
        assert all(name.endswith(".npy") for name in archive.namelist())
    np.load(path, allow_pickle=False).close()


def test_nan_and_path_without_suffix(tmp_path: Path) -> None:
    ad.save(str(tmp_path / "model"), {"x": float("nan"), "y": np.array([np.nan])})
    found = ad.load(str(tmp_path / "model"))
    assert np.isnan(found["x"]) and np.isnan(found["y"][0])
    assert os.listdir(tmp_path) == ["model"]


def test_gradients_and_parameters_go_through(tmp_path: Path) -> None:
    g = ad.grad(lambda p: np.sum(p["w"] ** 2) * p["b"])({"w": normal(3), "b": 2.0})
    ad.save(tmp_path / "g", g)
    assert same(ad.load(tmp_path / "g"), g)


REFUSED: dict[str, tuple[Any, str]] = {
    "object": ({"a": [object()]}, "ad.save cannot write object at /a/0"),
    "object array": ([np.array([None])], "cannot write ndarray at /0"),
    "named tuple": (Point(1.0), "cannot write Point at the top"),
    "set": ({"a": {1}}, "cannot write set at /a"),
    "complex": ((1j,), "cannot write complex at /0"),
    "bytes": (b"ab", "cannot write bytes at the top"),
    "function": ({"f": np.sin}, "cannot write ufunc at /f"),
    "integer keys": ({"a": {1: 2.0}}, "keys must be strings, at /a"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_and_the_old_file_stays(what: str, tmp_path: Path) -> None:
    tree, words = REFUSED[what]
    path = tmp_path / "tree.npz"
    ad.save(path, {"old": 1})
    assert words in message(TreeError, ad.save, path, tree)
    assert ad.load(path) == {"old": 1}
    assert os.listdir(tmp_path) == ["tree.npz"]


def test_variables_are_refused(tmp_path: Path) -> None:
    with ad.Tape() as tape:
        x = tape.input(1.0)
        assert "cannot write Variable at /x" in message(TreeError, ad.save, tmp_path / "x", {"x": x})


def test_failing_write_leaves_the_old_file(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "tree.npz"
    ad.save(path, {"old": 1})
    real = np.savez

    def half(file: Any, *args: Any, **kwargs: Any) -> None:
        real(file, *args, **kwargs)
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", half)
    assert "disk full" in message(OSError, ad.save, path, {"new": 2})
    monkeypatch.undo()
    assert ad.load(path) == {"old": 1}
    assert os.listdir(tmp_path) == ["tree.npz"]


def test_file_is_as_readable_as_any_other(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    ad.save(tmp_path / "tree", 1.0)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "tree")]
    assert modes[0] == modes[1]


def test_wrong_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", a=np.ones(2))
    np.save(tmp_path / "one.npy", np.ones(2))
    (tmp_path / "text").write_text("not an archive")
    (tmp_path / "pickled").write_bytes(pickle.dumps({"a": 1}))
    (tmp_path / "empty").write_bytes(b"")
    ad.save(tmp_path / "cut", normal(100))
    (tmp_path / "cut").write_bytes((tmp_path / "cut").read_bytes()[:300])
    for name in ("other.npz", "one.npy", "text", "pickled", "empty", "cut"):
        assert f"{name} was not written by ad.save" in message(TreeError, ad.load, tmp_path / name)
    with pytest.raises(FileNotFoundError):
        ad.load(tmp_path / "missing")
    with pytest.raises(FileNotFoundError):
        ad.save(tmp_path / "no" / "folder", 1.0)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"cannot write .*nowhere/a\.npz: there is no directory"):
        ad.save(tmp_path / "nowhere" / "a.npz", {"a": 1.0})
