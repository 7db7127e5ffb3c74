"""Upper directories as recipes leave them, small."""

from __future__ import annotations

from pathlib import Path

SITE_PACKAGES = "opt/rigforge/python/lib/python3.11/site-packages"


def put(root: Path, path: str, size: int = 0) -> Path:
    """Makes a file of `size` bytes."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"x" * size)
    return file


def install_deb(root: Path, name: str, files: dict[str, int]) -> None:
    """Makes files, by path as the package names them, and dpkg's list of them."""
    for path, size in files.items():
        put(root, f"usr{path}" if path.startswith(("/bin/", "/lib/")) else path.lstrip("/"), size)
    listing = put(root, f"var/lib/dpkg/info/{name}.list")
    listing.write_text("\n".join(["/.", *files, ""]))


def install_wheel(root: Path, name: str, version: str, files: dict[str, int]) -> None:
    """Makes files, by path within site-packages, and the wheel's RECORD of them."""
    for path, size in files.items():
        put(root, f"{SITE_PACKAGES}/{path}", size)
    info = f"{name}-{version}.dist-info"
    record = put(root, f"{SITE_PACKAGES}/{info}/RECORD")
    record.write_text("".join(f"{path},sha256=abc,{size}\n" for path, size in files.items()) + f"{info}/RECORD,,\n")
