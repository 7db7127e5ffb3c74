"""The release notes of a new lock, as people read them."""

from __future__ import annotations

from dataclasses import replace

from rigforge.records.archive import LockedArchive
from rigforge.release_notes.diff import compare
from rigforge.release_notes.notes import notes
from rigforge.release_notes.rebuilt import Rebuilt
from tests.release_notes.two_locks import NEW, OLD

REBUILT = (
    Rebuilt("base", files=True),
    Rebuilt("python", files=True, layers=("base",)),
    Rebuilt("module"),
    Rebuilt("host", files=True, options=("driver", "kernel"), layers=("python", "module")),
)

NOTES = """\
# debian-12: what changed

Packages: 1 updated (1 of them from a security archive), 1 downgraded, 1 added, 2 removed, 1 moved. \
New files to download: 78.5 MB.

- **NVIDIA driver**: `535.261.03` → `535.309.01`
- **Linux kernel**: `6.1.0-55-amd64` → `6.1.0-56-amd64`
- **kernel package**: `6.1.187-1` → `6.1.192-2`
- unchanged: CUDA `12.8.90`, cuDNN `9.10.2.21`, PyTorch `2.10.0`, Python `3.11.2`, JupyterLab `4.6.6`

**Kernel and driver are held together**: the module is compiled for `6.1.0-56-amd64` with driver `535.309.01`. \
Upgrades of an installed machine leave both as they are.

## Sizes

| layer | old | new | difference |
| --- | --- | --- | --- |
| base | 1.7 MB | 3.4 MB | +1.7 MB |
| python | 907.0 MB | 906.0 MB | −1.0 MB |
| host | 71.9 MB | 71.0 MB | −900 kB |
| all, each file once | 980.6 MB | 980.4 MB | −167 kB |

## Layers to rebuild

| layer | because of |
| --- | --- |
| base | its files |
| python | its files, layer base |
| module | it is new |
| host | its files, `driver`, `kernel`, layer python, layer module |

## Layer base

| package | old | new |  |
| --- | --- | --- | --- |
| openssl | `3.0.21-1~deb12u1` | `3.0.22-1~deb12u2` | **security update** |
| sudo | none | `1.9.13p3-1` | moved from host |
| tini | `0.19.0-1` | none | removed |

## Layer python

| package | old | new |  |
| --- | --- | --- | --- |
| pillow | `12.0.0` | `11.3.0` | **downgraded** |

## Layer host

| package | old | new |  |
| --- | --- | --- | --- |
| linux-image-6.1.0-56-amd64 | none | `6.1.192-2` | added |
| linux-image-6.1.0-55-amd64 | `6.1.187-1` | none | removed |
| sudo | `1.9.13p3-1` | none | moved to base |

## Archives

| archive | old | new |
| --- | --- | --- |
| debian bookworm | 2026-07-11 10:16 UTC | the same |
| debian-security bookworm-security | 2026-11-21 00:53 UTC | 2026-11-23 08:00 UTC |
"""


def test_the_notes_begin_with_what_people_notice_and_end_with_every_package() -> None:
    assert notes(compare(OLD, NEW), REBUILT) == NOTES


def test_of_equal_locks_there_is_nothing_to_tell() -> None:
    assert notes(compare(OLD, OLD), ()) == "# debian-12: what changed\n\nNothing: the locks are equal.\n"


def test_a_new_day_without_new_packages_is_a_line_of_the_archives() -> None:
    said = notes(compare(OLD, replace(OLD, archives=NEW.archives)), ())
    assert "Packages: none changed. New files to download: 0 B." in said
    assert "## Layers to rebuild\n\nNone.\n" in said
    assert "## Layer base" not in said
    assert "2026-11-21 00:53 UTC | 2026-11-23 08:00 UTC" in said


def test_locks_of_two_stacks_are_called_so() -> None:
    said = notes(compare(OLD, replace(NEW, stack="lab")), ())
    assert said.startswith("# From debian-12 to lab: what changed\n\nThese are locks of two stacks")


def test_a_changed_stack_can_rebuild_more_than_its_locks_tell() -> None:
    warning = "The stack, or what Rigforge adds to it, changed too."
    assert warning in notes(compare(OLD, replace(NEW, stack_sha256="1")), REBUILT)
    assert warning not in notes(compare(OLD, NEW), REBUILT)


def test_another_pytorch_is_told_with_the_cuda_that_it_asks_for() -> None:
    new = replace(OLD, versions={**OLD.versions, "pytorch": "2.11.0", "cudnn": "9.12.0.46"})
    said = notes(compare(OLD, new), ())
    assert "PyTorch's wheels ask for exactly CUDA `12.8.90` and cuDNN `9.12.0.46`." in said
    assert "held together" not in said


def test_another_series_of_cuda_names_the_driver_it_needs() -> None:
    new = replace(OLD, versions={**OLD.versions, "cuda": "13.0.48"})
    assert "**CUDA `13.0.48` needs driver `580` or later**" in notes(compare(OLD, new), ())


def test_security_updates_that_cannot_be_told_are_not_passed_over() -> None:
    mixed = tuple(LockedArchive("ubuntu", suite, "", "") for suite in ("noble", "noble-security"))
    said = notes(compare(OLD, replace(NEW, archives=mixed)), ())
    assert "Security updates from `ubuntu` are not marked" in said


def test_without_a_stack_the_notes_do_not_say_what_is_rebuilt() -> None:
    assert "rebuild" not in notes(compare(OLD, NEW), None)
