"""Tells what a branch, a tag or a change is, for the pages of items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from pycurrent.engine import OpenEngine
from pycurrent.engine.abouts import About
from pycurrent.engine.tasks import in_thread
from pycurrent.plugins.forge.links import ForgeLink
from pycurrent.plugins.forge.values import Change, Ref
from pycurrent.plugins.git.address import RepositoryAddress
from pycurrent.plugins.git.mirror import Mirror
from pycurrent.plugins.git.repository import Repository


async def about(
    engine: OpenEngine, links: Iterable[ForgeLink], labels: Mapping[str, str]
) -> About | None:
    """The ref that has these labels, as `each_repository` and `each_ref` give them, as it was read
    last; None if no forge has it now. Its commit is told once it was fetched.
    """
    path, key = labels.get("repo"), labels.get("ref")
    if path is None or key is None:
        return None
    for link in links:
        ref = link.known_ref(path, key)
        if ref is not None:
            commits = "/-/commit/" if link.api.kind == "gitlab" else "/commit/"
            return await _about(engine, ref, commits)
    return None


async def _about(engine: OpenEngine, ref: Ref, commits: str) -> About:
    mirror = Mirror(engine.state.git, RepositoryAddress.of(ref.repository.clone_url))
    told = await in_thread(lambda: _commit(mirror, ref.hash))
    found = About(
        url=ref.repository.web_url,
        commit=told,
        commit_url=f"{ref.repository.web_url}{commits}{ref.hash}",
    )
    if not isinstance(ref, Change):
        return found
    return replace(found, title=ref.title, author=ref.author, url=ref.web_url)


def _commit(mirror: Mirror, hash: str) -> str:
    text = Repository.at(mirror.repository).text(hash) if mirror.is_sound else None
    return hash[:10] if text is None else f"{hash[:10]} {text.author}: {text.subject}"
