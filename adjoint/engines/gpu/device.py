"""cupy, where it can be used."""

from __future__ import annotations

from typing import Any

from ...errors import DeviceError, MissingPackageError
from .condition import INSTALL, broken, condition_of, wheels


def usable() -> Any:
    """The module cupy, when there is a device for it.

    Raises:
        MissingPackageError: cupy is not installed.
        DeviceError: it is, but it cannot be loaded, or finds no driver or no device.
    """
    try:
        import cupy
    except ModuleNotFoundError as error:
        if error.name != "cupy" or wheels():
            raise _refused(broken(error)) from error
        raise MissingPackageError(f'engine="cupy" needs cupy, which is not installed\n  {INSTALL}') from None
    except ImportError as error:
        raise _refused(broken(error)) from error
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise unusable(cupy) from error
    if not count:
        raise unusable(cupy)
    return cupy


def unusable(cupy: Any) -> DeviceError:
    """The error for a machine on which cupy has no device, or lacks a library."""
    return _refused(condition_of(cupy))


def no_room(what: str, error: Exception) -> DeviceError:
    """The error for an allocation that failed, as cupy's error says."""
    return DeviceError(
        f"the device has no room for {what}: {error}\n"
        "  Smaller batches need less, ad.checkpoint keeps fewer values for the adjoint sweep, and "
        "cupy.get_default_memory_pool().free_all_blocks() gives back what others have left"
    )


def _refused(why: str) -> DeviceError:
    return DeviceError(f'engine="cupy" cannot run here: {why}\n  engine="numba" runs the program on the CPU')
