"""cupy, where it can be used; why it cannot be, in words."""

from __future__ import annotations

from typing import Any

from ...errors import DeviceError, MissingPackageError

INSTALL = "pip install 'adjoint-autodiff[gpu]'  (CUDA 13; for CUDA 12: pip install cupy-cuda12x)"


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
            raise DeviceError(_broken(error)) from error
        raise MissingPackageError(f'engine="cupy" needs cupy, which is not installed\n  {INSTALL}') from None
    except ImportError as error:
        raise DeviceError(_broken(error)) from error
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise DeviceError(no_device(str(error))) from error
    if not count:
        raise DeviceError(no_device("cudaErrorNoDevice: no CUDA-capable device is detected"))
    return cupy


def _broken(error: ImportError) -> str:
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return (
        f"cupy is installed but cannot be loaded: {first}\n"
        "  Its wheel must fit the CUDA libraries; cupy-cuda12x and cupy-cuda13x exclude each other\n"
        f"  {INSTALL}"
    )


def no_device(text: str) -> str:
    """What CUDA's complaint about a driver or device means."""
    if "InsufficientDriver" in text:
        remedy = (
            "There is no NVIDIA driver, or it is older than the CUDA that cupy's wheel was built for: "
            "install a driver, or the wheel for your driver's CUDA (nvidia-smi shows it)"
        )
    else:
        remedy = "cupy sees no device: look at nvidia-smi and at CUDA_VISIBLE_DEVICES"
    return f'engine="cupy" found no GPU: {text}\n  {remedy}\n  engine="numba" runs the program on the CPU'
