"""The answers for one machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from invoke.context import Context

from rigforge.cli import task
from rigforge.errors import UsageError
from rigforge.tasks.parameters import SITE, STACK


@task(
    iterable=["set_"],
    help={
        "out": "file to write, or a folder for HOST.img (default: here)",
        "host": "host name of the machine",
        "netboot": "write the files into the folder OUT/HOST instead, for a web server: ds=nocloud;s=http://…/HOST/",
        "stack": STACK,
        **SITE,
    },
)
def seed(
    context: Context,
    out: str = "",
    host: str = "",
    netboot: bool = False,
    stack: str = "",
    set_: Sequence[str] | None = None,
    site: str = "",
) -> None:
    """
    Make a CIDATA volume: the answers for one machine, beside an ISO that serves many.

    Write it to a second stick, or attach it to the machine as a disk.

    Example: invoke seed --host gpu07 --stack debian-12
    """
    from rigforge import console
    from rigforge.autoinstall.render import rendered
    from rigforge.autoinstall.seed_image import nocloud, write_files, write_volume
    from rigforge.options import the_lock, the_mirrors, the_stack
    from rigforge.stack.secrets import caution

    if not (out or host):
        raise UsageError("for which machine?", "name it: --host gpu07; or a file to write")
    sets = [*(set_ or ()), *([f"hostname={host}"] if host else [])]
    definition = the_stack(stack, the_mirrors(""), sets, site)
    files = nocloud(rendered(definition, the_lock(definition)), definition.machine.hostname)
    if netboot:
        place = Path(out or ".") / definition.machine.hostname
        write_files(files, place, private=bool(definition.secrets))
    else:
        name = f"{definition.machine.hostname}.img"
        place = Path(out) / name if Path(out).is_dir() else Path(out)
        write_volume(files, place)
    if definition.secrets:
        console.say(caution("it", definition.secrets))
    print(f"seed: {place}")
