"""Fixtures for tests of pipelines, for any plugin that runs coroutines as tests.

pytest loads this in each project of an environment, so the fixtures import everything else when
they are used. They are plain fixtures: the test awaits what has to be awaited.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pycurrent.testing import HarnessFactory, VirtualClock


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """The path of a state directory for the engines of this test; it does not exist yet."""
    return tmp_path / "state"


@pytest.fixture
def virtual_clock() -> VirtualClock:
    """A clock that moves only on demand, to give to an `Engine`. A harness has its own."""
    from pycurrent.testing import VirtualClock

    return VirtualClock()


@pytest.fixture
def harness(state_dir: Path, request: pytest.FixtureRequest) -> Iterator[HarnessFactory]:
    """A function that makes a `Harness` of a pipeline: enter it with `async with`.

    All use `state_dir` by default. It is an error to leave one open, or a process running, at the
    end of the test.
    """
    from pycurrent.testing import HarnessFactory

    factory = HarnessFactory(state_dir)
    yield factory
    if left := factory.leftovers(request.node.nodeid):
        pytest.fail("\n".join(left), pytrace=False)
