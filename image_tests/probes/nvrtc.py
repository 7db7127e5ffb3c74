"""Compiles a CUDA kernel to machine code with the run-time compiler; needs no GPU. Prints JSON."""

import ctypes
import json
from pathlib import Path

KERNEL = b"""
extern "C" __global__ void add(float *sum, const float *a, const float *b, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) sum[i] = a[i] + b[i];
}
"""

nvrtc = ctypes.CDLL(str(min(Path("/usr/local/cuda/lib64").glob("libnvrtc.so.*"))))
major, minor = ctypes.c_int(), ctypes.c_int()
nvrtc.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
sizes = {}
for architecture in ("sm_75", "sm_80", "sm_86", "sm_89", "sm_90"):
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), KERNEL, b"add.cu", 0, None, None)
    options = (ctypes.c_char_p * 1)(f"--gpu-architecture={architecture}".encode())
    if nvrtc.nvrtcCompileProgram(program, 1, options) == 0:
        nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size))
    sizes[architecture] = size.value
print(json.dumps({"version": f"{major.value}.{minor.value}", "cubin_bytes": sizes}))
