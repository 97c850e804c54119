"""Stores to save to, and folders to save from."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from pycurrent.files import FileStore

from .keeping import Keeper


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    return Keeper(FileStore(tmp_path / "files"), Event())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    path.mkdir()
    return path
