"""Packages that stay in one version: kernel and driver, which belong together.

They are held by a pin of apt's (apt_preferences(5)). A hold of dpkg's would be in the package's status, and curtin
takes no kernel for installed whose status is not "ii" (curtin/distro.py, dpkg_query_list_kernels): it would make no
initramfs. What somebody else holds with apt-mark counts as held too.
"""

from __future__ import annotations

from collections.abc import Mapping

#: In a machine's file system.
FILE = "etc/apt/preferences.d/rigforge-held"

#: Above every archive's priority, and not enough for a downgrade.
_PIN = """\
Explanation: kernel and driver belong together; `sudo rigforge-doctor upgrade --plan` says which pair comes next
Package: {name}
Pin: version {version}
Pin-Priority: 1000
"""


def text(versions: Mapping[str, str]) -> str:
    """Returns the text of `FILE` for packages and their versions.

    >>> print(text({"libcuda1": "535.309.01-1"}).partition("\\n")[2], end="")
    Package: libcuda1
    Pin: version 535.309.01-1
    Pin-Priority: 1000
    """
    return "\n".join(_PIN.format(name=name, version=versions[name]) for name in sorted(versions))
