"""The `network` section: netplan version 2, as far as cloud-init and systemd-networkd carry it out."""

from __future__ import annotations

from typing import Any

from rigforge.installer.section import DocumentError, DocumentSection, words

_DEVICE = words(
    """
    accept-ra activation-mode addresses critical dhcp-identifier dhcp4 dhcp4-overrides dhcp6 dhcp6-overrides gateway4
    gateway6 ignore-carrier ipv6-address-generation ipv6-address-token ipv6-mtu ipv6-privacy link-local macaddress mtu
    nameservers neigh-suppress optional optional-addresses renderer routes routing-policy
    """
)
_PHYSICAL = words(
    """
    auth delay-virtual-functions-rebind embedded-switch-mode emit-lldp generic-receive-offload
    generic-segmentation-offload infiniband-mode large-receive-offload link match receive-checksum-offload set-name
    tcp-segmentation-offload tcp6-segmentation-offload transmit-checksum-offload virtual-function-count wakeonlan
    """
)

#: Keys of a device by its type; source: netplan(5) of version 0.106, which is Debian 12's.
_TYPES = {
    "ethernets": (*_DEVICE, *_PHYSICAL),
    "bonds": (*_DEVICE, "interfaces", "parameters"),
    "bridges": (*_DEVICE, "interfaces", "parameters"),
    "vlans": (*_DEVICE, "id", "link"),
    "tunnels": (*_DEVICE, "mode", "local", "remote", "ttl", "key", "keys", "mark", "port", "peers", "id", "link"),
    "vrfs": (*_DEVICE, "interfaces", "table"),
}
_REFUSED = {
    "wifis": "the system has no software for wireless networks",
    "modems": "the system has no software for modems",
    "openvswitch": "the system has no Open vSwitch",
    "nm-devices": "the system has no NetworkManager",
}


def read_network(where: str, value: object) -> dict[str, Any]:
    """Returns the netplan mapping (with its `version`), given inline or under `network:`."""
    key = "network"
    if isinstance(value, dict) and "network" in value:
        if len(value) > 1:
            raise DocumentError(where, key, "network: inside network: must be its only key", "write it once")
        key, value = "network.network", value["network"]
    section = DocumentSection(where, key, value, ("version", "renderer", *_TYPES), _REFUSED)
    version = section.get("version")
    if isinstance(version, bool) or version != 2:
        raise section.error("version", "must be the number 2", "this is netplan's format: network: {version: 2, …}")
    _check_renderer(section)
    for devices in _TYPES:
        if devices in section:
            _check_devices(section, devices)
    return section.values


def _check_devices(section: DocumentSection, devices: str) -> None:
    entries = section.get(devices)
    names = entries if isinstance(entries, dict) else {}
    every = DocumentSection(section.where, f"{section.key}.{devices}", entries, names)
    for name in every.values:
        if name in _TYPES[devices]:
            hint = "one level is missing: ethernets: {any-name: {match: {name: 'en*'}, dhcp4: true}}"
            raise every.error(name, f"{name!r} is a setting, not the name of a device", hint)
        device = DocumentSection(section.where, f"{every.key}.{name}", every.get(name), _TYPES[devices], _REFUSED)
        _check_renderer(device)
        if "match" in device:
            DocumentSection(section.where, f"{device.key}.match", device.get("match"), ("name", "macaddress", "driver"))


def _check_renderer(section: DocumentSection) -> None:
    if "renderer" in section and section.get("renderer") != "networkd":
        raise section.error("renderer", "the system has systemd-networkd only", "leave the key out")
