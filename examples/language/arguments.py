"""What the scripts of this subject are called with: a folder for what they write, and `--quick`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path


def arguments(words: list[str] | None = None) -> tuple[Path, bool]:
    """The folder, made before minutes of work go into it, and whether the quick form is asked for.

    Args:
        words: of the command line, after the script's name; those of this process when it is None.

    Raises:
        SystemExit: there is another option, or more than one folder.
    """
    words = sys.argv[1:] if words is None else words
    folders = [word for word in words if not word.startswith("-")]
    unknown = [word for word in words if word.startswith("-") and word != "--quick"]
    if unknown or len(folders) > 1:
        wrong = f"no option {unknown[0]}" if unknown else f"{len(folders)} folders: {', '.join(folders)}"
        sys.exit(f"{wrong}\n  python {sys.argv[0]} [FOLDER] [--quick]")
    folder = Path(folders[0] if folders else tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    return folder, "--quick" in words
