"""How a machine is reached, and what it says of itself: SSH, firewall, WireGuard's keys, security updates, report.

Who may log in and which ports are open besides SSH's, only a machine's own document says.
"""

from __future__ import annotations

from rigforge.layers import own_files
from rigforge.layers.root import Root

#: cloud-init's file comes before this one, and so its word (ssh.allow-pw of the document) counts.
SSH = """\
PermitRootLogin no
PasswordAuthentication no
KbdInteractiveAuthentication no
"""

#: Security updates come by themselves; what is held stays, the kernel before the present one stays bootable, and
#: nobody reboots the machine under a training run.
UPGRADES = """\
APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
Unattended-Upgrade::Automatic-Reboot "false";
Unattended-Upgrade::Remove-Unused-Kernel-Packages "false";
"""

#: At shutdown an upgrade that is under way is asked to stop, and waited for. The package's unit is a Python process
#: that waits for that moment, 19 MiB of it.
UPGRADES_AT_SHUTDOWN = """\
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=
ExecStart=/bin/true
ExecStop=/usr/share/unattended-upgrades/unattended-upgrade-shutdown --stop-only
"""

#: The package's own configuration would remove the tables of container engines.
FIREWALL = """\
[Service]
ExecStart=
ExecStart=/usr/sbin/nft --file /etc/rigforge/firewall.nft
ExecStart=/usr/sbin/nft 'include "/etc/rigforge/firewall.d/*.nft"'
ExecReload=
ExecReload=/usr/sbin/nft --file /etc/rigforge/firewall.nft
ExecReload=/usr/sbin/nft 'include "/etc/rigforge/firewall.d/*.nft"'
ExecStop=
ExecStop=/usr/sbin/nft delete table inet rigforge
"""

#: Debian's PAM prints this before each login.
MOTD = """\
#!/bin/sh
cat /var/lib/rigforge/report 2>/dev/null || true
"""

#: On the consoles before each login; agetty(8) fills it in, and again when an address changes.
ISSUE = """\
\\n.local: \\4 \\6

"""

UNITS = (
    "rigforge-report.service",
    "rigforge-report-refresh.service",
    "rigforge-report-refresh.timer",
    "rigforge-seeded.service",
    "rigforge-wireguard.service",
)


#: What the units start.
PROGRAMS = ("rigforge.machine.report", "rigforge.machine.wireguard")


def build(root: Root) -> None:
    """Sets up what the installed packages need for it, and adds units and programs of `rigforge.machine`."""
    root.write("etc/ssh/sshd_config.d/rigforge.conf", SSH)
    root.write("etc/apt/apt.conf.d/52rigforge", UPGRADES)
    root.write("etc/systemd/system/unattended-upgrades.service.d/rigforge.conf", UPGRADES_AT_SHUTDOWN)
    root.write("etc/update-motd.d/50-rigforge", MOTD, 0o755)
    root.write("etc/issue.d/rigforge.issue", ISSUE)
    own_files.add_modules(root, *PROGRAMS)
    own_files.add_units(root, "machine", *UNITS)
    if root.exists("usr/sbin/nft"):
        root.at("etc/rigforge/firewall.d").mkdir(parents=True)
        own_files.add(root, "machine/firewall.nft", "etc/rigforge/firewall.nft")
        root.write("etc/systemd/system/nftables.service.d/rigforge.conf", FIREWALL)
        root.chroot(["systemctl", "enable", "nftables.service"])
