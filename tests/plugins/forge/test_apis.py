"""What each forge does alike, asked by its API."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from pycurrent import Failure, FailureKind
from pycurrent.plugins.forge.values import (
    Branch,
    Change,
    Delivery,
    Permission,
    Ref,
    Refused,
    Repository,
    Status,
    Tag,
    Verdict,
    commit_id,
)

from .conftest import World
from .model import FakeComment, hang_up, limited, out_of_order, sha


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the requests that are under way have led to something."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  (threads tell nobody)
            await asyncio.sleep(0.005)


async def _repository(world: World, path: str) -> Repository:
    found = {one.path: one for one in await world.api.repositories()}
    return found[path]


async def _ref(world: World, path: str, name: str) -> Ref:
    refs = await world.api.refs(await _repository(world, path))
    return next(ref for ref in refs if ref.name == name)


async def _change(world: World, path: str) -> Change:
    refs = await world.api.refs(await _repository(world, path))
    return next(ref for ref in refs if isinstance(ref, Change))


async def test_repositories_are_listed_to_the_last_page(world: World) -> None:
    """Those that we are let in to, by path; an archived or a private one is marked."""
    world.forge.page_size = 2
    for number in range(5):
        world.forge.add(f"octo/lib{number}")
    world.forge.add("octo/attic", is_archived=True, is_private=True)
    world.forge.add("other/hidden", is_private=True, is_ours=False)
    listed = await world.api.repositories()
    assert [one.path for one in listed] == ["octo/attic", *(f"octo/lib{n}" for n in range(5))]
    assert listed[0].is_archived
    assert listed[0].is_private
    assert not listed[1].is_private
    assert listed[1].default_branch == "main"
    assert {one.site for one in listed} == {world.api.site}
    assert listed[1].name == "lib0"


async def test_refs_are_branches_tags_and_open_changes(world: World) -> None:
    """Each with its commit, to the last page; they can be fetched from the repository itself."""
    world.forge.page_size = 1
    made = world.forge.add("octo/web")
    made.branches |= {"dev": sha(2), "a/b": sha(3)}
    made.tags |= {"v1": sha(1), "v2": sha(2)}
    world.forge.open("octo/web", sha(4), title="One", labels=("b", "a"))
    world.forge.add("eve/web", hash=sha(5), is_ours=False)
    world.forge.open("octo/web", sha(5), author="eve", source="eve/web", is_draft=True)
    repository = await _repository(world, "octo/web")
    refs = await world.api.refs(repository)
    assert {ref.ref: ref.hash for ref in refs if isinstance(ref, Branch)} == {
        "refs/heads/main": sha(1),
        "refs/heads/dev": sha(2),
        "refs/heads/a/b": sha(3),
    }
    assert {ref.ref: ref.hash for ref in refs if isinstance(ref, Tag)} == {
        "refs/tags/v1": sha(1),
        "refs/tags/v2": sha(2),
    }
    own, fork = sorted((ref for ref in refs if isinstance(ref, Change)), key=lambda one: one.number)
    assert (own.title, own.author, own.base, own.labels) == ("One", "ann", "main", ("a", "b"))
    assert (own.is_from_fork, own.is_draft) == (False, False)
    assert (fork.is_from_fork, fork.is_draft, fork.source) == (True, True, "eve/web")
    assert {commit_id(ref).repository for ref in refs} == {repository.clone_url}


async def test_a_change_whose_fork_is_gone_counts_as_from_a_fork(world: World) -> None:
    """Nothing of ours vouches for it."""
    world.forge.add("octo/web")
    world.forge.open("octo/web", sha(2), source=None)
    assert (await _change(world, "octo/web")).is_from_fork


async def test_a_change_from_a_fork_that_we_may_not_see_is_listed(world: World) -> None:
    """As one from a fork."""
    world.forge.add("octo/web")
    world.forge.add("eve/secret", is_private=True, is_ours=False)
    world.forge.open("octo/web", sha(2), source="eve/secret")
    assert (await _change(world, "octo/web")).is_from_fork


async def test_an_empty_repository_has_no_refs(world: World) -> None:
    """And no default branch."""
    world.forge.add("octo/new").branches.clear()
    repository = await _repository(world, "octo/new")
    assert repository.default_branch is None
    assert await world.api.refs(repository) == ()


@pytest.mark.parametrize("verdict", list(Verdict))
async def test_a_status_that_was_set_is_found(world: World, verdict: Verdict) -> None:
    """As the forge shows it, by its name, also on a change from a fork."""
    world.forge.add("octo/web")
    world.forge.add("eve/web", is_ours=False)
    world.forge.open("octo/web", sha(7), source="eve/web")
    ref = await _change(world, "octo/web")
    status = Status("ci/test", verdict, f"a {'long ' * 100}\nstory", "https://ci.example.org/x")
    assert await world.api.status(ref, "ci/test") is None
    await world.api.set_status(ref, status)
    await world.api.set_status(ref, Status("ci/other", Verdict.SUCCESS))
    assert await world.api.status(ref, "ci/test") == world.api.as_shown(status)
    assert await world.api.status(ref, "ci") is None


async def test_a_status_goes_through_its_states(world: World) -> None:
    """And begins again; the last one counts."""
    world.forge.add("octo/web")
    ref = await _ref(world, "octo/web", "main")
    verdicts = [Verdict.PENDING, Verdict.RUNNING, Verdict.FAILURE, Verdict.RUNNING, Verdict.SUCCESS]
    for verdict in verdicts:
        status = Status("ci", verdict, verdict.value)
        await world.api.set_status(ref, status)
        assert await world.api.status(ref, "ci") == world.api.as_shown(status)


async def test_what_a_status_shows_does_not_change_when_it_is_shown(world: World) -> None:
    """So that it can be compared."""
    for verdict in Verdict:
        shown = world.api.as_shown(Status("ci", verdict, "x" * 1000))
        assert world.api.as_shown(shown) == shown
        assert len(shown.description) <= 255


async def test_a_comment_is_found_by_its_mark_and_edited(world: World) -> None:
    """On whatever page it is; others' are left alone."""
    world.forge.page_size = 2
    change = world.forge.add("octo/web")
    world.forge.open("octo/web", sha(2))
    ref, mark = await _change(world, "octo/web"), "<!-- topic -->"
    change.changes[1].comments.append(FakeComment(1, "eve", f"not ours {mark}"))
    assert await world.api.comment(ref, mark) is None
    first = await world.api.write_comment(ref, f"one {mark}", None)
    for number in range(4):
        await world.api.write_comment(ref, f"other {number}", None)
    found = await world.api.comment(ref, mark)
    assert found == first
    edited = await world.api.write_comment(ref, f"two {mark}", found)
    assert edited.id == first.id
    bodies = [comment.body for comment in change.changes[1].comments]
    assert bodies == [
        f"not ours {mark}",
        f"two {mark}",
        *(f"other {number}" for number in range(4)),
    ]


