"""A server that behaves as Slack, and what pipelines know of it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from pycurrent.plugins.slack import Channel, Webhook
from pycurrent.term import Current
from pycurrent.testing import Harness

from .slack import TOKEN, Slack


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is on this machine."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def server() -> AsyncIterator[Slack]:
    """Slack."""
    server = Slack()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def channel(server: Slack) -> Channel:
    """A channel that a bot may post to."""
    return Channel("#builds", TOKEN, server.api)


@pytest.fixture
def webhook(server: Slack) -> Webhook:
    """A webhook."""
    return Webhook("#builds by webhook", server.hook)


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Harness]:
    """A harness for a pipeline, with the state directory of the test."""

    def make(pipeline: Callable[[], Current[Any]], **options: Any) -> Harness:
        return Harness(pipeline, state_dir=tmp_path / "state", **options)

    return make
