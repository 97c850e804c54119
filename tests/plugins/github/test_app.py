"""GitHub as an App sees it: by its installations."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from joserfc.jwk import RSAKey

from pycurrent import Failure, FailureKind, Ok, UsageError
from pycurrent.plugins.forge.values import Branch, Change, MergeGroup, Repository, Status, Verdict
from pycurrent.plugins.github import App, GitHub
from pycurrent.testing import Harness

from ..forge.model import sha
from .conftest import World


async def repository(world: World, path: str = "octo/web") -> Repository:
    found = {one.path: one for one in await world.api.repositories()}
    return found[path]


def made_tokens(world: World) -> int:
    return sum(request.endswith("/access_tokens") for request in world.github.requests)


async def test_the_repositories_of_all_installations_are_listed(world: World) -> None:
    """With the installation by which they are reached; those that are suspended are left out."""
    listed = await world.api.repositories()
    assert [(one.path, one.account) for one in listed] == [("ann/notes", "8"), ("octo/web", "7")]
    world.github.installations[8] = "2026-01-01T00:00:00Z"
    assert [one.path for one in await world.api.repositories()] == ["octo/web"]


async def test_a_token_is_made_once_for_all_who_ask_and_renewed(world: World) -> None:
    """A few minutes before its hour is over."""
    web, notes = await repository(world), await repository(world, "ann/notes")
    assert made_tokens(world) == 2
    await asyncio.gather(*(world.api.refs(web) for _ in range(10)), world.api.refs(notes))
    world.passes(minutes=54)
    await world.api.refs(web)
    assert made_tokens(world) == 2
    world.passes(minutes=2)
    world.github.tokens.clear()
    await asyncio.gather(*(world.api.refs(web) for _ in range(10)))
    assert made_tokens(world) == 3


async def test_what_fetches_is_the_token_of_the_installation(world: World) -> None:
    """The one of now: it is asked for each time."""
    token = await world.api.clone_token(await repository(world))
    assert token is not None
    assert token.username == "x-access-token"
    assert world.github.tokens[await token.get()] == 7
    world.passes(minutes=56)
    world.github.tokens.clear()
    assert world.github.tokens[await token.get()] == 7


async def test_a_merge_queue_has_groups(world: World) -> None:
    """They are not branches."""
    name = f"gh-readonly-queue/release/2.0/pr-7-{sha(3)}"
    world.github.repositories["octo/web"].branches[name] = sha(4)
    web = await repository(world)
    group, branch = sorted(await world.api.refs(web), key=lambda ref: ref.name)
    assert group == MergeGroup(web, name, sha(4), "release/2.0")
    assert isinstance(branch, Branch)


async def test_an_app_finds_its_own_comments(world: World) -> None:
    """Under the name that GitHub gives it; not those of somebody who has copied the mark."""
    change = world.github.open("octo/web", sha(2))
    web = await repository(world)
    (ours,) = [ref for ref in await world.api.refs(web) if isinstance(ref, Change)]
    written = await world.api.write_comment(ours, "<!-- x --> one", None)
    assert written.author == "robot[bot]"
    copied = change.comments[0].__class__(1, "eve", "<!-- x -->")
    change.comments.insert(0, copied)
    assert await world.api.comment(ours, "<!-- x -->") == written


def quota_used_up(until: int, *, status: int = 403) -> Any:
    def reply(request: web.Request) -> web.StreamResponse:
        headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(until)}
        told = {"message": "API rate limit exceeded for installation ID 7."}
        return web.json_response(told, status=status, headers=headers)

    return reply


def secondary(request: web.Request) -> web.StreamResponse:
    told = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}
    return web.json_response(told, status=403)


async def until_limited(world: World, of: Repository) -> timedelta:
    async with asyncio.timeout(20):
        while (until := world.api.limited_until(of)) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    return until - world.clock.now()


@pytest.mark.parametrize("status", [403, 429])
async def test_a_quota_that_is_used_up_is_waited_for(world: World, status: int) -> None:
    """Until GitHub fills it again; that of another installation is its own."""
    web, notes = await repository(world), await repository(world, "ann/notes")
    reset = int(world.clock.now().timestamp()) + 1800
    world.github.replies.append(quota_used_up(reset, status=status))
    asked = asyncio.create_task(world.api.status(Branch(web, "main", sha(1)), "ci"))
    assert await until_limited(world, web) == timedelta(minutes=30)
    assert world.api.limited_until(notes) is None
    assert await world.api.refs(notes)
    world.passes(minutes=30)
    assert await asked is None


async def test_a_secondary_limit_is_waited_for(world: World) -> None:
    """A minute, as GitHub does not say for how long."""
    web = await repository(world)
    world.github.replies.append(secondary)
    asked = asyncio.create_task(
        world.api.set_status(Branch(web, "main", sha(1)), Status("ci", Verdict.SUCCESS))
    )
    assert await until_limited(world, web) == timedelta(minutes=1)
    world.passes(minutes=1)
    await asked
    assert world.github.said("octo/web", sha(1)) == [("ci", "success")]


# What can be wrong


async def failure(world: World, key: Path, id: str = "1234") -> Failure:
    api = App(id, key, url=world.github.url).connect(world.clock)
    try:
        with pytest.raises(Failure) as failed:
            await api.repositories()
    finally:
        await api.aclose()
    return failed.value


async def test_a_key_of_another_app_is_told(world: World, tmp_path: Path) -> None:
    """As is a clock that is wrong, which GitHub does not tell from it."""
    other = tmp_path / "other.pem"
    other.write_bytes(RSAKey.generate_key(2048).as_pem(private=True))
    said = '{"message": "A JSON web token could not be decoded"}'
    for _ in range(2):
        world.github.replies.append(
            lambda _: web.Response(status=401, text=said, content_type="application/json")
        )
    failed = await failure(world, other)
    assert "does not know the App: its id and its key have to belong together" in str(failed)
    assert "clock of this machine" in str(failed)
    assert failed.kind is FailureKind.REAL


@pytest.mark.parametrize("text", ["", "no key", "-----BEGIN RSA PRIVATE KEY-----\nMII\n"])
async def test_a_file_that_is_not_a_key_is_told(world: World, tmp_path: Path, text: str) -> None:
    """With its name, and nothing of what it holds."""
    file = tmp_path / "key.pem"
    file.write_text(text)
    failed = await failure(world, file)
    assert f"{file} is not the private key of a GitHub App" in str(failed)


async def test_a_key_that_is_missing_is_told(world: World, tmp_path: Path) -> None:
    """When it is needed: the machine may still be set up."""
    assert "can't be read" in str(await failure(world, tmp_path / "none.pem"))


async def test_an_installation_that_was_suspended_or_removed_is_told(world: World) -> None:
    """By what was asked for; other repositories go on."""
    web, notes = await repository(world), await repository(world, "ann/notes")
    world.passes(minutes=58)
    world.github.installations[7] = "2026-01-01T00:00:00Z"
    with pytest.raises(Failure, match="the installation is suspended") as failed:
        await world.api.refs(web)
    assert failed.value.kind is FailureKind.REAL
    del world.github.installations[7]
    with pytest.raises(Failure, match="is the App no longer installed there"):
        await world.api.refs(web)
    assert await world.api.refs(notes)


async def test_a_token_that_was_revoked_is_made_again(world: World) -> None:
    """At once; a second one that is refused is a failure."""
    web = await repository(world)
    world.github.tokens.clear()
    main = Branch(web, "main", sha(1))
    assert await world.api.status(main, "ci") is None
    world.github.replies += [revoked, revoked]
    with pytest.raises(Failure, match="refuses the token"):
        await world.api.status(main, "ci")
    assert await world.api.status(main, "ci") is None


def revoked(request: web.Request) -> web.StreamResponse:
    return web.json_response({"message": "Bad credentials"}, status=401)


async def test_an_installation_that_refuses_leaves_the_others_alone(world: World) -> None:
    """Its repositories are as they were last; one that was never seen has none."""
    listed = await world.api.repositories()
    world.github.installations[9] = None
    world.passes(minutes=58)
    world.github.refused |= {8, 9}
    assert await world.api.repositories() == listed
    first, second = world.api.refusals
    assert "does not allow a token of the installation 8" in first
    assert "the installation 9" in second
    world.github.refused.remove(8)
    del world.github.installations[9]
    await world.api.repositories()
    assert world.api.refusals == ()


async def test_the_note_of_the_repositories_tells_what_refuses(
    world: World, tmp_path: Path
) -> None:
    """Where an installation of which nothing was read yet is missing."""
    world.github.refused.add(8)
    app = App("1234", world.key, webhook_secret=world.github.secret, url=world.github.url)
    async with Harness(app.repositories, state_dir=tmp_path / "state") as h:
        world.github.now = h.clock.now()
        await h.until(lambda: isinstance(h.output, Ok), timeout=20)
        (stage,) = h.engine.opened.live.stages()
        synced, refusal = (stage.status.note or "").split("; ")
        assert synced.startswith("last synced ")
        assert "does not allow a token of the installation 8" in refusal
        assert "Your IP address is not permitted" in refusal


async def test_a_short_pause_does_not_end_a_long_one(world: World) -> None:
    """Of requests that were under way when the quota was used up."""
    web = await repository(world)
    reset = int(world.clock.now().timestamp()) + 1800
    world.github.replies += [quota_used_up(reset), secondary, secondary]
    main = Branch(web, "main", sha(1))
    asked = asyncio.gather(*(world.api.status(main, "ci") for _ in range(3)))
    assert await until_limited(world, web) == timedelta(minutes=30)
    async with asyncio.timeout(20):
        while world.github.replies:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert await until_limited(world, web) == timedelta(minutes=30)
    world.passes(minutes=30)
    while not asked.done():  # The last answer may only come now.
        await asyncio.sleep(0.005)
        world.passes(minutes=1)
    assert asked.result() == [None] * 3


def test_what_can_not_be_is_refused_at_once() -> None:
    """With what to write."""
    wrong: Any = 3
    with pytest.raises(UsageError, match="the path of its key"):
        App(1234, wrong)
    with pytest.raises(UsageError, match="takes the App's id"):
        App("", "key.pem")
    with pytest.raises(UsageError, match="is not the address of a GitHub"):
        App(1234, "key.pem", url="github.example.org")
    with pytest.raises(UsageError, match="is empty: is the secret set"):
        GitHub("")
