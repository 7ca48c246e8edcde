"""The line of `doctor` about the GPU engine, on every machine that the stand-in can play."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import adjoint as ad
from adjoint.__main__ import main
from adjoint.engines.gpu import condition as gpu
from adjoint.engines.gpu import device
from adjoint.errors import DeviceError
from tests.cuda_emulator.cupy_standin import CONTROL, standing_in

WHEEL = [("cupy-cuda13x", "14.2.0")]


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The stand-in, with a wheel that is installed."""
    monkeypatch.setattr(gpu, "wheels", lambda: WHEEL)
    with standing_in() as module:
        yield module


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        (
            {},
            "ready, Stand-in for a CUDA device, compute capability 8.0, 8.59 GB; driver of CUDA 13.0",
        ),
        (
            {"missing": "cudaErrorInsufficientDriver", "driver": 0},
            "14.2.0 is installed, but no NVIDIA driver is: install one if this machine has a GPU",
        ),
        (
            {"missing": "cudaErrorInsufficientDriver", "driver": 12040},
            "needs a driver of CUDA 13, this one serves 12.4: update the driver, or pip uninstall "
            "cupy-cuda13x and pip install cupy-cuda12x",
        ),
        (
            {"missing": "cudaErrorNoDevice"},
            "driver of CUDA 13.0: cudaErrorNoDevice: no CUDA-capable device is detected; look at nvidia-smi",
        ),
        (
            {"libraries": frozenset({"nvrtc"})},
            "lacks NVRTC, which compiles kernels: pip install 'cupy-cuda13x[ctk]'",
        ),
        ({"libraries": frozenset({"cublas"})}, "lacks cuBLAS, which multiplies matrices: pip install"),
    ],
)
def test_every_machine_has_its_line(
    cupy: Any, monkeypatch: pytest.MonkeyPatch, machine: Any, said: str
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with CONTROL.playing(**machine):
        text = gpu.condition()
    assert said in text and "\n" not in text, text


def test_hidden_devices_are_named(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    with CONTROL.playing(missing="cudaErrorNoDevice"):
        assert gpu.condition().endswith("CUDA_VISIBLE_DEVICES is '-1'")


def test_wheels_that_lack_or_collide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "wheels", list)
    assert "cupy is not installed: pip install 'adjoint-autodiff[gpu]'" in gpu.condition()
    monkeypatch.setattr(gpu, "wheels", lambda: [*WHEEL, ("cupy-cuda12x", "13.6.0")])
    assert "cupy-cuda13x and cupy-cuda12x are both installed and overwrite each other" in gpu.condition()


def test_a_wheel_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "wheels", lambda: WHEEL)
    monkeypatch.setattr(device, "wheels", lambda: WHEEL)
    with standing_in():
        monkeypatch.setitem(__import__("sys").modules, "cupy", None)
        text = gpu.condition()
        assert "cupy-cuda13x 14.2.0 cannot be loaded: import of cupy halted" in text
        # pip counts the wheel as installed: it has to be told to install it again
        assert text.endswith("; pip install --force-reinstall --no-deps cupy-cuda13x")
        with pytest.raises(DeviceError, match=r"cannot be loaded.*--force-reinstall --no-deps cupy-cuda13x"):
            ad.compile(abs, engine="cupy")


@pytest.mark.parametrize(
    ("error", "cause", "said", "remedy"),
    [
        (
            ImportError("libcublas.so.12: cannot open"),
            None,
            "libcublas.so.12",
            "pip install 'cupy-cuda13x[ctk]'",
        ),
        (
            ModuleNotFoundError("No module named 'fastrlock'", name="fastrlock"),
            None,
            "No module named 'fastrlock'",
            "pip install --force-reinstall cupy-cuda13x",
        ),
        (
            ImportError(
                "\n====\nFailed to import CuPy.\n\nOriginal error:\n  ModuleNotFoundError: no core\n====\n"
            ),
            ModuleNotFoundError("no core", name="cupy._core"),
            "cannot be loaded: ModuleNotFoundError: no core;",
            "pip install --force-reinstall --no-deps cupy-cuda13x",
        ),
    ],
)
def test_what_a_wheel_lacks_decides_what_to_install(
    monkeypatch: pytest.MonkeyPatch, error: ImportError, cause: Exception | None, said: str, remedy: str
) -> None:
    monkeypatch.setattr(gpu, "wheels", lambda: WHEEL)
    error.__cause__ = cause
    text = gpu.broken(error)
    assert said in text and text.endswith(f"; {remedy}") and "\n" not in text


def test_compile_names_two_wheels_before_it_blames_the_driver(
    cupy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "wheels", lambda: [*WHEEL, ("cupy-cuda12x", "14.2.0")])
    with (
        CONTROL.playing(missing="cudaErrorInsufficientDriver", driver=12040),
        pytest.raises(DeviceError, match="both installed and overwrite each other: uninstall both"),
    ):
        ad.compile(abs, engine="cupy")


def test_doctor_prints_the_whole_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu, "wheels", list)
    main(["doctor"])
    assert "'adjoint-autodiff[gpu]'" in capsys.readouterr().out


def test_doctor_shows_the_line(cupy: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "cupy-cuda13x" in shown and "Stand-in" in shown and "not part of this version" not in shown
