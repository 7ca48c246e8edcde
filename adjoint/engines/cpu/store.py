"""The directory of compiled kernels: where it is, whether it may be trusted, files written whole.

`$ADJOINT_CACHE_DIR`, else the user's cache directory. Machine code is run from there, so a directory that
others own or may write is refused, and kernels then live in a private one until the process ends.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import secrets
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple

_MAGIC = b"adjoint object 1\n"


class Location(NamedTuple):
    """A directory, and why it is not the one that was asked for (empty when it is)."""

    directory: Path
    refusal: str = ""


_location: Location | None = None


def wanted() -> Path:
    """The directory kernels should live in: `$ADJOINT_CACHE_DIR`, else the platform's place for caches."""
    chosen = os.environ.get("ADJOINT_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~\\AppData\\Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "adjoint" / "kernels"


def location() -> Location:
    """The directory in use, made on the first call; warns once when it has to be a temporary one."""
    global _location
    if _location is None:
        directory = wanted()
        found = objection(directory)
        _location = _fallen_back(found) if found else Location(directory)
    return _location


def give_up(error: OSError) -> None:
    """Go on in a temporary directory after a write failed; raises when there it failed too."""
    global _location
    current = location()
    if current.refusal:
        raise error
    _location = _fallen_back(f"{current.directory} cannot be written ({error.strerror or error})")


def _fallen_back(refusal: str) -> Location:
    warnings.warn(
        f"compiled kernels are kept for this process only: {refusal}; "
        "set ADJOINT_CACHE_DIR to a directory of your own",
        RuntimeWarning,
        stacklevel=3,
    )
    return Location(_temporary(), refusal)


def objection(directory: Path) -> str:
    """Why kernels cannot be kept there; empty when they can."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if hasattr(os, "getuid"):
            found = directory.stat()
            if found.st_uid != os.getuid():
                return f"{directory} belongs to another user"
            if found.st_mode & 0o022:
                return f"{directory} may be written by others (chmod go-w)"
        with tempfile.TemporaryFile(dir=directory):  # permissions do not tell: read-only mounts, root
            return ""
    except OSError as error:
        return f"{directory} cannot be written ({error.strerror or error})"


def _temporary() -> Path:
    directory, owner = tempfile.mkdtemp(prefix="adjoint-"), os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # a forked child must not take the parent's kernels away
            shutil.rmtree(directory, ignore_errors=True)

    atexit.register(remove)
    return Path(directory)


def write(path: Path, data: bytes) -> None:
    """Write a file so that readers see it whole or not at all.

    Two processes may write the same kernel: either's file serves both, the later rename wins.
    """
    if read(path) == data:
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path) -> bytes | None:
    """A file's bytes; None when there is none that can be read."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def seal(symbol: str, code: bytes) -> bytes:
    """Object code with the name of its entry, under a digest: LLVM may crash on damaged code."""
    body = symbol.encode() + b"\n" + code
    return _MAGIC + hashlib.sha256(body).digest() + body


def unseal(data: bytes) -> tuple[str, bytes] | None:
    """Symbol and object code; None when the bytes are not what `seal` made."""
    start = len(_MAGIC) + 32
    body = data[start:]
    if not data.startswith(_MAGIC) or hashlib.sha256(body).digest() != data[len(_MAGIC) : start]:
        return None
    symbol, _, code = body.partition(b"\n")
    return symbol.decode(), code


def usage(directory: Path) -> tuple[int, int]:
    """Files below a directory and their bytes."""
    sizes = []
    for path in directory.rglob("*"):
        try:
            if path.is_file():
                sizes.append(path.stat().st_size)
        except OSError:  # another process clears at the same time
            continue
    return len(sizes), sum(sizes)
