"""Conda channels: rattler solves for the target, never for the machine that asks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from rattler import (
    Channel as RattlerChannel,
)
from rattler import (
    Gateway,
    GenericVirtualPackage,
    MatchSpec,
    PackageName,
    RepoDataRecord,
    SourceConfig,
    Subdir,
    Version,
    solve,
)
from rattler.exceptions import GatewayError, InvalidMatchSpecError, SolverError
from rattler.package import BuildString

from rigforge import paths
from rigforge.errors import RigforgeError
from rigforge.records.form import PLACES, said_by
from rigforge.sources.mirrors import without_credentials

#: The subdirectories of a channel that have packages for the target.
SUBDIRS = (Subdir("linux-64"), Subdir("noarch"))


@dataclass(frozen=True, order=True)
class CondaPackage:
    """One package of a channel: `path` is that within it, `size` in bytes, `needs` the names of what it depends on."""

    name: str
    version: str
    build: str
    path: str
    size: int
    sha256: str
    needs: frozenset[str]


@dataclass(frozen=True)
class Channel:
    """A channel, asked for packages that fit one target.

    `virtual` has the target's virtual packages with version and build: `{"__cuda": ("12.2", "0")}` (CEP 30).
    """

    role: str
    url: str
    virtual: Mapping[str, tuple[str, str]]

    def resolve(
        self,
        wishes: Mapping[str, str],
        *,
        constraints: Iterable[str] = (),
        preferred: Collection[str] = (),
        fresh: bool = False,
    ) -> tuple[CondaPackage, ...]:
        """Returns the packages of a consistent set that has all wishes, sorted by name.

        `wishes` has match specs and, for messages, the stack's key that asks for each; `constraints` are match specs
        for what gets in; of `preferred` (sha256, hex) the solver takes what still fits. `fresh` reads the index anew.

        Raises RigforgeError, with rattler's explanation, where there is no such set, where the channel does not
        answer, and for a package without sha256 or size in the index.
        """
        if not wishes:
            return ()
        try:
            records = asyncio.run(self._solve(wishes, constraints, preferred, fresh))
        except (SolverError, InvalidMatchSpecError) as error:
            conflicts = {wish: key for wish, key in wishes.items() if _is_named(wish, str(error))} or wishes
            wish_list = ", ".join(f"{wish} ({key})" for wish, key in conflicts.items())
            raise RigforgeError(
                f"the channel {self.role} has no set of packages with all that is asked for:\n{str(error).strip()}",
                f"correct what the stack asks for: {wish_list}",
            ) from error
        except GatewayError as error:
            message = str(error).replace(self.url, without_credentials(self.url))
            raise RigforgeError(
                f"the conda channel (role {self.role}, {without_credentials(self.url)}) cannot be used:\n{message}",
                f"check the network and the mirror: `{self.role}` of [mirrors] in Rigforge's configuration, "
                "else channel_alias or custom_channels of .condarc",
            ) from error
        return tuple(sorted(self._package(record) for record in records))

    async def _solve(
        self, wishes: Mapping[str, str], constraints: Iterable[str], preferred: Collection[str], fresh: bool
    ) -> list[RepoDataRecord]:
        channel = RattlerChannel(self.url)
        gateway = Gateway(
            cache_dir=paths.home() / "conda",
            default_config=SourceConfig(cache_action="no-cache" if fresh else "cache-or-fetch"),
        )
        preferred_records: list[RepoDataRecord] = []
        if preferred:
            record_lists = await gateway.query([channel], SUBDIRS, list(wishes), channel_relations="disabled")
            preferred_records = [
                record for records in record_lists for record in records if _sha256(record) in preferred
            ]
        return await solve(
            sources=[channel],
            specs=[MatchSpec(wish) for wish in wishes],
            gateway=gateway,
            platforms=SUBDIRS,
            locked_packages=preferred_records,
            constraints=list(constraints),
            virtual_packages=[
                GenericVirtualPackage(PackageName(name), Version(version), BuildString(build))
                for name, (version, build) in self.virtual.items()
            ],
            channel_relations="disabled",
        )

    def _package(self, record: RepoDataRecord) -> CondaPackage:
        if not record.sha256 or record.size is None:
            raise RigforgeError(
                f"the channel {self.role} has no {'size' if record.sha256 else 'sha256'} for {record.file_name}",
                f"use another mirror for role {self.role}",
            )
        path = f"{record.subdir}/{record.file_name}"
        with said_by(f"the channel {self.role}", f"use another mirror for role {self.role}"):
            PLACES["conda"].check("subdir and file name", f"{self.role}:{path}")
        return CondaPackage(
            name=record.name.normalized,
            version=str(record.version),
            build=str(record.build),
            path=path,
            size=record.size,
            sha256=_sha256(record),
            needs=frozenset(re.split(r"[\s=<>!~\[]", need, maxsplit=1)[0] for need in record.depends),
        )


def closure(packages: Iterable[CondaPackage], names: Iterable[str]) -> set[str]:
    """Returns the names of those of `packages` that are in `names`, and of all that they need."""
    packages_by_name = {package.name: package for package in packages}
    members: set[str] = set()
    queue = [name for name in names if name in packages_by_name]
    while queue:
        name = queue.pop()
        if name not in members:
            members.add(name)
            queue += [need for need in packages_by_name[name].needs if need in packages_by_name]
    return members


def _sha256(record: RepoDataRecord) -> str:
    return record.sha256.hex() if record.sha256 else ""


def _is_named(wish: str, text: str) -> bool:
    name = re.escape(re.split(r"[\s=<>!~]", wish, maxsplit=1)[0])
    return bool(re.search(rf"(?<![\w.-]){name}(?![\w-])", text))
