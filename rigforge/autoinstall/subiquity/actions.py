"""The section `storage.config` as the installer reads it: actions, what they name, and their sizes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from rigforge.autoinstall.subiquity.disks import disk_errors
from rigforge.autoinstall.subiquity.document import ENDS, NOT_DONE, Finding, table
from rigforge.autoinstall.subiquity.sizes import NoSize, share, size

_KEY = "storage.config"


class Refused(Exception):
    """The installer stops here."""

    def __init__(self, key: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.finding = Finding("error", key, message, hint)


@dataclass(eq=False)
class Action:
    """One action. `named` and `members` are those that its keys name; the last three say what later ones make of it."""

    key: str
    type: str
    body: dict[str, Any]
    named: dict[str, Action] = field(default_factory=dict)
    members: list[Action] = field(default_factory=list)
    partitions: list[Action] = field(default_factory=list)
    format: Action | None = None
    mount: Action | None = None

    @property
    def label(self) -> str:
        """What a message calls it."""
        return f"the {self.type} {self.body.get('id')}"

    @property
    def table(self) -> str:
        """The partition table of a disk or a RAID."""
        named = self.body.get("ptable")
        return "gpt" if named is None else "msdos" if named == "dos" else str(named)

    @property
    def logical(self) -> bool:
        """Tells whether a partition is inside an extended one."""
        number = self.body.get("number")
        in_msdos = "device" in self.named and self.named["device"].table == "msdos"
        return self.body.get("flag") == "logical" or (in_msdos and isinstance(number, int) and number > 4)


def read(config: Any) -> tuple[list[Action], list[Finding]]:
    """Returns the actions that the installer knows, and warnings. Raises Refused where it would stop."""
    if not isinstance(config, list) or not all(isinstance(action, dict) for action in config):
        raise Refused(_KEY, "it is no list of actions", "each has type and id")
    kinds: dict[str, dict[str, list[str]]] = table("names")["actions"]
    matches: set[tuple[str, Any]] = set()
    for number, body in enumerate(config):
        key = f"{_KEY}[{number}]"
        if "type" not in body or not isinstance(body["type"], Hashable):
            raise Refused(key, "it has no type", f"types: {', '.join(kinds)}")
        if body["type"] == "disk":
            for fault in disk_errors(body, key, matches):
                raise Refused(fault.key, fault.message, fault.hint)
    actions: list[Action] = []
    by_id: dict[Hashable, Action] = {}
    types: dict[Hashable, str] = {}
    warnings: list[Finding] = []
    for number, body in enumerate(config):
        key = f"{_KEY}[{number}]"
        if body["type"] not in kinds:
            message = f"the installer knows no type {body['type']!r}, and passes over the action"
            warnings.append(Finding("warning", f"{key}.type", message, f"types: {', '.join(kinds)}", harm=NOT_DONE))
            if isinstance(body.get("id"), Hashable):
                types[body.get("id")] = body["type"]
            continue
        action = Action(key, body["type"], body)
        warnings += _connect(action, by_id, types)
        _check(action)
        by_id[body["id"]] = action
        actions.append(action)
    warnings += _sizes(actions)
    return actions, warnings


def _connect(action: Action, by_id: dict[Hashable, Action], types: dict[Hashable, str]) -> Iterator[Finding]:
    """Follows the ids that an action names, and yields a warning for each that is not there and may be missing."""
    kind = table("names")["actions"][action.type]
    keys = kind.get("required", [])
    for name in ("id", *keys):
        if name not in action.body:
            raise Refused(action.key, f"a {action.type} needs {name}", f"add {name}")
    if not isinstance(action.body["id"], Hashable):
        raise Refused(f"{action.key}.id", "it is no text", "id: a word of your own")
    for name in kind.get("one", []) + kind.get("several", []):
        if name not in action.body:
            continue
        ids = action.body[name] if name in kind.get("several", []) else [action.body[name]]
        if not isinstance(ids, Iterable):
            raise Refused(f"{action.key}.{name}", f"{ids!r} is no list", f"{name}: [id, …]")
        for item in ids:
            if isinstance(item, Hashable) and item in by_id:
                continue
            key, message, hint = f"{action.key}.{name}", f"no action before it has the id {item!r}", "name one above"
            if isinstance(item, Hashable) and item in types:
                message = f"{item!r} is of the type {types[item]!r}, which the installer does not know"
                hint = "the installer cannot make it: late-commands can"
            if isinstance(ids, str):
                message, hint = f"{ids!r} is no list", f"{name}: [{ids}]"
            if name in keys or not isinstance(item, Hashable):
                raise Refused(key, message, hint)
            yield Finding("warning", key, f"{message}: the installer goes on without it", hint, harm=NOT_DONE)
            break
        else:
            if name in kind.get("one", []):
                action.named[name] = by_id[action.body[name]]
            else:
                action.members += [by_id[item] for item in ids]
    if action.type == "mount" and not isinstance(action.body["path"], str | None):
        fault = f"{action.body['path']!r} is no path: the installation ends there"
        yield Finding("warning", f"{action.key}.path", fault, "such as /home", harm=ENDS)
    if "device" in action.named and action.type == "mount" and action.named["device"].type != "format":
        fault = f"{action.named['device'].label} is no file system"
        yield Finding(
            "warning", f"{action.key}.device", f"{fault}: the installation ends there", "name a format", harm=ENDS
        )


def _check(action: Action) -> None:
    """Joins an action to those it names. Raises Refused for what it cannot be."""
    body = action.body
    if action.type == "format" and "volume" in action.named:
        action.named["volume"].format = action
    elif action.type == "mount" and "device" in action.named:
        action.named["device"].mount = action
    elif action.type == "raid":
        levels: list[str] = table("names")["raid"]["levels"]
        if str(body["raidlevel"]) not in levels:
            message = f"{body['raidlevel']!r} is no level"
            raise Refused(f"{action.key}.raidlevel", message, f"levels: {', '.join(levels)}")
        _no_path(action)
    elif action.type == "dm_crypt" and body.get("recovery_keyfile") is not None:
        for name in ("recovery_live_location", "recovery_backup_location"):
            if not body.get(name):
                raise Refused(action.key, f"a recovery_keyfile needs {name}", f"add {name}")
    elif action.type == "partition":
        _partition(action)
    elif action.type == "lvm_partition":
        _size_text(action)
        action.named["volgroup"].partitions.append(action)


def _no_path(action: Action) -> None:
    """A path is that of what is there already, as where a document is copied from an installed machine."""
    if "path" in action.body and "info" not in action.body and not action.body.get("preserve"):
        message = f"with path it must be there already: an empty disk has no {action.body['path']}"
        raise Refused(
            f"{action.key}.path", message, "remove path (and number, offset, uuid): the installer makes it new"
        )


def _partition(action: Action) -> None:
    device, body = action.named["device"], action.body
    if device.type not in ("disk", "raid"):
        raise Refused(f"{action.key}.device", f"{device.label} has no partitions", "name a disk or a raid")
    _no_path(action)
    _size_text(action)
    if body.get("number") is None:
        most = _most(device)
        if action.logical and device.table == "gpt":
            raise Refused(f"{action.key}.flag", "a gpt table has no logical partitions", "leave the flag out")
        if not action.logical and len([part for part in device.partitions if not part.logical]) >= most:
            message = f"it is one more than the {most} of a {device.table} table"
            raise Refused(action.key, message, "ptable: gpt, or one extended partition and logical ones in it")
    device.partitions.append(action)


def _most(device: Action) -> int:
    """Returns how many (primary) partitions a disk or a RAID can have. Raises Refused for a table that there is not."""
    tables: dict[str, int] = table("names")["tables"]
    if device.table not in tables:
        message = f"{device.body['ptable']!r} is no partition table"
        raise Refused(f"{device.key}.ptable", message, f"known are: {', '.join(tables)}")
    return tables[device.table]


def _size_text(action: Action) -> None:
    text = action.body.get("size")
    if isinstance(text, str):
        try:
            if "%" in text:
                share(text)
            else:
                size(text)
        except NoSize as wrong:
            raise Refused(f"{action.key}.size", wrong.message, wrong.hint) from wrong


def _unsized(device: Action) -> Action | None:
    """Returns a partition below a RAID, a group or an encrypted device that has no size."""
    for part in (*device.members, *(device.named[name] for name in ("volume",) if name in device.named)):
        if part.type == "partition" and not _has_size(part):
            return part
        if partition := _unsized(part):
            return partition
    return None


def _has_size(action: Action) -> bool:
    return isinstance(action.body.get("size"), str | int)


def _sizes(actions: list[Action]) -> Iterator[Finding]:
    """Only the last of a disk or a group can have the rest, and only where all the others have sizes."""
    for action in (part for kind in ("partition", "lvm_partition") for part in actions if part.type == kind):
        amount, parent = action.body.get("size"), action.named["device" if action.type == "partition" else "volgroup"]
        rest = isinstance(amount, int) and amount < 0
        siblings = parent.partitions
        if action.body.get("flag") == "extended":
            siblings = [part for part in siblings if not part.logical]
        if rest and siblings[-1] is not action:
            message = f"it takes all that is left, and is not the last of {parent.label}"
            raise Refused(f"{action.key}.size", message, "give it a size, or put it last")
        if rest or (isinstance(amount, str) and "%" in amount):
            if action.type == "partition":
                _most(parent)
            unsized = next((part for part in siblings[:-1] if rest and not _has_size(part)), None) or _unsized(parent)
            if unsized:
                message = f"{unsized.label} has no size, and that of {action.label} depends on it"
                raise Refused(f"{unsized.key}.size", message, "size: 20G")
        if action.type == "partition" and not _has_size(action) and not action.body.get("preserve"):
            message = "it has no size: the installation ends there"
            yield Finding("warning", action.key, message, "size: 20G, or -1 for all that is left", harm=ENDS)
        number = action.body.get("number")
        if number is not None and not isinstance(number, int):
            message = f"{number!r} is no number: the installation ends there"
            yield Finding("warning", f"{action.key}.number", message, "a number without quotes, or none", harm=ENDS)
