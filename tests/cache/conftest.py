"""What the tests of the cache share."""

from pathlib import Path

import pytest

from pycurrent.testing import Harness

from .workshop import OpenEngine, Workshop


@pytest.fixture
def shop() -> Workshop:
    return Workshop()


@pytest.fixture
def engine(tmp_path: Path) -> OpenEngine:
    return lambda pipeline: Harness(pipeline, state_dir=tmp_path)
