"""The network of a machine of which nothing else is said."""

from __future__ import annotations

from typing import Any

#: netplan's version 2: each wired port asks for an address. Netplan takes one pattern: e* is en* and eth*. `optional`,
#: so that no boot waits for a port without a cable.
DEFAULT: dict[str, Any] = {
    "version": 2,
    "ethernets": {"wired": {"match": {"name": "e*"}, "dhcp4": True, "dhcp6": True, "optional": True}},
}
