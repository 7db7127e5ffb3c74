"""The `storage` section: which disk, and how it is laid out."""

from __future__ import annotations

from dataclasses import dataclass, field

from rigforge.installer.section import DocumentSection, kind
from rigforge.rules.disk_match import SIZES, DiskMatch, is_device

LAYOUTS = ("direct", "lvm")

_REFUSED = {
    "config": "it lays the disk out itself, as storage.layout says",
    "swap": "there is no swap; a late-command can make a swap file",
    "grub": "the boot loader goes on the chosen disk",
}
_LAYOUT_REFUSED = {
    "sizing-policy": "the root volume takes the whole disk",
    "reset-partition": "there is no such partition",
    "ptable": "the partition table is always GPT",
    "encrypted": "lvm with a password is encrypted",
}
_MATCH_REFUSED = {
    "vendor": "match the model instead, which begins with the vendor on most disks",
    "id_path": "match serial, model or path instead",
    "devpath": "match serial, model or path instead",
    "install-media": "the medium itself is never chosen",
}


@dataclass(frozen=True)
class DiskLayout:
    """`direct`: one ext4 root partition. `lvm`: a volume group, on LUKS where there is a `password` (its passphrase).

    `match` holds rules to be tried in order; none at all means the only disk there is.
    """

    layout: str = "lvm"
    match: tuple[DiskMatch, ...] = ()
    password: str | None = field(default=None, repr=False)


def read_storage(where: str, value: object) -> DiskLayout:
    """Returns the `storage` section; absent or null is `lvm`, as in Canonical's installer."""
    if value is None:
        return DiskLayout()
    section = DocumentSection(where, "storage", value, ("layout",), _REFUSED)
    if "layout" not in section:
        raise section.error("layout", "is missing", f"storage: {{layout: {{name: direct}}}}; {', '.join(LAYOUTS)}")
    layout = DocumentSection(
        where, "storage.layout", section.get("layout"), ("name", "match", "password"), _LAYOUT_REFUSED
    )
    name = layout.choice("name", LAYOUTS)
    password = layout.text("password") if "password" in layout else None
    if password is not None and name != "lvm":
        raise layout.error("password", f"layout {name!r} is not encrypted", "use name: lvm, or leave the password out")
    if password is not None and not 8 <= len(password) <= 512:
        raise layout.error("password", "must have 8 to 512 characters")
    return DiskLayout(name, _matches(layout), password)


def _matches(layout: DocumentSection) -> tuple[DiskMatch, ...]:
    if "match" not in layout:
        return ()
    value = layout.get("match")
    rules = value if isinstance(value, list) else [value]
    if not rules or not all(isinstance(rule, dict) for rule in rules):
        problem = f"must be a mapping or a list of mappings, not {kind(value)}"
        raise layout.error("match", problem, "leave it out where the machine has one disk")
    return tuple(_match(layout.where, rule) for rule in rules)


def _match(where: str, value: object) -> DiskMatch:
    rule = DocumentSection(where, "storage.layout.match", value, tuple(DiskMatch.__dataclass_fields__), _MATCH_REFUSED)
    for key in ("serial", "model", "path"):
        if key in rule and not rule.text(key):
            raise rule.error(key, "is empty: no disk would match")
    path = rule.text("path") if "path" in rule else None
    if path and not is_device(path):
        raise rule.error("path", f"{path!r} is not a device", "as in /dev/nvme0n1, /dev/sd* or /dev/disk/by-id/ata-*")
    return DiskMatch(
        size=rule.choice("size", SIZES) if "size" in rule else None,
        ssd=rule.flag("ssd"),
        serial=rule.text("serial") if "serial" in rule else None,
        model=rule.text("model") if "model" in rule else None,
        path=path,
    )
