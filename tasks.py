"""The tasks of `./bootstrap TASK`, `invoke TASK` and `rigforge TASK`."""

from rigforge.tasks.build import build_images, build_iso
from rigforge.tasks.checkout import clean, evidence, lint, requirements, test
from rigforge.tasks.conda_export import explicit
from rigforge.tasks.connect import connect
from rigforge.tasks.disk import build_disk
from rigforge.tasks.doctor import build_doctor
from rigforge.tasks.explain import explain
from rigforge.tasks.facts import facts
from rigforge.tasks.init import init
from rigforge.tasks.lock import diff, lock, stacks, vendor
from rigforge.tasks.packer import packer
from rigforge.tasks.report import report
from rigforge.tasks.reproduce import reproduce
from rigforge.tasks.run import run
from rigforge.tasks.sign import sign, verify_signature
from rigforge.tasks.site import seed
from rigforge.tasks.validate import validate
from rigforge.tasks.verify import verify_images, verify_iso

__all__ = [
    "build_disk",
    "build_doctor",
    "build_images",
    "build_iso",
    "clean",
    "connect",
    "diff",
    "evidence",
    "explain",
    "explicit",
    "facts",
    "init",
    "lint",
    "lock",
    "packer",
    "report",
    "reproduce",
    "requirements",
    "run",
    "seed",
    "sign",
    "stacks",
    "test",
    "validate",
    "vendor",
    "verify_images",
    "verify_iso",
    "verify_signature",
]
