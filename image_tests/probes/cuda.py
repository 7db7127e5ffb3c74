"""Asks the real CUDA driver library what it is; it answers without a GPU. Prints JSON."""

import ctypes
import json
from pathlib import Path

libcuda = ctypes.CDLL("libcuda.so.1")
version = ctypes.c_int()
version_result = libcuda.cuDriverGetVersion(ctypes.byref(version))
with Path("/proc/self/maps").open() as maps:
    loaded = Path(next(line.split()[-1] for line in maps if "/libcuda.so" in line))
# In a container the same file may be mounted under each of its names, of which the longest has the driver's version.
names = [name for name in loaded.parent.glob("libcuda.so.*") if name.samefile(loaded)]
print(
    json.dumps(
        {
            "version_result": version_result,
            "version": version.value,
            "init_result": libcuda.cuInit(0),
            "library": str(max(names, key=lambda name: len(name.name))),
        }
    )
)
