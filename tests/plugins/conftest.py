"""Fixtures for tests of plugins."""

from pathlib import Path

import pytest

from pycurrent.plugins.git.environment import CHOOSE_A_REPOSITORY

from .repositories import SETTINGS, Repo


@pytest.fixture(autouse=True)
def _nobodys_git(monkeypatch: pytest.MonkeyPatch) -> None:
    """Git commands, ours and the tests', see no settings of the person who runs the tests."""
    for name in CHOOSE_A_REPOSITORY:
        monkeypatch.delenv(name, raising=False)
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """A repository with one commit on main, a file a.txt that says "one"."""
    repo = Repo.init(tmp_path / "repo")
    repo.commit("first", a_txt="one")
    return repo
