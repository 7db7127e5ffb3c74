"""Compiles a function by torch.compile for the first GPU; Triton needs a C compiler for that. Prints JSON."""

import json

import torch


def function(x: torch.Tensor) -> torch.Tensor:
    return torch.sin(x) * 2 + 1


torch.manual_seed(0)
a = torch.randn(512, 512)
expected = function(a)
found = torch.compile(function)(a.cuda()).cpu()
print(json.dumps(float((found - expected).abs().max() / expected.abs().max())))
