"""The tasks of `./bootstrap TASK`, `invoke TASK` and `rigforge TASK`."""

from rigforge.tasks.build import build_images, build_iso
from rigforge.tasks.checkout import clean, lint, requirements, test
from rigforge.tasks.lock import diff, lock, stacks, vendor
from rigforge.tasks.run import run
from rigforge.tasks.site import seed, validate
from rigforge.tasks.verify import verify_images, verify_iso

__all__ = [
    "build_images",
    "build_iso",
    "clean",
    "diff",
    "lint",
    "lock",
    "requirements",
    "run",
    "seed",
    "stacks",
    "test",
    "validate",
    "vendor",
    "verify_images",
    "verify_iso",
]
