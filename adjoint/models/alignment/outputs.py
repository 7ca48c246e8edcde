"""Files that appear whole or not at all: written beside their target under another name, then renamed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from .columns import complaint


class Outputs:
    """Every output of a run. Whether they can be written is settled on entry, before anything is computed.

    On leaving, what was not committed is removed, whatever ended the run: an error or an interruption.

    Args:
        targets: what an output is → where it shall lie; None: not wanted.
        inputs: files that must not be written to.

    Raises:
        DataError: on entry, a target is an input, another target, a directory, or cannot be written.

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> with Outputs({"report": folder / "a.json"}) as outputs:
    ...     _ = outputs["report"].write_text("{}")
    ...     before = (folder / "a.json").exists()
    ...     outputs.commit()
    >>> before, [p.name for p in folder.iterdir()]
    (False, ['a.json'])
    """

    def __init__(
        self,
        targets: Mapping[str, str | os.PathLike[str] | None],
        inputs: Iterable[str | os.PathLike[str]] = (),
    ) -> None:
        self.targets = {what: Path(path) for what, path in targets.items() if path is not None}
        self._inputs = [Path(path) for path in inputs]
        self._parts: dict[str, Path] = {}

    def __enter__(self) -> Outputs:
        try:
            for what, target in self.targets.items():
                self._check(what, target)
                part = target.parent / f".adjoint-{secrets.token_hex(8)}.part"
                self._parts[what] = part
                os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except OSError as error:
            self._remove()
            raise complaint(
                f"{what} cannot be written to {str(target)!r}: {error.strerror or error}",
                "Name a file in a folder that exists and that you may write to.",
            ) from None
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def __contains__(self, what: str) -> bool:
        return what in self.targets

    def __getitem__(self, what: str) -> Path:
        """Where to write an output until it is committed."""
        return self._parts[what]

    def commit(self, *which: str) -> None:
        """Give outputs their names; without arguments, all of them."""
        for what in which or tuple(self._parts):
            if what in self._parts:
                os.replace(self._parts[what], self.targets[what])
                del self._parts[what]

    def _check(self, what: str, target: Path) -> None:
        if target.is_dir():
            raise complaint(f"{what}: {str(target)!r} is a folder", "Give the name of a file in it.")
        if target.exists() and not target.is_file():
            raise complaint(f"{what}: {str(target)!r} is not a plain file", "Give the name of one.")
        if target.exists() and not os.access(target, os.W_OK):
            raise complaint(f"{what} cannot be written to {str(target)!r}: it is read-only")
        for given in self._inputs:
            if same_file(target, given):
                raise complaint(f"{what} would overwrite the scores, {str(given)!r}", "Give another name.")
        for other in self._parts:
            if same_file(target, self.targets[other]):
                raise complaint(
                    f"{what} and {other} would be the same file, {str(target)!r}", "Give each its own name."
                )

    def _remove(self) -> None:
        for part in self._parts.values():
            with suppress(OSError):
                part.unlink(missing_ok=True)
        self._parts.clear()


def same_file(a: Path, b: Path) -> bool:
    """Whether two paths are one file, or would be."""
    if a.exists() and b.exists():
        return a.samefile(b)
    return a.resolve() == b.resolve()
