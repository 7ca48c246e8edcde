"""`module:name` on the command line: what it names, or what is wrong with it in words."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from typing import Any

from .errors import UnknownNameError


def load(target: str, what: str = "") -> Any:
    """The object that `module:name` or `module:name.attribute` names; the working directory is searched too.

    Args:
        target: as typed.
        what: what it is for, to begin the message with.

    Raises:
        UnknownNameError: not of that form, no such module, no such name in it; the message has the nearest.
    """
    module, _, path = target.partition(":")
    if not module or not path:
        raise UnknownNameError(f"{what or 'this'} needs module:function, got {target!r}")
    what = f"{what} {target}".lstrip()
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # the installed command does not look there by itself
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise UnknownNameError(f"{what}: importing {module} failed: {error}") from error
        hint = f"; did you mean {module.removesuffix('.py')}:{path}?" if module.endswith(".py") else ""
        raise UnknownNameError(
            f"{what}: there is no module {error.name!r} in {os.getcwd()} or among what is installed{hint}"
        ) from error
    except Exception as error:  # the user's module may raise anything
        said = f"{type(error).__name__}: {error}"
        raise UnknownNameError(f"{what}: importing {module} failed: {said}") from error
    for name in path.split("."):
        if not hasattr(found, name):
            near = difflib.get_close_matches(name, [n for n in dir(found) if not n.startswith("_")], n=3)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            whose = getattr(found, "__name__", type(found).__name__)
            raise UnknownNameError(f"{what}: {whose} has no {name!r}{hint}")
        found = getattr(found, name)
    return found
