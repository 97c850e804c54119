"""A GitHub on which an App of ours is installed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pycurrent.plugins.forge.api import ForgeApi
from pycurrent.plugins.github import App
from pycurrent.testing import VirtualClock

from .fake import FakeGithub


@dataclass
class World:
    """GitHub, and our way to it as an App."""

    github: FakeGithub
    api: ForgeApi
    clock: VirtualClock
    key: Path

    def passes(self, **duration: Any) -> None:
        """Time passes, here and there."""
        self.clock.move(timedelta(**duration))
        self.github.now = self.clock.now()


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """The App is installed at octo, which has web, and at ann, who has notes."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    github, clock = FakeGithub(), VirtualClock()
    github.now = clock.now()
    key = tmp_path / "app.pem"
    key.write_bytes(github.key.as_pem(private=True))
    await github.start()
    for installation, path in ((7, "octo/web"), (8, "ann/notes")):
        github.installations[installation] = None
        github.add(path, is_private=True)
        github.homes[path] = installation
    api = App("1234", key, webhook_secret=github.secret, url=github.url).connect(clock)
    yield World(github, api, clock, key)
    await api.aclose()
    await github.stop()
