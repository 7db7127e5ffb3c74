"""Libraries with the names, functions and answers of an NVIDIA driver, for machines that have none."""

from __future__ import annotations

import subprocess
from pathlib import Path

LIBCUDA = """
extern unsigned sleep(unsigned);
int cuDriverGetVersion(int *version) { *version = SPEAKS; return INIT == 34 ? 34 : 0; }
int cuInit(unsigned flags) {
    if (INIT == -1) sleep(60);
    if (INIT == -2) __builtin_trap();
    return INIT;
}
int cuDeviceGetCount(int *count) { *count = GPUS; return 0; }
"""

LIBNVIDIA_ML = """
int nvmlInit_v2(void) { return 0; }
int nvmlSystemGetDriverVersion(char *version, unsigned length) {
    for (unsigned i = 0; i < length && i < sizeof DRIVER; i++) version[i] = DRIVER[i];
    return 0;
}
"""

HANGS, CRASHES = -1, -2


def compile_library(path: Path, source: str, **constants: str | int) -> None:
    """Without the C library's own files, which the interpreter has loaded already."""
    values = [f"-D{name}={value}" for name, value in constants.items()]
    command = ["gcc", "-shared", "-fPIC", "-nostdlib", "-x", "c", *values, "-o", str(path), "-"]
    subprocess.run(command, input=source, text=True, check=True)


def make_libcuda(folder: Path, file: str, speaks: int, init: int = 0, gpus: int = 1) -> None:
    """Makes libcuda.so.1, a link to `file`; `speaks` is its CUDA version, `init` what cuInit answers."""
    compile_library(folder / file, LIBCUDA, SPEAKS=speaks, INIT=init, GPUS=gpus)
    (folder / "libcuda.so.1").symlink_to(file)


def make_nvml(folder: Path, driver: str) -> None:
    compile_library(folder / "libnvidia-ml.so.1", LIBNVIDIA_ML, DRIVER=f'"{driver}"')
