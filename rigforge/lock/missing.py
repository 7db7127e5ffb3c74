"""A lock that is not there yet is made, as uv and cargo do; one that is there is never written here."""

from __future__ import annotations

from rigforge import console, distributions
from rigforge.errors import RigforgeError
from rigforge.lock import model
from rigforge.records import conda
from rigforge.sources import answers, live_server
from rigforge.sources.answers import Place
from rigforge.sources.mirrors import Mirrors
from rigforge.stack.model import Stack


def lock_of(stack: Stack, mirrors: Mirrors, *, offline: bool = False) -> model.Lock:
    """Returns the lock of a stack, made and written beside it where there is none, which is said.

    Raises RigforgeError for a lock that is there and does not fit, where `offline` forbids to make one, and where an
    archive that is needed for it does not answer.
    """
    path = stack.lock_path
    if path.exists():
        return model.of_stack(stack)
    if offline:
        raise RigforgeError(
            f"{path}: there is no lock yet, and --offline forbids to ask the archives for one",
            f"run once without --offline, or make it where there is a network: invoke lock --stack {stack.name}",
        )
    console.say(f"{path}: there is no lock yet; it is made now, of what the archives have today")
    answers.check(asked_of(stack), mirrors)
    # conda's solver takes longer to import than a build takes in which nothing has changed.
    from rigforge.lock.resolve import resolve

    lock = resolve(stack, mirrors)
    path = stack.new_lock_path
    model.write(lock, path)
    size = sum(file.size for file in lock.files)
    console.say(f"lock made: {path} ({len(lock.files)} files, {size / 1e9:.2f} GB); keep it, and builds stay the same")
    return lock


def asked_of(stack: Stack) -> tuple[Place, ...]:
    """Returns which archives a lock of the stack is made from, with what is asked of each."""
    places = [Place(archive.mirror, archive.release) for archive in stack.archives]
    # The doctor is packed with wheels, whatever the stack has.
    places.append(Place("pypi", "pip/"))
    if stack.python.provider == "conda":
        places.append(Place(conda.ROLE, "noarch/repodata.json.zst"))
    if release := distributions.of(stack).installer.release:
        places.append(Place(live_server.ROLE, f"{release}/SHA256SUMS"))
    return tuple(places)


def silent(stack: Stack, mirrors: Mirrors) -> str:
    """Returns the first archive that a lock of the stack needs and that gives no answer, and why; "" where all do."""
    for place in sorted(set(asked_of(stack))):
        if reason := answers.silence(place, mirrors):
            return f"the archive {place.role} does not answer: {reason}"
    return ""
