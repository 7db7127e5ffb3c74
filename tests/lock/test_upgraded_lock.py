"""What an upgrade of a lock brings, as the difference of the two tells it."""

from __future__ import annotations

from rigforge.release_notes.diff import Move, compare
from tests.lock.workshop import GPU, Workshop


def test_a_real_upgrade_when_security_updates_of_kernel_and_driver_arrive(workshop: Workshop) -> None:
    stack = workshop.stack(GPU.replace("535.309.01", "535.261.03"))
    text = stack.path.read_text()
    start = text.index('[[archives]]\nrole = "debian-security"')
    old = workshop.lock(workshop.change(stack, text[start : text.index("[kernel]")], ""))
    new = workshop.lock(workshop.stack(GPU), previous=old, upgrade=True)
    difference = compare(old, new)

    moved = [version for version in difference.versions if version.changed]
    assert moved == [
        Move("driver", "535.261.03", "535.309.01"),
        Move("kernel", "6.1.0-55-amd64", "6.1.0-56-amd64"),
        Move("kernel_package_version", "6.1.55-1", "6.1.56-1"),
    ]
    assert difference.archives == (
        Move("debian bookworm", *["Sat, 11 Jul 2026 10:00:00 UTC"] * 2),
        Move("debian-security bookworm-security", "", "Sat, 21 Nov 2026 00:00:00 UTC"),
    )
    packages = next(layer.packages for layer in difference.layers if layer.layer == "host")
    host = {change.package: (change.kind, change.security) for change in packages}
    assert host["nvidia-alternative"] == ("updated", True)
    assert host["linux-image-amd64"] == ("updated", True)
    assert host["linux-image-6.1.0-56-amd64"] == ("added", False)
    assert host["linux-image-6.1.0-55-amd64"] == ("removed", False)
    assert [layer.layer for layer in difference.layers if layer.packages] == ["module", "host"]
