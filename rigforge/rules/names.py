"""Names of machines and of their users."""

from __future__ import annotations

import re

#: Characters of a host name: Linux's HOST_NAME_MAX, which is less than RFC 1123 allows.
LONGEST_HOSTNAME = 64

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOSTNAME = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.ASCII)

#: What useradd of Debian and Ubuntu takes (adduser.conf(5), NAME_REGEX), at most 32 characters (utmp(5)).
USERNAME = r"[a-z_][a-z0-9_-]{0,31}"

#: Users and groups that a Debian or Ubuntu system has for itself: of base-passwd and of common packages.
_RESERVED = """
    root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc gnats nobody nogroup
    adm tty disk kmem dialout fax voice cdrom floppy tape sudo audio dip operator src shadow utmp video sasl plugdev
    staff users admin wheel input render kvm sgx crontab netdev messagebus polkitd ssh _ssh sshd syslog tss uuidd
    _apt _chrony chrony ntp ntpsec landscape lxd pollinate systemd-coredump systemd-journal systemd-network
    systemd-oom systemd-resolve systemd-timesync docker containerd nvidia-persistenced slurm munge ceph mysql
    postgres redis libvirt-qemu dnsmasq avahi statd tcpdump tftp ftp debian-exim postfix dovecot bind named gdm
    lightdm sddm pulse saned colord geoclue rtkit usbmux whoopsie fwupd-refresh alias qmail hacluster haclient
"""
RESERVED = frozenset(_RESERVED.split())


def is_hostname(name: str) -> bool:
    """Says whether a machine can be called this, with or without a domain (RFC 1123).

    >>> is_hostname("gpu1.lab"), is_hostname("-gpu1"), is_hostname("gpu_1")
    (True, False, False)
    """
    return len(name) <= LONGEST_HOSTNAME and bool(_HOSTNAME.fullmatch(name))


def is_username(name: str) -> bool:
    """Says whether useradd would make a user of this name, whoever has it already.

    >>> is_username("ada"), is_username("Ada"), is_username("root")
    (True, False, True)
    """
    return bool(re.fullmatch(USERNAME, name, re.ASCII))
