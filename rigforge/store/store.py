"""Downloaded files, each once, named by its sha256."""

from __future__ import annotations

import errno
import json
import os
import queue
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from rigforge import __version__, atomic
from rigforge.console import Transfer, warn
from rigforge.errors import RigforgeError, StoppedError
from rigforge.records.file import LockedFile
from rigforge.sources import web
from rigforge.sources.mirrors import Mirrors
from rigforge.store.comparison import Expected, compare
from rigforge.store.download import Transport, download
from rigforge.store.partial_download import PartialDownload
from rigforge.store.seal import seal

#: Says of each fetch how long it took.
_JOURNAL = "fetches.jsonl"

#: Seconds between two looks at a file that another process is fetching.
_TURN = 0.2

#: Seconds that connections get to notice that the transfer has ended; what is still blocked then writes nothing wrong.
_GRACE = 2.0


@dataclass(frozen=True)
class Store:
    """A directory of read-only files, ROOT/ab/abcd… by sha256 (hex), and of `.part` files that can be resumed.

    A file is in the store whole or not at all. Several processes may use one store at a time.
    """

    root: Path

    def path(self, sha256: str) -> Path:
        """Returns where the file of that sha256 (hex) is, or would be."""
        return self.root / sha256[:2] / sha256

    def has(self, file: LockedFile) -> bool:
        """Says whether `file` is here. Looks at its size as well: a power cut may leave a file without its data."""
        try:
            return self.path(file.sha256).stat().st_size == file.size
        except (FileNotFoundError, NotADirectoryError):
            return False

    def missing(self, files: Iterable[LockedFile]) -> list[LockedFile]:
        """Returns those of `files` that are not here, each content once, the largest first."""
        once = {file.sha256: file for file in files}
        return sorted((file for file in once.values() if not self.has(file)), key=lambda file: -file.size)

    def fetch(self, files: Iterable[LockedFile], mirrors: Mirrors, *, offline: bool = False, workers: int = 8) -> None:
        """Fetches what is missing of `files`, over `workers` connections at a time.

        Raises RigforgeError for the first file that cannot be had (WrongContentError, FileGoneError, a mirror
        that does not answer), where files are missing with `offline`, and for a disk that is full or
        cannot be written. After an error or Ctrl-C the next call goes on with what has arrived.
        """
        missing = self.missing(files)
        if not missing:
            return
        if offline:
            raise RigforgeError(
                f"{len(missing)} locked files are not in {self.root}, the first of them {missing[0].file}",
                "run the same command once without --offline",
            )
        with self._disk(missing):
            self._check_space(missing)
            start = time.monotonic()
            with Transfer("fetching", len(missing), sum(file.size for file in missing)) as transfer:
                try:
                    _Fetch(self, mirrors, transfer, missing).run(min(workers, len(missing)))
                finally:
                    self._keep_seconds(filter(self.has, missing), time.monotonic() - start)

    def confirm(self, files: Iterable[LockedFile], mirrors: Mirrors, *, offline: bool = False) -> list[LockedFile]:
        """Reads files that are about to be used, and returns those that were not what was locked.

        Those are named, removed and fetched again. Raises RigforgeError as `fetch`.
        """
        by_place = {f"{file.sha256[:2]}/{file.sha256}": file for file in files}
        damaged = []
        for problem in compare([Expected(place, one.sha256, one.size) for place, one in by_place.items()], self.root):
            file = by_place[problem.path]
            warn(f"{self.path(file.sha256)} ({file.file}) {problem.reason}: it is damaged, and removed")
            damaged.append(file)
            with self._disk(damaged):
                self.path(file.sha256).unlink(missing_ok=True)
        self.fetch(damaged, mirrors, offline=offline)
        return damaged

    def confirm_sealed(self, file: LockedFile, mirrors: Mirrors, *, offline: bool = False) -> None:
        """Does as `confirm`, but reads the file only where its seal is not that of the last time it was read."""
        record = self.path(file.sha256).with_suffix(".seal")
        if not record.exists() or record.read_text() != seal(self.path(file.sha256)):
            self.confirm([file], mirrors, offline=offline)
            atomic.write(record, seal(self.path(file.sha256)))

    def fetches(self) -> list[dict[str, Any]]:
        """Returns each fetch since that is kept, oldest first: its `seconds`, and in `files` bytes by sha256 (hex)."""
        journal = self.root / _JOURNAL
        return [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []

    def _keep_seconds(self, arrived: Iterable[LockedFile], seconds: float) -> None:
        if files := {file.sha256: file.size for file in arrived}:
            with (self.root / _JOURNAL).open("a") as journal:
                journal.write(json.dumps({"seconds": round(seconds, 1), "files": files}) + "\n")

    def part_path(self, file: LockedFile) -> Path:
        """Returns where `file` grows while it is fetched."""
        return self.path(file.sha256).with_suffix(".part")

    def _needed(self, missing: list[LockedFile]) -> int:
        """Returns how many bytes of `missing` are neither in the store nor in a part of it."""
        needed = 0
        for file in self.missing(missing):
            part = self.part_path(file)
            needed += max(0, file.size - (part.stat().st_size if part.exists() else 0))
        return needed

    def _check_space(self, missing: list[LockedFile]) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        if self._needed(missing) > shutil.disk_usage(self.root).free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @contextmanager
    def _disk(self, missing: list[LockedFile]) -> Iterator[None]:
        """Says in the user's terms what is wrong with the disk that the store is on."""
        try:
            yield
        except requests.RequestException:  # an OSError by inheritance, but none of the disk's
            raise
        except OSError as error:
            hint = "set RIGFORGE_HOME to a directory on a larger disk, or make room; what has arrived is kept"
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                free = shutil.disk_usage(
                    next(place for place in (self.root, *self.root.parents) if place.exists())
                ).free
                raise RigforgeError(
                    f"the disk of {self.root} is full: {self._needed(missing)} more bytes are needed, {free} are free",
                    hint,
                ) from error
            raise RigforgeError(
                f"cannot use {error.filename or self.root}: {error.strerror}",
                "make it readable and writable for this user, or set RIGFORGE_HOME to another directory",
            ) from error


class _Fetch:
    """Threads that take files from a queue until it is empty, one of them fails, or the user ends it."""

    def __init__(self, store: Store, mirrors: Mirrors, transfer: Transfer, files: list[LockedFile]) -> None:
        self._store, self._mirrors, self._transfer = store, mirrors, transfer
        self._stop = threading.Event()
        self._ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._files: queue.SimpleQueue[LockedFile] = queue.SimpleQueue()
        for file in files:
            self._files.put(file)

    def run(self, workers: int) -> None:
        """Returns once every file is in the store; raises the first error of a thread."""
        # Daemons, because a thread that waits for a silent server must not keep the process after Ctrl-C.
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]
        try:
            for thread in threads:
                thread.start()
            for _ in threads:
                if error := self._ended.get():
                    raise error
        finally:
            self._stop.set()
            for thread in filter(threading.Thread.is_alive, threads):
                thread.join(_GRACE / len(threads))

    def _work(self) -> None:
        try:
            with web.session(self._mirrors.proxies()) as session:
                session.headers["User-Agent"] = f"rigforge/{__version__}"
                by = Transport(self._mirrors, session, self._transfer.advance, self._stop)
                while not self._stop.is_set():
                    self._fetch(self._files.get_nowait(), by)
                    self._transfer.file_done()
        except (queue.Empty, StoppedError):
            self._ended.put(None)
        except BaseException as error:
            self._ended.put(error)

    def _fetch(self, file: LockedFile, by: Transport) -> None:
        path = self._store.part_path(file)
        while not self._store.has(file):
            part = PartialDownload.claim(path)
            if part is None:
                if by.stop.wait(_TURN):
                    raise StoppedError
                continue
            try:
                # Another process may have finished it between the look and the claim.
                if self._store.has(file):
                    part.discard()
                    return
                try:
                    download(file, part, by)
                except RigforgeError:
                    if part.size == 0:
                        part.discard()
                    raise
                part.finish(self._store.path(file.sha256))
            finally:
                part.close()