@pytest.mark.parametrize("role", [role for role in Permission if role is not Permission.NONE])
async def test_a_person_has_the_permission_of_now(world: World, role: Permission) -> None:
    """People whom nobody knows have none."""
    made = world.forge.add("octo/web")
    world.forge.person("ann")
    repository = await _repository(world, "octo/web")
    assert await world.api.permission(repository, "ann") is world.forge.stranger
    if role in world.forge.roles:
        made.members["ann"] = role
        assert await world.api.permission(repository, "ann") is role
        del made.members["ann"]
    assert await world.api.permission(repository, "ann") is world.forge.stranger
    assert await world.api.permission(repository, "nobody") is Permission.NONE


async def test_a_delivery_says_where_to_look_again(world: World) -> None:
    """And who has caused it, and by which id it is known again."""
    headers, body = world.forge.deliver("push", "octo/web", id="d-1", author="ann")
    found = world.api.verify(headers, body)
    assert isinstance(found, Delivery)
    assert (found.id, found.repositories, found.person) == ("d-1", ("octo/web",), "ann")
    assert found.commands == ()
    assert found.event


async def test_a_comment_asks_by_lines_that_begin_with_a_slash(world: World) -> None:
    """Everything else in it is for people."""
    text = "please\n/rebuild\n /not this\n/ok-to-test 0a1b2c\n//\n/"
    headers, body = world.forge.deliver("comment", "octo/web", number=7, author="ann", text=text)
    found = world.api.verify(headers, body)
    assert isinstance(found, Delivery)
    assert [command.words for command in found.commands] == [
        ("rebuild",),
        ("ok-to-test", "0a1b2c"),
        ("/",),
    ]
    first = found.commands[0]
    assert (first.repository, first.number, first.author) == ("octo/web", 7, "ann")


