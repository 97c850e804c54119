"""The example of a CI for a forge, with a Forgejo that is a fake, and real commits."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from examples import forge_ci
from pycurrent.plugins.forgejo import Forgejo
from pycurrent.testing import Harness

from ..plugins.forgejo.fake import FakeForgejo
from ..plugins.gitserver import GitServer
from ..plugins.repositories import Repo


@pytest.fixture
async def forge() -> AsyncIterator[FakeForgejo]:
    """A Forgejo."""
    forge = FakeForgejo()
    await forge.start()
    yield forge
    await forge.stop()


async def test_checks_are_shown_on_the_forge(
    project: Repo, tmp_path: Path, forge: FakeForgejo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that `ci.json` names: as a status, and in a comment on the change."""
    (project.path / "ci.json").write_text(json.dumps({"lint": ["false"], "tests": ["true"]}))
    hash = project.commit("have checks")
    server = GitServer(tmp_path / "served")
    place = Repo.init(server.root / "octo/web.git", "--bare")
    server.start()
    project.git("push", "--quiet", place.path, "HEAD:refs/heads/do", "HEAD:refs/pull/1/head")
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
