#!/usr/bin/python3
"""Says in one line what keeps this container from its GPU, and nothing when all is well.

    gpu_check.py [ROOT]

RIGFORGE_GPU_CHECK=strict makes a complaint an error (exit status 1), RIGFORGE_GPU_CHECK=off leaves the check out.
It makes no CUDA context. It runs under the operating system's Python, 3.8 or newer.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import sys
import threading
from pathlib import Path

#: Seconds for cuInit: without the persistence daemon it wakes one GPU after the other, and a broken one hangs it.
PATIENCE = 30.0

# CUresult of cuda.h (NVIDIA's CUDA Driver API, "Data types used by CUDA driver").
STUB_LIBRARY = 34
NO_DEVICE = 100
DRIVER_MISMATCH = 803
CURES = {
    802: "the GPUs are not ready; on machines with NVSwitch start nvidia-fabricmanager on the host",
    804: "the CUDA compatibility library in the container does not support this GPU; remove it from the library path",
}


def loaded(library: str) -> str:
    """The real path of a library that this process has loaded."""
    with Path("/proc/self/maps").open() as maps:
        return os.path.realpath(next(line.split(None, 5)[5].strip() for line in maps if f"/{library}" in line))


def kernel_module(root: Path) -> str | None:
    """Version of the NVIDIA kernel module; None where the kernel does not tell (WSL)."""
    try:
        text = (root / "proc/driver/nvidia/version").read_text()
    except OSError:
        return None
    found = re.search(r"Kernel Module.*?\s(\d+(?:\.\d+)+)\s", text)
    return found.group(1) if found else None


def user_space(libcuda: str) -> str | None:
    """Version of the driver's libraries, from a name of the file or from NVML."""
    here = Path(libcuda)
    # Mounted file by file, the same library is there under each of its names, and none is a link to another.
    for name in [here, *sorted(here.parent.glob("libcuda.so.*.*"))]:
        found = re.search(r"\.so\.(\d{3,}\.[\d.]+)$", name.name)
        if found and name.samefile(here):
            return found.group(1)
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    version = ctypes.create_string_buffer(80)
    if nvml.nvmlInit_v2() or nvml.nvmlSystemGetDriverVersion(version, 80):
        return None
    return version.value.decode()


def parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def runs(driver: str | None, driver_cuda: int, cuda: int, required: str) -> bool:
    """NVIDIA's rule (CUDA Compatibility), for containers; rigforge/compat/cuda.py has its source."""
    if driver_cuda >= cuda:
        return True
    return driver_cuda // 1000 == cuda // 1000 and (driver is None or parts(driver) >= parts(required))


def no_device() -> str:
    names = ("NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")
    variables = [f"{name}='{os.environ[name]}'" for name in names if name in os.environ]
    nodes = sum(node.name[6:].isdigit() for node in Path("/dev").glob("nvidia*"))
    seen = ", ".join([*variables, f"{nodes} device nodes /dev/nvidia0 and on"])
    return f"no GPU is visible ({seen}); start the container with --gpus all or --device nvidia.com/gpu=all"


def initialise(libcuda: ctypes.CDLL, patience: float) -> int | None:
    """Result of cuInit; None when it does not come in time."""
    results: list[int] = []
    cu_init = libcuda.cuInit
    thread = threading.Thread(target=lambda: results.append(cu_init(0)), daemon=True)
    thread.start()
    thread.join(patience)
    return results[0] if results else None


def complaint(root: Path, patience: float) -> str | None:
    """What is wrong, and its cure."""
    manifest = json.loads((root / "etc/rigforge/manifest.json").read_text())
    required = manifest["requires"]["driver"]
    cuda_version = manifest["versions"]["cuda"]
    major, minor = parts(cuda_version)[:2]
    needs = f"the image has CUDA {cuda_version} and needs driver >= {required}"

    try:
        libcuda = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        why = "" if "No such file" in str(error) else f" ({error})"
        return (
            f"no NVIDIA driver in this container{why}; {needs}; start it with --gpus all "
            "or --device nvidia.com/gpu=all, on a host with that driver and the NVIDIA Container Toolkit"
        )
    path = loaded("libcuda.so")
    version = ctypes.c_int()
    result: int | None = libcuda.cuDriverGetVersion(ctypes.byref(version))
    library, module = user_space(path), kernel_module(root)
    driver = library or module
    speaks = f"CUDA {version.value // 1000}.{version.value % 1000 // 10}"

    if result == 0:
        if not runs(driver, version.value, major * 1000 + minor * 10, required):
            return (
                f"driver {driver or 'of unknown version'}, which speaks {speaks}, is too old: {needs}; "
                "update the driver of the host, or take an image for an older CUDA"
            )
        result = initialise(libcuda, patience)
    if result is None:
        return (
            f"driver {driver} has not answered cuInit in {patience:g} s; look at `nvidia-smi` and `dmesg` on the host"
        )
    if result == 0:
        count = ctypes.c_int()
        result = libcuda.cuDeviceGetCount(ctypes.byref(count)) or (0 if count.value else NO_DEVICE)
    if result == 0:
        return None
    if result == STUB_LIBRARY:
        return f"{path} is only a stub for linking, not the driver; {needs}; take its folder out of LD_LIBRARY_PATH"
    if result == DRIVER_MISMATCH:
        return (
            f"libcuda is of driver {library}, but the host's kernel module is {module or 'of another version'}; "
            "restart the host after a driver update, and make the container anew; " + needs
        )
    if result == NO_DEVICE:
        return f"driver {driver} ({speaks}) is there, but {no_device()}"
    cure = CURES.get(result, "look it up among NVIDIA's CUresult values, and at `dmesg` on the host")
    return f"driver {driver} ({speaks}) answers with error {result}: {cure}; {needs}"


def main(root: Path, patience: float = PATIENCE) -> int:
    """Returns the exit status."""
    mode = os.environ.get("RIGFORGE_GPU_CHECK")
    if mode == "off":
        return 0
    try:
        wrong = complaint(root, patience)
    except Exception as error:
        wrong = f"the GPU check itself failed ({type(error).__name__}: {error})"
    if wrong is None:
        return 0
    print("rigforge:", " ".join(wrong.split()), file=sys.stderr, flush=True)
    return 1 if mode == "strict" else 0


if __name__ == "__main__":
    # Without Python's clean-up, which would wait for a driver that hangs.
    os._exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "/")))
