"""This machine's GPUs for containers: a specification of the Container Device Interface, made at each boot.

For machines whose archives lack NVIDIA's container toolkit. With it `--device nvidia.com/gpu=all` works in podman from
4.1 on and in Docker from 28.2 on (from 25 on with the feature `cdi` in its daemon.json), for containers of Debian and
Ubuntu: the libraries are mounted where their loader looks by itself.

It differs from what `nvidia-ctk cdi generate` writes (https://github.com/NVIDIA/nvidia-container-toolkit, pkg/nvcdi):

- No hooks. The toolkit's add links and renew the container's ld.so.cache: the host's root at work among files that the
  image chose. A library mounted under each of its names needs neither, and works in a read-only container.
- No firmware, which only the kernel reads; no settings of X and Vulkan; no MIG devices.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from rigforge import atomic
from rigforge.machine import libraries

#: Where what is generated belongs; /etc/cdi is the administrator's. Docker and podman read both.
SPECIFICATION = Path("/run/cdi/nvidia.json")

#: The first version in which a device's name may begin with a digit, and the last that podman 4.3 reads
#: (https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md).
VERSION = "0.5.0"

#: Where the loader of Debian's and Ubuntu's containers looks by itself.
LIBRARIES = "usr/lib/x86_64-linux-gnu"

TOOLS = ("nvidia-smi", "nvidia-debugdump")

#: Where nvidia-persistenced takes orders.
SOCKET = "run/nvidia-persistenced/socket"

#: What all users of a GPU open besides it.
CONTROL = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")

#: Triton asks the container's ld.so.cache for libcuda unless told; an `exec` is not told by this, only by the image.
#: It stands in each device because one without content is refused, as `all` would be where there is no GPU.
ENVIRONMENT = [f"TRITON_LIBCUDA_PATH=/{LIBRARIES}"]

MOUNT_OPTIONS = ["ro", "nosuid", "nodev", "rbind", "rprivate"]


@dataclass(frozen=True)
class CdiGpu:
    """The number of a GPU's device file, and its UUID, empty while the driver has not started it."""

    minor: int
    uuid: str


def loaded(root: Path) -> str | None:
    """Returns the version of the driver that the kernel runs."""
    try:
        text = (root / "proc/driver/nvidia/version").read_text()
    except FileNotFoundError:
        return None
    match = re.search(r"Kernel Module(?: for \S+)?\s+([\d.]+)", text)
    return match[1] if match else None


def installed(root: Path) -> list[str]:
    """Returns the versions of the driver whose libcuda is below `root`."""
    return sorted(path.name.removeprefix("libcuda.so.") for path in libraries.files(root))


def gpus(root: Path) -> list[CdiGpu]:
    """Returns the GPUs by PCI address, which is the order of nvidia-smi."""
    cards = []
    for file in sorted(root.glob("proc/driver/nvidia/gpus/*/information")):
        text = file.read_text()
        minor = re.search(r"^Device Minor:\s+(\d+)$", text, re.MULTILINE)
        # The driver prints question marks for what it does not know yet.
        uuid = re.search(r"^GPU UUID:\s+(GPU-[0-9a-f-]+)$", text, re.MULTILINE)
        if minor:
            cards.append(CdiGpu(int(minor[1]), uuid[1] if uuid else ""))
    return cards


def specification(root: Path, version: str) -> dict[str, Any]:
    """Returns the specification for the `installed` driver `version`, with the devices and the /proc below `root`.

    Each GPU is there by its index and its UUID; `all` is there even without a GPU.
    """
    devices: dict[str, list[str]] = {}
    for index, gpu in enumerate(gpus(root)):
        if node := _nodes(root, f"nvidia{gpu.minor}"):
            devices |= {name: node for name in (str(index), gpu.uuid) if name}
    devices["all"] = sorted({node for nodes in devices.values() for node in nodes})
    return {
        "cdiVersion": VERSION,
        "kind": "nvidia.com/gpu",
        "devices": [
            {"name": name, "containerEdits": {"env": ENVIRONMENT, "deviceNodes": [{"path": node} for node in nodes]}}
            for name, nodes in devices.items()
        ],
        "containerEdits": {
            "deviceNodes": [{"path": node} for node in _nodes(root, *CONTROL)],
            "mounts": [
                {"hostPath": str(source.absolute()), "containerPath": f"/{target}", "options": MOUNT_OPTIONS}
                for target, source in sorted(dict(_mounts(root, version)).items())
            ],
        },
    }


def write(file: Path, content: dict[str, Any]) -> None:
    """Writes a specification, whole or not at all, for everyone to read."""
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(file, json.dumps(content, indent=2) + "\n", 0o644)


def _mounts(root: Path, version: str) -> Iterator[tuple[str, Path]]:
    """Yields paths in the container, each with the file it shows."""
    home = libraries.files(root, version)[0].parent
    for folder in {home, root / LIBRARIES}:
        for library in folder.glob(f"lib*.so.{version}"):
            names = folder.glob(library.name.removesuffix(f".{version}") + "*")
            yield from ((f"{LIBRARIES}/{name.name}", library) for name in names if name.resolve() == library.resolve())
    # Debian has a folder for each driver there may be, and in /usr/bin links by way of /etc/alternatives.
    for tool, folder in product(TOOLS, (root / "usr/bin", root / "usr/lib/nvidia" / home.name)):
        if (folder / tool).is_file():
            yield f"usr/bin/{tool}", folder / tool
    if (root / SOCKET).exists():
        yield SOCKET, root / SOCKET


def _nodes(root: Path, *names: str) -> list[str]:
    return [f"/dev/{name}" for name in names if (root / "dev" / name).exists()]


def main(root: Path = Path("/"), file: Path = SPECIFICATION) -> None:
    version = loaded(root)
    if version is None or version not in installed(root):
        file.unlink(missing_ok=True)
        reason = f"there is no libcuda of the loaded driver {version}" if version else "no NVIDIA driver is loaded"
        print(f"containers get no GPU: {reason}")
        return
    cards = gpus(root)
    # Before the first use of CUDA there is no /dev/nvidia-uvm.
    with suppress(FileNotFoundError):
        subprocess.run(["nvidia-modprobe", "-u", *(f"-c={gpu.minor}" for gpu in cards)], check=False)
    write(file, specification(root, version))
    print(f"containers get {len(cards)} GPU{'' if len(cards) == 1 else 's'} and driver {version}: {file}")


if __name__ == "__main__":
    main()
