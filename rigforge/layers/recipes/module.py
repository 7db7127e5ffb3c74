"""The NVIDIA kernel module, compiled for exactly the locked kernel and packed as a .deb.

The package depends on that kernel's package and provides what the driver's user space asks for, so that apt itself
keeps the three together.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from rigforge.errors import RigforgeError
from rigforge.layers import dpkg
from rigforge.layers.root import Root, show
from rigforge.process import CommandFailed, run

CONTROL = """\
Package: nvidia-modules-{kernel}
Version: {driver}
Architecture: amd64
Maintainer: Rigforge <rigforge@localhost>
Section: kernel
Priority: optional
Depends: linux-image-{kernel} (= {kernel_package_version}), {support}
Provides: nvidia-kernel-{driver}
Description: NVIDIA kernel modules {driver}, compiled for {kernel}
"""

#: What unpacks a module that DKMS has compressed, as it does where the kernel's own are (Debian from 13 on: xz).
UNPACK = {".gz": "gzip", ".xz": "xz", ".zst": "zstd"}

POSTINST = """\
#!/bin/sh
set -e
depmod -a {kernel}
"""


@dataclass(frozen=True)
class Options:
    """The kernel (as `uname -r` has it), its package's version, NVIDIA's version, and the package of its support files.

    `signing_key` and `signing_certificate` are the owner's MOK, paths on the building machine, empty for none;
    `certificate_sha256` (hex) makes another one another layer.
    """

    kernel: str
    kernel_package_version: str
    driver: str
    support: str
    signing_key: str = ""
    signing_certificate: str = ""
    certificate_sha256: str = ""


def build(root: Root, options: Options) -> None:
    """Compiles the module; the .deb is left in the layer's root as /nvidia-modules.deb.

    Raises RigforgeError with the compiler's own first error line where the module does not compile.
    """
    kernel, driver = options.kernel, options.driver
    # dkms would otherwise sign with a key that it makes itself, and build on installation already.
    root.write("etc/dkms/framework.conf.d/rigforge.conf", 'sign_file="/nonexistent"\n')
    root.write("etc/dkms/no-autoinstall", "")
    dpkg.install(root)
    source = next(iter(root.glob(f"usr/src/nvidia-*{driver}")), None)
    if source is None:
        raise RigforgeError(f"no package of the layer brings the source of driver {driver}", "renew the lock")
    name = source.name.removesuffix(f"-{driver}")
    tree = f"var/lib/dkms/{name}/{driver}"
    try:
        root.chroot(["dkms", "build", "-m", name, "-v", driver, "-k", kernel])
    except CommandFailed as failure:
        log = root.at(f"{tree}/build/make.log")
        text = log.read_text(errors="replace") if log.is_file() else failure.output
        raise RigforgeError(
            f"NVIDIA driver {driver} does not compile for kernel {kernel}: {first_error(text)}",
            "choose another driver ([driver] version) or kernel ([kernel] package) in the stack, then `invoke lock`",
        ) from None
    modules = root.glob(f"{tree}/{kernel}/x86_64/module/*.ko*")
    _pack(root, options, modules)


def first_error(log: str) -> str:
    """Returns the first line of a compiler's log that names an error, else the log's last line.

    >>> first_error("make: x\\nnv.c:3:9: error: too few arguments\\nmake: *** error: 1")
    'nv.c:3:9: error: too few arguments'
    """
    lines = log.strip().splitlines() or ["the compiler said nothing"]
    return next((line for line in lines if re.search(r"\berror:|\bError \d|ERROR: modpost", line)), lines[-1]).strip()


def _pack(root: Root, options: Options, modules: list[Path]) -> None:
    kernel = options.kernel
    place = root.at(f"tmp/package/lib/modules/{kernel}/updates/dkms")
    place.mkdir(parents=True)
    for module in modules:
        root.take(module.relative_to(root.path), place / module.name)
        copy = unpacked(root, place / module.name)
        place_in_root = f"/{copy.relative_to(root.path)}"
        root.chroot(["strip", "--strip-debug", "--enable-deterministic-archives", place_in_root])
        _sign(root, options, copy, place_in_root)
        vermagic = root.chroot(["modinfo", "--field", "vermagic", place_in_root]).split()
        if not vermagic or vermagic[0] != kernel:
            raise RigforgeError(f"{module.name} was compiled for kernel {vermagic[:1]}, not for {kernel}")
    for name, template, mode in (("control", CONTROL, 0o644), ("postinst", POSTINST, 0o755)):
        place_in_root = f"tmp/package/DEBIAN/{name}"
        root.write(place_in_root, template.format(**asdict(options)), mode)
    dpkg.pack(root, "/tmp/package", "/nvidia-modules.deb")


def unpacked(root: Root, module: Path) -> Path:
    """Returns a module of the root uncompressed, in place of what it was: only that can be stripped and signed."""
    if program := UNPACK.get(module.suffix):
        root.chroot([program, "--decompress", f"/{module.relative_to(root.path)}"])
        module.unlink(missing_ok=True)  # zstd keeps it
        return module.with_suffix("")
    return module


def _sign(root: Root, options: Options, module: Path, place: str) -> None:
    """Signs a module with the user's MOK where one is configured; the key is seen by nothing but sign-file."""
    if not options.signing_key:
        return
    secrets = root.at("run/secrets", follow=False)
    secrets.mkdir(mode=0o700)
    for name, file in (("key", options.signing_key), ("certificate", options.signing_certificate)):
        (secrets / name).touch()
        show(Path(file), secrets / name)
    tool = next(iter(root.glob("usr/lib/linux-kbuild-*/scripts/sign-file")))
    try:
        root.chroot(
            [f"/{tool.relative_to(root.path)}", "sha256", "/run/secrets/key", "/run/secrets/certificate", place]
        )
    finally:
        run(["umount", secrets / "key", secrets / "certificate"])
        shutil.rmtree(secrets)
