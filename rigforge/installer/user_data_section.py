"""The `user-data` section: more cloud-config for the first boot, as far as it leaves the login as it is."""

from __future__ import annotations

from typing import Any

from rigforge.installer.login import password_hash, public_keys, username
from rigforge.installer.section import DocumentSection, kind, words

#: Top-level keys of cloud-config; source: the schema of cloud-init 22.4.2, which is Debian 12's.
_KNOWN = words(
    """
    ansible apt apt_pipelining apt_reboot_if_required apt_update apt_upgrade authkey_hash bootcmd byobu_by_default
    ca-certs ca_certs chef device_aliases disable_ec2_metadata disk_setup final_message fs_setup groups growpart
    grub-dpkg grub_dpkg landscape locale_configfile lxd manage_etc_hosts manage_resolv_conf mcollective
    mount_default_fields mounts no_ssh_fingerprints ntp package_reboot_if_required package_update package_upgrade
    packages phone_home power_state prefer_fqdn_over_hostname puppet random_seed reporting resize_rootfs resolv_conf
    rsyslog runcmd salt_minion snap ssh ssh_deletekeys ssh_fp_console_blacklist ssh_genkeytypes ssh_import_id
    ssh_key_console_blacklist ssh_keys ssh_publish_hostkeys ssh_quiet_keygen swap updates users vendor_data wireguard
    write_files
    """
)

_ELSEWHERE = {
    "allow_public_ssh_keys": "ssh.authorized-keys says who may log in",
    "autoinstall": "a document does not hold another",
    "chpasswd": "give identity.password, or hashed_passwd in users",
    "disable_root": "root never logs in; the user has sudo",
    "disable_root_opts": "root never logs in; the user has sudo",
    "fqdn": "give identity.hostname with its domain",
    "hostname": "give identity.hostname",
    "keyboard": "give keyboard at the top level",
    "locale": "give locale at the top level",
    "password": "give identity.password, a hash",
    "preserve_hostname": "give identity.hostname",
    "ssh_authorized_keys": "give ssh.authorized-keys",
    "ssh_pwauth": "give ssh.allow-pw",
    "timezone": "give timezone at the top level",
    "user": "give identity, or users for more of them",
}

_USER = words(
    """
    expiredate gecos groups hashed_passwd homedir inactive lock_passwd name no_create_home no_log_init no_user_group
    passwd primary_group shell ssh_authorized_keys ssh_import_id sudo system uid
    """
)


def read_user_data(where: str, value: object, user: str) -> dict[str, Any]:
    """Returns the cloud-config under `user-data`, empty when it is null; `user` is the name in `identity`."""
    if value is None:
        return {}
    section = DocumentSection(where, "user-data", value, _KNOWN, _ELSEWHERE)
    for key in ("users", "write_files", "runcmd", "bootcmd"):
        if key in section and not isinstance(section.get(key), list):
            raise section.error(key, f"must be a list, not {kind(section.get(key))}")
    names = {user}
    for number, entry in enumerate(section.values.get("users", [])):
        name = _check_user(where, f"user-data.users[{number}]", entry)
        if name in names:
            raise section.error("users", f"the user {name!r} is given twice", "identity makes the first user")
        names.add(name)
    return section.values


def _check_user(where: str, key: str, value: object) -> str:
    refused = {"plain_text_passwd": "give hashed_passwd"}
    section = DocumentSection(where, key, value, _USER, refused)
    for name in ("passwd", "hashed_passwd"):
        password_hash(section, name)
    public_keys(section, "ssh_authorized_keys")
    return username(section, "name")
