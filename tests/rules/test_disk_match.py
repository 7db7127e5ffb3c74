"""The rule that picks a disk: a stack's and a document's hold the same, with the same values."""

from __future__ import annotations

from dataclasses import fields

from rigforge.errors import RigforgeError
from rigforge.installer.document import DocumentError
from rigforge.installer.storage_section import read_storage
from rigforge.rules.disk_match import SIZES, DiskMatch, is_device
from rigforge.stack.load import load
from rigforge.stack.site import DiskChoice

PATHS = {"/dev/sda": True, "/dev/nvme*": True, "/dev/disk/by-id/a b": False, "/dev/": False, "sda": False}


def test_stack_and_installer_have_the_same_fields() -> None:
    assert [*DiskChoice.model_fields] == [field.name for field in fields(DiskMatch)]


def test_stack_and_installer_agree_on_paths_and_sizes() -> None:
    def by_stack(key: str, value: str) -> bool:
        try:
            load("smoke", sets=[f"storage.match=[{{ {key} = '{value}' }}]"])
        except RigforgeError:
            return False
        return True

    def by_installer(key: str, value: str) -> bool:
        try:
            read_storage("here", {"layout": {"name": "direct", "match": {key: value}}})
        except DocumentError:
            return False
        return True

    assert {path: is_device(path) for path in PATHS} == PATHS
    assert {path: by_stack("path", path) for path in PATHS} == PATHS
    assert {path: by_installer("path", path) for path in PATHS} == PATHS
    sizes = {**dict.fromkeys(SIZES, True), "big": False}
    assert {size: by_stack("size", size) for size in sizes} == sizes
    assert {size: by_installer("size", size) for size in sizes} == sizes
