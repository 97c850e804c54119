"""Commits of strangers: fetched by us, without leading us to repositories that are not theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pycurrent.plugins import git
from pycurrent.plugins.git.address import RepositoryAddress
from pycurrent.plugins.git.credentials import RepositoryAccess, SshKey
from pycurrent.term import Current, Failed, Failure, Ok, Untrusted, untrusted

from ..gitserver import TOKEN, GitServer
from ..repositories import Repo
from .conftest import push, serve
from .test_access import PASSWORDLESS, Start, private
from .test_remote import add_submodule, files

__all__ = ["private"]
FORK = Untrusted("octo/web", "a" * 40)
FREE = Untrusted("octo/web", "a" * 40, approval=False)


def clone(private: str, trust: Untrusted) -> Current[Any]:
    with untrusted(trust):
        return git.clone(private, token=TOKEN)


async def test_a_fetch_is_ours(private: str, start: Start) -> None:
    """It runs nothing of the commit: so it has the token, and waits for no approval."""
    async with start(lambda: clone(private, FORK)) as harness:
        await harness.settle()
        assert isinstance(harness.output, Ok)


async def test_a_submodule_is_fetched_as_anybody_would(
    upstream: Repo, private: str, served: GitServer, start: Start, tmp_path: Path
) -> None:
    """The token would open other repositories of the host to a stranger's commit, even where we
    have the submodule already.
    """
    other = serve(Repo.init(tmp_path / "lib"), served, "lib.git")
    other.commit("private library")
    push(other)
    add_submodule(upstream, served.url("lib.git"), other, "lib")
    upstream.commit("with a submodule")
    push(upstream)
    async with start(lambda: files(git.clone(private, token=TOKEN))) as harness:
        await harness.settle()
        assert harness.output == Ok("a.txt=one")

    async with start(lambda: clone(private, FREE)) as harness:
        await harness.settle()
        assert harness.output == Failed(f"submodule lib: {served.url('lib.git')}: {PASSWORDLESS}")


@pytest.mark.parametrize("address", ["ssh://git.example.org/a/b", "git@git.example.org:a/b", "/b"])
async def test_strangers_lead_us_nowhere_but_to_the_web(address: str, tmp_path: Path) -> None:
    """An SSH key opens more than they may see, and so does a path of this machine."""
    home = RepositoryAddress.of("https://git.example.org/octo/web")
    access = RepositoryAccess(home, ssh_key=SshKey(tmp_path / "key")).of_stranger
    user: Any = None
    with pytest.raises(Failure, match="untrusted work reaches other repositories by https only"):
        async with access.settings(user, RepositoryAddress.of(address)):
            pass
