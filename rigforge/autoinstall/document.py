"""The stack's site values as an autoinstall document."""

from __future__ import annotations

from typing import Any

from rigforge.autoinstall import access, template
from rigforge.errors import RigforgeError
from rigforge.installer.document import DocumentError, parse
from rigforge.stack.model import Stack

#: Where the stack holds what the document holds, the longer places first.
_STACK_KEYS = {
    "identity.password": "machine.password_hash",
    "identity.realname": "machine.full_name",
    "ssh.authorized-keys": "machine.ssh_authorized_keys",
    "storage.layout.password": "storage.passphrase",
    "storage.layout.match": "storage.match",
    "storage.layout.name": "storage.layout",
    "late-commands": "install.late_commands",
    "shutdown": "install.shutdown",
    "identity": "machine",
    "locale": "machine.locale",
    "keyboard": "machine.keyboard",
    "timezone": "machine.timezone",
}

#: What to write for the one thing that no stack can have by itself.
NO_LOGIN = (
    "give your public key: --set ssh_key=$HOME/.ssh/id_ed25519.pub, "
    'or machine.ssh_authorized_keys = ["…"] in site.toml; or machine.password_hash, made by `mkpasswd -m yescrypt`'
)


def render(stack: Stack) -> str:
    """Returns the document for the medium's autoinstall.yaml: the same text for the same stack.

    Raises RigforgeError, naming the stack's key, where the installer could not carry it out or nobody could log in.
    """
    text = template.fill(
        "autoinstall.yaml.j2",
        machine=stack.machine.model_dump(mode="json"),
        identity=identity(stack),
        layout=layout(stack),
        network=stack.network,
        late_commands=[*access.commands(stack), *stack.install.late_commands],
        shutdown=stack.install.shutdown,
    )
    access.warn_of_keys(stack)
    try:
        parse(text, f"stack {stack.name}")
    except DocumentError as error:
        raise _in_terms_of_the_stack(stack, error) from None
    return text


def identity(stack: Stack) -> dict[str, str]:
    """Returns the document's section `identity`, without a password where the stack has none."""
    machine = stack.machine
    names = {"hostname": machine.hostname, "username": machine.username, "realname": machine.full_name}
    return {**names, "password": machine.password_hash} if machine.password_hash else names


def layout(stack: Stack) -> dict[str, Any]:
    """Returns the document's storage.layout; encryption is lvm with a passphrase."""
    storage = stack.storage
    encrypted = storage.layout == "luks"
    section: dict[str, Any] = {"name": "lvm" if encrypted else storage.layout}
    if encrypted:
        section["password"] = storage.passphrase
    if storage.match:
        section["match"] = [match.model_dump(mode="json", exclude_none=True) for match in storage.match]
    return section


def _in_terms_of_the_stack(stack: Stack, error: DocumentError) -> RigforgeError:
    key = error.key
    for prefix, stack_key in _STACK_KEYS.items():
        if key == prefix or key.startswith((f"{prefix}.", f"{prefix}[")):
            key = stack_key + key.removeprefix(prefix)
            break
    locked_out = error.key == "ssh.authorized-keys" and not stack.machine.ssh_authorized_keys
    message = ": ".join(filter(None, (f"stack {stack.name}", key, error.problem)))
    return RigforgeError(message, NO_LOGIN if locked_out else error.hint)
