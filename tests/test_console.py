"""What is told to the user is told as it is."""

from __future__ import annotations

import pytest

from rigforge import console


@pytest.mark.parametrize("path", ["/srv/a:b:/c", "/srv/[red]/c", "/srv/:warning:"])
def test_a_path_stays_as_it_is(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    console.say(path)
    console.fail(path, path)
    assert capsys.readouterr().err == f"{path}\nerror: {path}\nhint: {path}\n"
