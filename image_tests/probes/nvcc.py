"""Compiles a program of CUDA with nvcc and runs it; needs no GPU, whose want it has to say. Prints JSON."""

import json
import re
import subprocess
import tempfile
from pathlib import Path

PROGRAM = """
#include <cstdio>
#include <cub/version.cuh>

__global__ void twice(float *x) { x[threadIdx.x] *= 2; }

int main() {
    float *x, y[4] = {1, 2, 3, 4};
    if (cudaError_t error = cudaMalloc(&x, sizeof y)) {
        puts(cudaGetErrorName(error));
        return 0;
    }
    cudaMemcpy(x, y, sizeof y, cudaMemcpyHostToDevice);
    twice<<<1, 4>>>(x);
    cudaMemcpy(y, x, sizeof y, cudaMemcpyDeviceToHost);
    printf("%g %g %g %g\\n", y[0], y[1], y[2], y[3]);
}
"""


def output(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


nvcc = "/usr/local/cuda/bin/nvcc"
with tempfile.TemporaryDirectory() as folder:
    source, program = Path(folder, "twice.cu"), Path(folder, "twice")
    source.write_text(PROGRAM)
    output(nvcc, "-arch=all-major", "-o", str(program), str(source))
    said = output(str(program)).strip()
release = re.search(r"release (\d+\.\d+)", output(nvcc, "--version"))
print(json.dumps({"version": release and release[1], "said": said}))
