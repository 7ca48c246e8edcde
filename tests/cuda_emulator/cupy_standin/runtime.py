"""The device and its versions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from . import streams
from .errors import CONTROL, CUDARuntimeError

# runtime.memcpyKind
HOST_TO_DEVICE, DEVICE_TO_HOST, DEVICE_TO_DEVICE, DEFAULT = 1, 2, 3, 4


class Device:
    """As `cupy.cuda.Device`."""

    def __init__(self, device: Any = None) -> None:
        self.id = int(getattr(device, "id", device) or 0)

    def __enter__(self) -> Device:
        self.use()
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.id == self.id

    __hash__ = None  # type: ignore[assignment]

    def __int__(self) -> int:
        return self.id

    def use(self) -> None:
        """Make it the current one."""
        CONTROL.require_device()
        if self.id:
            raise CUDARuntimeError("cudaErrorInvalidDevice")

    def synchronize(self) -> None:
        """Wait for all its streams that are known."""
        streams.current().synchronize()

    @property
    def compute_capability(self) -> str:
        """`"80"` for 8.0."""
        CONTROL.require_device()
        return CONTROL.capability

    @property
    def mem_info(self) -> tuple[int, int]:
        """Bytes free, and in all."""
        return memGetInfo()

    @property
    def attributes(self) -> dict[str, int]:
        """A few of CUDA's."""
        CONTROL.require_device()
        return {
            "MaxThreadsPerBlock": 1024,
            "MaxSharedMemoryPerBlock": 48 << 10,
            "WarpSize": 32,
            "MultiProcessorCount": 4,
        }


def getDeviceCount() -> int:
    """How many there are."""
    CONTROL.require_device()
    return 1


def getDevice() -> int:
    """The current one's number."""
    CONTROL.require_device()
    return 0


def setDevice(device: int) -> None:
    """Choose one."""
    Device(device).use()


def getDeviceProperties(device: int) -> dict[str, Any]:
    """What the driver says of it; names are bytes, as cupy has them."""
    Device(device).use()
    major, minor = CONTROL.capability[:-1], CONTROL.capability[-1]
    return {
        "name": CONTROL.name.encode(), "totalGlobalMem": CONTROL.memory, "major": int(major),
        "minor": int(minor), "multiProcessorCount": 4, "warpSize": 32, "maxThreadsPerBlock": 1024,
        "sharedMemPerBlock": 48 << 10, "clockRate": 1000000, "memoryClockRate": 1000000,
        "memoryBusWidth": 256,
    }  # fmt: skip


def driverGetVersion() -> int:
    """The newest CUDA that the driver serves; 0 without a driver."""
    return CONTROL.driver


def runtimeGetVersion() -> int:
    """The CUDA that cupy was built with; it needs a driver to say so."""
    if CONTROL.missing == "cudaErrorInsufficientDriver":
        CONTROL.require_device()
    return CONTROL.runtime


def memGetInfo() -> tuple[int, int]:
    """Bytes free, and in all."""
    from .memory import get_default_memory_pool

    CONTROL.require_device()
    return CONTROL.memory - get_default_memory_pool().total_bytes(), CONTROL.memory


def deviceSynchronize() -> None:
    """Wait for everything."""
    streams.current().synchronize()


def is_available() -> bool:
    """Whether there is a device."""
    return not CONTROL.missing


def get_local_runtime_version() -> int:
    """The version of the CUDA libraries that are installed."""
    return CONTROL.runtime


def streamIsCapturing(stream: int) -> bool:
    """Whether the current stream captures."""
    return streams.current().is_capturing()


module = SimpleNamespace(
    CUDARuntimeError=CUDARuntimeError, getDeviceCount=getDeviceCount, getDevice=getDevice,
    setDevice=setDevice, getDeviceProperties=getDeviceProperties, driverGetVersion=driverGetVersion,
    runtimeGetVersion=runtimeGetVersion, memGetInfo=memGetInfo, deviceSynchronize=deviceSynchronize,
    streamIsCapturing=streamIsCapturing, memcpyHostToDevice=HOST_TO_DEVICE,
    memcpyDeviceToHost=DEVICE_TO_HOST, memcpyDeviceToDevice=DEVICE_TO_DEVICE, memcpyDefault=DEFAULT,
    streamCaptureModeGlobal=0, streamCaptureModeThreadLocal=1, streamCaptureModeRelaxed=2,
)  # fmt: skip