async def test_a_forged_delivery_is_refused(world: World) -> None:
    """Without a signature, with another secret's, or by an engine that has no secret."""
    headers, body = world.forge.deliver("push", "octo/web")
    bare = {name: text for name, text in headers.items() if world.forge.secret not in text}
    unsigned = {
        name: text for name, text in bare.items() if "signature" not in name and "token" not in name
    }
    assert isinstance(world.api.verify(unsigned, body), Refused)
    assert isinstance(world.make(webhook_secret="another").verify(headers, body), Refused)
    assert isinstance(world.make(webhook_secret="").verify(headers, body), Refused)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b"\xff", b'{"project": 3}', b"{}"])
async def test_a_strange_delivery_raises_nothing(world: World, body: bytes) -> None:
    """What can't be read is refused, or says nothing."""
    headers, _ = world.forge.deliver("push", "octo/web")
    found = world.api.verify(headers, body)
    assert isinstance(found, Refused) or not found.commands


async def test_a_forge_that_is_out_of_order_is_infrastructure(world: World) -> None:
    """Proxies' pages, broken connections, and nobody there."""
    world.forge.replies += [out_of_order]
    for _ in range(2):
        with pytest.raises(Failure) as failed:
            await world.api.repositories()
        assert failed.value.kind is FailureKind.INFRA
        assert world.api.site in str(failed.value)
        assert "<" not in str(failed.value)
        world.forge.replies += [hang_up]
    world.forge.replies.clear()
    await world.forge.stop()
    with pytest.raises(Failure, match="can't be reached") as failed:
        await world.api.repositories()
    assert failed.value.kind is FailureKind.INFRA


async def test_a_limit_of_requests_is_waited_for(world: World) -> None:
    """As long as the forge asks; until when is told meanwhile, and nothing else is asked."""
    world.forge.add("octo/web")
    repository = await _repository(world, "octo/web")
    world.forge.replies.append(limited("90"))
    asked = asyncio.create_task(world.api.permission(repository, "nobody"))
    await until(lambda: world.api.limited_until(repository) is not None)
    before = len(world.forge.requests)
    assert world.api.limited_until(repository) == world.clock.now() + timedelta(seconds=90)
    also = asyncio.create_task(world.api.refs(repository))
    world.clock.move(timedelta(seconds=89))
    assert len(world.forge.requests) == before
    world.clock.move(timedelta(seconds=1))
    assert await asked is Permission.NONE
    assert await also
    assert world.api.limited_until(repository) is None


async def test_a_wrong_token_is_told_with_what_to_do(world: World) -> None:
    """It won't pass by itself."""
    with pytest.raises(Failure, match=r"token|private key") as failed:
        await world.make(token="wrong").repositories()
    assert failed.value.kind is FailureKind.REAL
    assert "wrong" not in str(failed.value).split()


async def test_a_repository_that_is_gone_is_told_by_its_name(world: World) -> None:
    """Others go on."""
    world.forge.add("octo/web")
    repository = await _repository(world, "octo/web")
    del world.forge.repositories["octo/web"]
    with pytest.raises(Failure, match="octo/web") as failed:
        await world.api.refs(repository)
    assert failed.value.kind is FailureKind.REAL


async def test_the_token_that_fetches_is_ours(world: World) -> None:
    """By the name that the forge wants with it."""
    world.forge.add("octo/web")
    token = await world.api.clone_token(await _repository(world, "octo/web"))
    assert token is not None
    assert await token.get() == world.forge.fetching


async def test_closing_twice_is_fine(world: World) -> None:
    """Also while something is asked."""
    world.forge.add("octo/web")
    await world.api.repositories()
    await world.api.aclose()
    await world.api.aclose()
