"""The example of a CI for a forge, with a Forgejo that is a fake, and real commits."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from examples import forge_ci
from pycurrent.plugins.forgejo import Forgejo
from pycurrent.plugins.github import App
from pycurrent.testing import Harness

from ..plugins.forgejo.fake import FakeForgejo
from ..plugins.github.fake import FakeGithub
from ..plugins.gitserver import GitServer
from ..plugins.repositories import Repo


@pytest.fixture
async def forge() -> AsyncIterator[FakeForgejo]:
    """A Forgejo."""
    forge = FakeForgejo()
    await forge.start()
    yield forge
    await forge.stop()


def served(project: Repo, root: Path) -> tuple[GitServer, str]:
    """A commit with checks, as a branch and as a pull request."""
    (project.path / "ci.json").write_text(json.dumps({"lint": ["false"], "tests": ["true"]}))
    hash = project.commit("have checks")
    server = GitServer(root)
    place = Repo.init(server.root / "octo/web.git", "--bare")
    server.start()
    project.git("push", "--quiet", place.path, "HEAD:refs/heads/do", "HEAD:refs/pull/1/head")
    return server, hash


async def test_checks_are_shown_on_the_forge(
    project: Repo, tmp_path: Path, forge: FakeForgejo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that `ci.json` names: as a status, and in a comment on the change."""
    server, hash = served(project, tmp_path / "served")
    forge.add("octo/web", hash=hash, clone_url=server.url("octo/web.git"))
    change = forge.open("octo/web", hash)
    ours = Forgejo(forge.url, token=forge.token)
    monkeypatch.setitem(forge_ci.FORGES, "forgejo", ours)
    try:
        async with Harness(forge_ci.pipeline, state_dir=tmp_path / "state") as h:
            table = "| lint | Failed |\n| tests | Ok |"
            await h.until(lambda: change.comments and table in change.comments[0].body, timeout=20)
            await h.until(
                lambda: forge.said("octo/web", hash)[-1:] == [("ci/checks", "failure")], timeout=20
            )
    finally:
        server.stop()
    found = forge.repositories["octo/web"].statuses[hash][-1]
    assert found.description.startswith("lint failed")
    assert found.url == f"https://ci.example.org/jobs?label=commit%3D{hash}"
    assert len(change.comments) == 1


async def test_a_github_app_has_a_check_for_each(
    project: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the status of all."""
    server, hash = served(project, tmp_path / "served")
    forge = FakeGithub()
    await forge.start()
    forge.installations[7] = None
    forge.add("octo/web", hash=hash, clone_url=server.url("octo/web.git"))
    forge.homes["octo/web"] = 7
    key = tmp_path / "app.pem"
    key.write_bytes(forge.key.as_pem(private=True))
    monkeypatch.setitem(forge_ci.FORGES, "github", App("1234", key, url=forge.url))
    try:
        h = Harness(lambda: forge_ci.pipeline("github"), state_dir=tmp_path / "state")
        async with h:
            forge.now = h.clock.now()
            wanted = {("lint", "failure"), ("tests", "success")}
            await h.until(lambda: wanted <= set(forge.checks.said(hash)), timeout=30)
            await h.until(
                lambda: forge.said("octo/web", hash)[-1:] == [("ci/checks", "failure")], timeout=30
            )
    finally:
        server.stop()
        await forge.stop()
