"""A GitHub on which an App of ours is installed."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pycurrent import Current
from pycurrent.plugins.forge import Ref, Repository
from pycurrent.plugins.forge.api import ForgeApi
from pycurrent.plugins.github import App
from pycurrent.testing import Harness, VirtualClock

from ..forge.model import sha
from .check_runs import FakeCheckRun
from .fake import FakeGithub

Show = Callable[[App, Current[Ref]], Current[Any]]


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


@dataclass
class Place:
    """GitHub, an App of ours, and the folder for engines."""

    github: FakeGithub
    app: App
    folder: Path

    def start(self, show: Show, state: str = "state") -> Harness:
        """An engine that shows something of each ref, with GitHub's time as that of its clock."""

        def each(repository: Current[Repository]) -> Current[object]:
            return self.app.each_ref(repository, lambda ref: show(self.app, ref))

        h = Harness(lambda: self.app.each_repository(each), state_dir=self.folder / state)
        self.github.now = h.clock.now()
        return h

    def runs(self, number: int = 1) -> list[FakeCheckRun]:
        """The check runs of a commit, the oldest first."""
        return self.github.checks.runs.get(sha(number), [])

    def said(self, number: int = 1) -> list[tuple[str, str]]:
        """The same, as names and states."""
        return self.github.checks.said(sha(number))


@pytest.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    """The App is installed at octo, which has web."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    github = FakeGithub()
    key = tmp_path / "app.pem"
    key.write_bytes(github.key.as_pem(private=True))
    await github.start()
    github.installations[7] = None
    github.add("octo/web")
    github.homes["octo/web"] = 7
    yield Place(github, App("1234", key, webhook_secret=github.secret, url=github.url), tmp_path)
    await github.stop()
