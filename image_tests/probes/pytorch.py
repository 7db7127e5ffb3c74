"""Imports PyTorch and says which it is, and with which CUDA and cuDNN. Prints JSON."""

import ctypes
import json
from pathlib import Path

import torch

with Path("/proc/self/maps").open() as maps:
    libraries = sorted({line.split()[-1] for line in maps if "/libcudart.so" in line})
runtime = ctypes.c_int()
if libraries:
    ctypes.CDLL(libraries[0]).cudaRuntimeGetVersion(ctypes.byref(runtime))
print(
    json.dumps(
        {
            "version": torch.__version__,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "runtime": runtime.value,
            "runtime_libraries": libraries,
            "gpu": torch.cuda.is_available(),
            "product": (torch.ones(2, 3) @ torch.ones(3, 2)).tolist(),
        }
    )
)
