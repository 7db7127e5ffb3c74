"""Devices of the PCI bus, as /sys/bus/pci/devices has them."""

from __future__ import annotations

#: NVIDIA's number, and how the class of a display controller begins (pci.ids).
NVIDIA, DISPLAY = "0x10de", "0x03"


def is_nvidia_gpu(vendor: str, device_class: str) -> bool:
    """Says whether a device is a GPU of NVIDIA, by the text of its files `vendor` and `class`.

    >>> is_nvidia_gpu("0x10de", "0x030200"), is_nvidia_gpu("0x10de", "0x040300")
    (True, False)
    """
    return vendor.strip() == NVIDIA and device_class.strip().startswith(DISPLAY)
