"""Nested containers of arrays on disk: one .npz file, no pickle."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from .errors import TreeError
from .ops.device import on_host

_STRUCTURE = "structure"


def save(path: str | os.PathLike[str], tree: Any) -> None:
    """Write nested containers of arrays and plain scalars to `path`, atomically.

    Containers are lists, tuples, and dicts with string keys.

    Raises:
        TreeError: something in the container cannot be written without pickle; the message names it.
    """
    import json  # these three are imported here to keep `import adjoint` light
    import secrets

    arrays: dict[str, np.ndarray] = {}
    structure = json.dumps(_encode(tree, arrays, ""))
    target = Path(path)
    if not target.parent.is_dir():  # else the error would name a file that nobody asked for
        raise FileNotFoundError(f"cannot write {target}: there is no directory {target.parent}")
    # not a name from tempfile: the file is to have the permissions of any new file
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "xb") as file:
            np.savez(file, allow_pickle=False, **{_STRUCTURE: np.array(structure)}, **arrays)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def load(path: str | os.PathLike[str]) -> Any:
    """Read what `save` wrote: the same containers, arrays and Python scalars, shapes and dtypes kept.

    Raises:
        TreeError: the file was not written by `save`.
    """
    import json
    import zipfile

    with open(path, "rb") as file:
        try:
            with np.load(file, allow_pickle=False) as archive:
                return _decode(json.loads(str(archive[_STRUCTURE])), archive)
        except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise TreeError(
                f"{os.fspath(path)} was not written by ad.save, or is damaged: {error}"
            ) from error


def _encode(tree: Any, arrays: dict[str, np.ndarray], path: str) -> Any:
    if tree is None or (isinstance(tree, (bool, int, float, str)) and not isinstance(tree, np.generic)):
        return {"scalar": tree}
    if isinstance(tree, dict):
        if not all(isinstance(k, str) for k in tree):
            raise TreeError(f"ad.save: keys must be strings, at {path or 'the top'}")
        return {"dict": {k: _encode(v, arrays, f"{path}/{k}") for k, v in tree.items()}}
    if type(tree) in (list, tuple):
        return {type(tree).__name__: [_encode(v, arrays, f"{path}/{k}") for k, v in enumerate(tree)]}
    tree = on_host(tree)
    if isinstance(tree, (np.ndarray, np.generic)) and not tree.dtype.hasobject:
        key = f"array{len(arrays)}"
        arrays[key] = np.asarray(tree)
        return {"array": key, "generic": isinstance(tree, np.generic)}
    raise TreeError(
        f"ad.save cannot write {type(tree).__name__} at {path or 'the top'}; "
        "arrays, scalars and containers only"
    )


def _decode(node: Any, archive: Any) -> Any:
    ((kind, content),) = [(k, v) for k, v in node.items() if k != "generic"]
    if kind == "scalar":
        return content
    if kind == "dict":
        return {k: _decode(v, archive) for k, v in content.items()}
    if kind in ("list", "tuple"):
        parts = [_decode(v, archive) for v in content]
        return parts if kind == "list" else tuple(parts)
    array = archive[content]
    return array[()] if node["generic"] else array
