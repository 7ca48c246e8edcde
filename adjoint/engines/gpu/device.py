"""cupy, where it can be used."""

from __future__ import annotations

from typing import Any

from ...errors import DeviceError, MissingPackageError
from .condition import INSTALL, broken, condition_of


def usable() -> Any:
    """The module cupy, when there is a device for it.

    Raises:
        MissingPackageError: cupy is not installed.
        DeviceError: it is, but it cannot be loaded, or finds no driver or no device.
    """
    try:
        import cupy
    except ModuleNotFoundError as error:
        if error.name != "cupy":
            raise _unusable(broken(error)) from error
        raise MissingPackageError(f'engine="cupy" needs cupy, which is not installed\n  {INSTALL}') from None
    except ImportError as error:
        raise _unusable(broken(error)) from error
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise _unusable(condition_of(cupy)) from error
    if not count:
        raise _unusable(condition_of(cupy))
    return cupy


def _unusable(why: str) -> DeviceError:
    return DeviceError(f'engine="cupy" cannot run here: {why}\n  engine="numba" runs the program on the CPU')
