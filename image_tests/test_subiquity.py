"""What Canonical's installer made of the document, and of the kernel that the layers bring."""

from __future__ import annotations

import pytest
import yaml
from testinfra.host import Host

from rigforge.verify.expectations import Expectations

pytestmark = pytest.mark.needs("machine", "subiquity")

DOCUMENT = "/var/log/installer/autoinstall-user-data"


def test_it_was_installed_by_the_document_that_was_given(host: Host, expected: Expectations) -> None:
    with host.sudo():
        document = yaml.safe_load(host.file(DOCUMENT).content_string)["autoinstall"]
    assert document["identity"]["username"] == expected.username
    assert document["kernel"] == {"package": f"linux-image-{expected.versions['kernel']}"}


def test_no_other_kernel_was_installed(host: Host, expected: Expectations) -> None:
    shown = host.check_output("dpkg-query --show --showformat '${db:Status-Status} ${Package}\\n' 'linux-image-[0-9]*'")
    installed = [line.split()[1] for line in shown.splitlines() if line.startswith("installed ")]
    assert installed == [f"linux-image-{expected.versions['kernel']}"]


def test_nothing_of_the_medium_s_pool_is_left(host: Host) -> None:
    """From 26.04 on it is signed with a key that was made for this medium alone."""
    assert not host.file("/etc/apt/sources.list.d/cdrom.sources").exists
    # The installer finds the folder busy when it would remove it (subiquity/server/apt.py), so an empty one stays.
    assert not host.mount_point("/cdrom").exists
    assert host.run("ls -A /cdrom").stdout == ""
    assert "file:" not in host.check_output("apt-get indextargets --format '$(URI)'")


@pytest.mark.needs("driver")
def test_nvidia_smi_works_where_there_is_a_gpu(host: Host, has_gpu: bool) -> None:
    assert (host.run("nvidia-smi").rc == 0) == has_gpu
