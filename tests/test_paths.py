"""Where state is kept."""

from __future__ import annotations

import pytest

from rigforge import paths
from rigforge.errors import RigforgeError


@pytest.mark.parametrize("name", ["a,b", "a:b", "a\\b", "a\nb"])
def test_a_directory_from_which_no_layer_can_be_mounted_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGFORGE_HOME", f"/tmp/{name}")
    with pytest.raises(RigforgeError, match="comma, colon, backslash or line end"):
        paths.home()
