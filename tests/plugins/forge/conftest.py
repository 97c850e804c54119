"""Each forge, as its API is called, beside a server that behaves as it does."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pycurrent import Secret
from pycurrent.plugins.forge import Forge
from pycurrent.plugins.forge.api import ForgeApi
from pycurrent.plugins.forgejo import Forgejo
from pycurrent.plugins.github import App, GitHub
from pycurrent.plugins.gitlab import GitLab
from pycurrent.term import Current
from pycurrent.testing import Harness, VirtualClock

from ..forgejo.fake import FakeForgejo
from ..github.fake import FakeGithub, FakeGithubOfApp
from ..gitlab.fake import FakeGitlab
from .model import FakeForge


@dataclass
class World:
    """A forge, and our way to it."""

    forge: FakeForge
    author: Forge
    """As pipelines have it."""
    api: ForgeApi
    clock: VirtualClock
    make: Callable[..., ForgeApi]
    """Makes others, with another token, say."""


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is on this machine."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def _github(url: str, *, token: str, webhook_secret: str) -> Forge:
    return GitHub(token, webhook_secret=webhook_secret, url=url)


class _Key(Secret):
    """The key of an App, which stands where others have a token."""

    def __init__(self, text: str) -> None:
        self._key = text

    def __repr__(self) -> str:
        return "the key"

    @property
    def _place(self) -> str:
        return "the key"

    def _text(self) -> str:
        return self._key


def _app(url: str, *, token: str, webhook_secret: str) -> Forge:
    return App("1234", _Key(token), webhook_secret=webhook_secret, url=url)


FORGES: dict[str, tuple[type[FakeForge], Callable[..., Forge]]] = {
    "forgejo": (FakeForgejo, Forgejo),
    "github": (FakeGithub, _github),
    "github as an App": (FakeGithubOfApp, _app),
    "gitlab": (FakeGitlab, GitLab),
}
"""The forges that pass this suite."""


@pytest.fixture(params=list(FORGES))
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A forge with nothing in it."""
    kind, author = FORGES[request.param]
    forge, clock, made = kind(), VirtualClock(), list[ForgeApi]()

    def ours(**more: str) -> Forge:
        given = {"token": forge.token, "webhook_secret": forge.secret, **more}
        return author(forge.url, **given)

    def make(**more: str) -> ForgeApi:
        made.append(ours(**more).connect(clock))
        return made[-1]

    await forge.start()
    yield World(forge, ours(), make(), clock, make)
    for api in made:
        await api.aclose()
    await forge.stop()


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Harness]:
    """A harness for a pipeline, with the state directory of the test."""

    def begin(pipeline: Callable[[], Current[Any]], **options: Any) -> Harness:
        return Harness(pipeline, state_dir=tmp_path / "state", **options)

    return begin
