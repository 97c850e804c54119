"""Fixtures for tests of examples."""

from pathlib import Path

import pytest

from ..plugins.repositories import SETTINGS, Repo


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """A repository without a commit."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    return Repo.init(tmp_path / "project")
