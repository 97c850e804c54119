"""The peculiarities of Forgejo and Gitea."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from pycurrent import Failure, FailureKind, UsageError
from pycurrent.plugins.forge.api import ForgeApi
from pycurrent.plugins.forge.values import Change, Delivery, Refused
from pycurrent.plugins.forgejo import Forgejo
from pycurrent.testing import VirtualClock

from ..forge.model import sha
from .fake import FakeForgejo


@pytest.fixture
async def forge() -> AsyncIterator[FakeForgejo]:
    """A Forgejo with a repository."""
    forge = FakeForgejo()
    await forge.start()
    forge.add("octo/web")
    yield forge
    await forge.stop()


@pytest.fixture
async def api(forge: FakeForgejo) -> AsyncIterator[ForgeApi]:
    """Our way to it."""
    ours = Forgejo(forge.url, token=forge.token, webhook_secret=forge.secret)
    api = ours.connect(VirtualClock())
    yield api
    await api.aclose()


async def _change(api: ForgeApi) -> Change:
    (repository,) = [one for one in await api.repositories() if one.path == "octo/web"]
    return next(ref for ref in await api.refs(repository) if isinstance(ref, Change))


async def test_a_change_that_was_pushed_for_review_counts_as_from_a_fork(
    forge: FakeForgejo, api: ForgeApi
) -> None:
    """Forgejo names the repository itself as its source, but all who may read may push so."""
    forge.open("octo/web", sha(2), is_pushed_for_review=True)
    change = await _change(api)
    assert change.is_from_fork
    assert change.ref == "refs/pull/1/head"


@pytest.mark.parametrize("title", ["WIP: do it", "[WIP] do it", "wip: do it"])
async def test_a_draft_is_known_by_its_title(forge: FakeForgejo, api: ForgeApi, title: str) -> None:
    """As Forgejo knows it."""
    forge.open("octo/web", sha(2), title=title)
    assert (await _change(api)).is_draft


async def test_only_the_repositories_of_organizations_are_listed(forge: FakeForgejo) -> None:
    """If there are such; one that is gone is told by its name."""
    forge.add("else/where")
    for organizations, expected in ((["octo"], ["octo/web"]), ([], ["else/where", "octo/web"])):
        ours = Forgejo(forge.url, token=forge.token, organizations=organizations)
        api = ours.connect(VirtualClock())
        assert [one.path for one in await api.repositories()] == expected
        await api.aclose()
    api = Forgejo(forge.url, token=forge.token, organizations=["nope"]).connect(VirtualClock())
    with pytest.raises(Failure, match="the repositories of nope"):
        await api.repositories()
    await api.aclose()


async def test_what_is_forbidden_is_told_with_the_scopes_that_it_needs(
    forge: FakeForgejo, api: ForgeApi
) -> None:
    """And what Forgejo says of it."""
    said = "token does not have at least one of required scope(s): [read:user]"
    forge.replies.append(lambda request: web.json_response({"message": said}, status=403))
    with pytest.raises(Failure, match=r"write:repository.*required scope") as failed:
        await api.repositories()
    assert failed.value.kind is FailureKind.REAL


@pytest.mark.parametrize("body", ["<html>log in</html>", '{"a": 1}', '"x"'])
async def test_something_else_that_answers_is_told(
    forge: FakeForgejo, api: ForgeApi, body: str
) -> None:
    """The page of a proxy, with status 200, say."""
    forge.replies.append(lambda request: web.Response(text=body))
    with pytest.raises(Failure, match="isn't Forgejo's API"):
        await api.repositories()


async def test_a_name_that_is_not_known_is_told() -> None:
    """With the address that was asked."""
    api = Forgejo("https://forge.invalid", token="t0ken").connect(VirtualClock())
    with pytest.raises(
        Failure, match=r"https://forge.invalid can't be reached: its name"
    ) as failed:
        await api.repositories()
    assert failed.value.kind is FailureKind.INFRA
    await api.aclose()


@pytest.mark.parametrize("sender", ["forgejo", "gitea"])
def test_both_names_of_the_headers_are_read(forge: FakeForgejo, api: ForgeApi, sender: str) -> None:
    """Gitea sends only its own."""
    headers, body = forge.deliver("push", "octo/web", id="d-1")
    theirs = {name: text for name, text in headers.items() if f"-{sender}-" in name}
    found = api.verify(theirs, body)
    assert isinstance(found, Delivery)
    assert (found.id, found.event, found.repositories) == ("d-1", "push", ("octo/web",))


def test_a_change_of_the_list_has_the_list_read(forge: FakeForgejo, api: ForgeApi) -> None:
    """A repository that was made, or removed."""
    body = json.dumps({"repository": {"full_name": "octo/new"}, "action": "created"}).encode()
    headers = {"x-gitea-event": "repository", "x-gitea-signature": forge.signed(body)}
    found = api.verify(headers, body)
    assert isinstance(found, Delivery)
    assert found.repositories is None


def test_a_comment_that_is_edited_asks_for_nothing(forge: FakeForgejo, api: ForgeApi) -> None:
    """Nor does one on an issue."""
    for more in ({"action": "edited", "is_pull": True}, {"action": "created"}):
        told = {
            "repository": {"full_name": "octo/web"},
            "issue": {"number": 1, "pull_request": None},
            "comment": {"id": 3, "body": "/rebuild", "user": {"login": "ann"}},
            **more,
        }
        body = json.dumps(told).encode()
        headers = {"x-gitea-event": "issue_comment", "x-gitea-signature": forge.signed(body)}
        found = api.verify(headers, body)
        assert not isinstance(found, Refused)
        assert found.commands == ()


@pytest.mark.parametrize("url", ["git.example.org", "ftp://git.example.org", "https://a/?b", ""])
def test_a_malformed_address_is_refused(url: str) -> None:
    """With one that would do."""
    with pytest.raises(UsageError, match=r"https://git\.example\.org"):
        Forgejo(url, token="t0ken")


def test_an_empty_token_is_refused() -> None:
    """A secret that is not set."""
    with pytest.raises(UsageError, match="is empty"):
        Forgejo("https://git.example.org", token="")


def test_what_is_missing_is_told_with_how_to_get_it() -> None:
    """When the plugin is imported; the rest of pycurrent does without."""
    code = (
        "import sys; sys.modules['httpx'] = None\n"
        "import pycurrent, pycurrent.plugins.forge\n"
        "from pycurrent import UsageError\n"
        "try:\n    from pycurrent.plugins import forgejo\n"
        "except UsageError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == (
        'Forgejo needs httpx, which is missing: pip install "pycurrent[forgejo]"\n'
    )
