"""NVRTC by ctypes: what its assembler tells of each kernel, many sources in one program, what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import compiler, nvrtc

pytestmark = pytest.mark.skipif(nvrtc.missing() is not None, reason=str(nvrtc.missing()))

LIGHT = """
extern "C" __global__ void light(const float *x, float *y) {
    __shared__ float s[256];
    s[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = s[255 - threadIdx.x];
}
"""
# 128 values that are alive together, and room for 64 registers
HEAVY = """
extern "C" __global__ void __launch_bounds__(1024) heavy(const double *x, double *y) {
    double kept[128];
#pragma unroll
    for (int k = 0; k < 128; k++) kept[k] = x[threadIdx.x + k * blockDim.x];
    __syncthreads();
#pragma unroll
    for (int k = 0; k < 128; k++)
        y[threadIdx.x + k * blockDim.x] = kept[k] * kept[127 - k] + kept[(k * 7) % 128];
}
"""
WRONG = 'extern "C" __global__ void wrong(float *y) { y[0] = INFINITY; }'


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(compiler, "cache_directory", lambda: tmp_path)


def test_a_report_for_each_kernel_and_architecture() -> None:
    found = nvrtc.compiled([LIGHT, HEAVY])
    assert [(r.kernel, r.architecture) for r in found] == [
        (kernel, architecture) for architecture in nvrtc.ARCHITECTURES for kernel in ("light", "heavy")
    ]
    light, heavy = found[:2]
    assert light.shared == 1024 and light.spilled == light.stack == 0 and 4 <= light.registers <= 32
    assert heavy.registers == 64 and heavy.spilled > 100


def test_what_was_compiled_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    first = nvrtc.compiled([LIGHT], ["sm_80"])
    monkeypatch.setattr(nvrtc, "compile_program", lambda *args: pytest.fail("compiled again"))
    assert nvrtc.compiled([LIGHT, LIGHT], ["sm_80"]) == first


def test_a_batch_with_a_refused_source() -> None:
    with pytest.raises(
        nvrtc.CompileError, match=r'sm_80: NVRTC_ERROR_COMPILATION[\s\S]*"INFINITY" is undefined'
    ):
        nvrtc.compiled([LIGHT, WRONG, HEAVY], ["sm_80"])
    assert len(nvrtc.compiled([LIGHT, HEAVY], ["sm_80"])) == 2


def test_kernels_of_one_name_in_several_sources() -> None:
    twin = LIGHT.replace("256", "128").replace("255", "127")
    assert [r.shared for r in nvrtc.compiled([LIGHT, twin], ["sm_75"])] == [1024, 512]
