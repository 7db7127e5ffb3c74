"""Names of conda's channel, environments and packages."""

from __future__ import annotations

import re

#: The channel's role.
ROLE = "conda-forge"

#: conda's own environment, which has nothing but conda and mamba.
BASE = "base"

#: conda-forge's packages of CUDA and what NVIDIA builds on it (the feedstocks of the team conda-forge/cuda).
CUDA = re.compile(
    r"cuda-.+|cudnn|nccl|cusparselt|cutensor"
    r"|lib(cublas|cudnn|cudss|cufft|cufile|curand|cusolver|cusparse|cusparselt|cutensor|npp|nvfatbin|nvjitlink"
    r"|nvjpeg|nvptxcompiler|nvshmem)[0-9]*(-.+)?"
)
