"""What a file was made of, beside it: a build that would make the same again leaves it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from rigforge.store.seal import seal


@dataclass(frozen=True)
class Stamp:
    """What a file was made of, kept in a hidden file beside it: the id of its content, and what decides its layout.

    Files of one layout differ in texts of the same length (`rigforge.images.medium.Medium`). `seconds` is how long the
    writing took, None where nobody kept that.
    """

    id: str
    layout: str
    seconds: float | None = field(default=None, compare=False)

    @classmethod
    def of(cls, output: Path) -> Stamp | None:
        """Returns the stamp of a file, or None where there is none or the file is not as it was left."""
        file = _stamp_file(output)
        if not (output.exists() and file.exists()):
            return None
        identity, layout, *state = file.read_text().split()
        seconds = float(state[4]) if len(state) > 4 else None
        return cls(identity, layout, seconds) if state[:4] == seal(output).split() else None

    @staticmethod
    def forget(output: Path) -> None:
        """Has the next build write the file anew."""
        _stamp_file(output).unlink(missing_ok=True)

    def put(self, output: Path) -> None:
        """Stamps a finished file."""
        seconds = [] if self.seconds is None else [str(self.seconds)]
        _stamp_file(output).write_text(" ".join([self.id, self.layout, seal(output), *seconds]))


def _stamp_file(output: Path) -> Path:
    return output.with_name(f".{output.name}.made")
