"""Computes on the first GPU and compares with the processor. Prints JSON: largest relative differences, and facts."""

import json
import os

import torch
import torch.distributed as distributed

torch.manual_seed(0)
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False


def difference(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found.cpu().float() - expected).abs().max() / expected.abs().max())


a, b = torch.randn(512, 512), torch.randn(512, 512)
image, kernels = torch.randn(4, 8, 64, 64), torch.randn(16, 8, 3, 3)
result = {
    "names": [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())],
    "matmul": difference(a.cuda() @ b.cuda(), a @ b),
    "convolution": difference(
        torch.nn.functional.conv2d(image.cuda(), kernels.cuda()), torch.nn.functional.conv2d(image, kernels)
    ),
}

with torch.autocast("cuda", dtype=torch.float16):
    half = a.cuda() @ b.cuda()
result["mixed_precision_type"] = str(half.dtype)
result["mixed_precision"] = difference(half, a @ b)

os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29511", "RANK": "0", "WORLD_SIZE": "1"}
distributed.init_process_group("nccl")
ones = torch.ones(8, device="cuda")
distributed.all_reduce(ones)
result["all_reduce"] = ones.cpu().tolist()
distributed.destroy_process_group()

print(json.dumps(result))
