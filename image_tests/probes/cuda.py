"""Asks the real CUDA driver library what it is; it answers without a GPU. Prints JSON."""

import ctypes
import json
import os
from pathlib import Path

libcuda = ctypes.CDLL("libcuda.so.1")
version = ctypes.c_int()
version_result = libcuda.cuDriverGetVersion(ctypes.byref(version))
with Path("/proc/self/maps").open() as maps:
    path = next(line.split()[-1] for line in maps if "/libcuda.so" in line)
print(
    json.dumps(
        {
            "version_result": version_result,
            "version": version.value,
            "init_result": libcuda.cuInit(0),
            "library": os.path.realpath(path),
        }
    )
)
