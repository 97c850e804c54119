"""Secrets by the places where they are."""

from pathlib import Path
from typing import Any

import pytest

from pycurrent.engine import Blame, Secret
from pycurrent.engine.secret import SecretMissing
from pycurrent.errors import UsageError
from pycurrent.term import FailureKind


def test_a_secret_is_read_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a new one counts at once. What was there when it was written down does not matter."""
    file, token = Secret.from_file(tmp_path / "token"), Secret.from_env("API_TOKEN")
    for value in ("first-horse", "second-horse"):
        (tmp_path / "token").write_text(value)
        monkeypatch.setenv("API_TOKEN", value)
        assert (file.read(), token.read()) == (value, value)


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("horse\n", "horse"),
        ("horse\r\n", "horse"),
        ("horse\n\n", "horse\n"),
        (" horse\r", " horse\r"),
        ("two\nlines\n", "two\nlines"),
    ],
)
def test_one_line_break_at_the_end_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, value: str
) -> None:
    """An editor has put it there. All else is part of the secret."""
    (tmp_path / "token").write_bytes(given.encode())
    monkeypatch.setenv("API_TOKEN", given)
    assert Secret.from_file(str(tmp_path / "token")).read() == value
    assert Secret.from_env("API_TOKEN").read() == value


def test_bytes_that_are_no_text_stay_as_they_are(tmp_path: Path) -> None:
    """A command finds the same bytes in its environment."""
    (tmp_path / "key").write_bytes(b"\xff\xfehorse")
    read = Secret.from_file(tmp_path / "key").read()
    assert read.encode(errors="surrogateescape") == b"\xff\xfehorse"


def test_a_relative_path_is_that_of_where_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine may work elsewhere later."""
    (tmp_path / "token").write_text("horse")
    monkeypatch.chdir(tmp_path)
    secret = Secret.from_file("token")
    monkeypatch.chdir("/")
    assert secret.read() == "horse"


def test_a_secret_that_can_not_be_used_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is of the machine, not of the work: it is to be mended there."""
    place = tmp_path / "token"
    file, variable = Secret.from_file(place), Secret.from_env("API_TOKEN")
    monkeypatch.delenv("API_TOKEN", raising=False)

    def message(secret: Secret) -> str:
        with pytest.raises(SecretMissing) as refused:
            secret.read()
        assert refused.value.blame is Blame.BROKEN
        assert refused.value.kind is FailureKind.INFRA
        return str(refused.value)

    assert message(variable) == "the engine's variable API_TOKEN is not set"
    monkeypatch.setenv("API_TOKEN", "\n")
    assert message(variable) == "the engine's variable API_TOKEN is empty"
    assert message(file) == f"the file {place} can't be read: No such file or directory"
    place.write_text("")
    assert message(file) == f"the file {place} is empty"
    place.write_text("ab\n")
    assert "fewer than 3 characters" in message(file)
    place.write_bytes(b"a\0horse")
    assert "has a NUL" in message(file)
    place.write_text("x" * 70_000)
    assert "is too long: it has over 65536 bytes" in message(file)
    assert message(Secret.from_file(tmp_path)) == f"{tmp_path} is not a file"


def test_what_can_be_no_place_is_refused() -> None:
    """Where it is written."""
    wrong: list[Any] = ["", "A=B", "1A", "a-b", None, 3]
    for name in wrong:
        with pytest.raises(UsageError, match=r"from_env takes the name of a variable, not "):
            Secret.from_env(name)
    path: Any = None
    with pytest.raises(UsageError, match=r"from_file takes a path, not None"):
        Secret.from_file(path)


def test_a_secret_shows_its_place_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be in a traceback, or in a debugger."""
    monkeypatch.setenv("API_TOKEN", "correct-horse")
    assert repr(Secret.from_env("API_TOKEN")) == "Secret.from_env('API_TOKEN')"
    assert repr(Secret.from_file("/etc/token")) == "Secret.from_file('/etc/token')"
