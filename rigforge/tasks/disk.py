"""What makes a disk for virtual machines."""

from __future__ import annotations

from invoke.context import Context

from rigforge.cli import task
from rigforge.tasks.parameters import CHECK, MIRROR, OFFLINE, STACK


@task(
    help={
        "stack": STACK,
        **MIRROR,
        **OFFLINE,
        **CHECK,
        "out": "folder for the disk (default: out)",
    },
)
def build_disk(
    context: Context,
    stack: str = "",
    offline: bool = False,
    check: bool = False,
    mirror: str = "",
    out: str = "",
) -> None:
    """
    Make a disk (qcow2) for virtual machines of a stack, and print where it is.

    It starts by itself, under BIOS and UEFI, and takes its answers from a CIDATA volume (invoke seed).

    Example: invoke build-disk --stack debian-12
    """
    from rigforge import console
    from rigforge.artifacts.vm_disk import VmDisk
    from rigforge.lock.missing import lock_of
    from rigforge.options import the_artifact, the_mirrors, the_stack

    mirrors = the_mirrors(mirror)
    definition = the_stack(stack, mirrors, offline=offline)
    lock = lock_of(definition, mirrors, offline=offline)
    disk = the_artifact(VmDisk(), definition, lock, mirrors, offline=offline, check=check, out=out).path
    console.say(f"{disk.name} has {disk.stat().st_size / 1e9:.2f} GB. Each machine has a copy, as large as it needs:")
    console.say(f"  cp {disk} gpu07.qcow2 && qemu-img resize gpu07.qcow2 200G")
    console.say("and beside it a volume with its answers: invoke seed --host gpu07")
    print(f"disk: {disk}")
