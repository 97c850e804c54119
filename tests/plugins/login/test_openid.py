"""Logins at OpenID providers, against one that strangers wrote."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from pycurrent import UsageError
from pycurrent.engine import Secret, SystemClock
from pycurrent.plugins import forgejo, gitlab
from pycurrent.plugins.login import OpenID
from pycurrent.plugins.login.oauth import PATIENCE, RECHECK, UNUSED
from pycurrent.service.login import LoginRefused, RedirectLogin, Role, User
from pycurrent.testing import VirtualClock
from pycurrent.web import AccessSettings, WebSettings

from .provider import Provider

CALLBACK = "https://ci.example.org/login/openid/callback"
ANN = {"sub": "1", "preferred_username": "ann", "name": "Ann A.", "groups": ["devs"]}
ROLES = {"user:ann": Role.BUILDER, "group:admins": Role.ADMIN, "group:guests": Role.VIEWER}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider is on this machine."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    """A provider for all tests here: it takes a while to start."""
    provider = Provider()
    provider.start()
    yield provider
    provider.stop()


@pytest.fixture
def provider(running: Provider) -> Provider:
    """A provider that knows Ann."""
    running.forget()
    running.tell(user=ANN)
    return running


@pytest.fixture
def leaving() -> Iterator[Provider]:
    """Another, which the test stops."""
    provider = Provider()
    provider.start()
    yield provider
    provider.stop()


@pytest.fixture
async def clock() -> VirtualClock:
    """Of now, as the provider's tokens are valid from now on."""
    return VirtualClock(SystemClock().now())


def login_at(provider: Provider, clock: VirtualClock, **more: Any) -> OpenID:
    given: dict[str, Any] = {"roles": ROLES, "clock": clock, **more}
    return OpenID(provider.url, "our-client", "our-secret", **given)


async def begun(login: OpenID, state: str = "s" * 43) -> str:
    """The address to which the browser is sent."""
    address = await login.address(state=state, callback=CALLBACK)
    assert isinstance(address, str)
    return address


async def come_back(address: str) -> dict[str, str]:
    """What the browser brings back."""
    async with httpx.AsyncClient() as browser:
        answer = await browser.get(address)
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(CALLBACK)
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


async def logged_in(login: OpenID, state: str = "s" * 43) -> User | LoginRefused:
    query = await come_back(await begun(login, state))
    return await login.finish(query, state=state, callback=CALLBACK)


async def passes(duration: timedelta, login: OpenID, clock: VirtualClock) -> None:
    """Time passes, and people who are due are asked about."""
    clock.move(duration)
    await asyncio.sleep(0)  # calls that are due are made
    await login.settled()


async def test_somebody_who_logs_in_has_the_role_of_now(
    provider: Provider, clock: VirtualClock
) -> None:
    """The highest one of what they are."""
    login = login_at(provider, clock)
    assert await logged_in(login) == User("openid:ann", "Ann A.", Role.BUILDER)
    provider.tell(user={**ANN, "groups": ["guests", "Admins"]})
    assert await logged_in(login) == User("openid:ann", "Ann A.", Role.ADMIN)
    provider.tell(user={"sub": "7", "groups": ["guests"]})
    assert await logged_in(login) == User("openid:7", "7", Role.VIEWER)


async def test_the_browser_is_sent_with_all_that_binds_the_login_to_it(
    provider: Provider, clock: VirtualClock
) -> None:
    """State, nonce, and the challenge of PKCE, which are others for each attempt."""
    login = login_at(provider, clock, scopes=["groups"])
    asked = [dict(parse_qsl(urlsplit(await begun(login, state)).query)) for state in ("a", "b")]
    first, second = asked
    assert first["state"] == "a"
    assert (first["response_type"], first["code_challenge_method"]) == ("code", "S256")
    assert first["scope"] == "openid profile groups"
    assert (first["client_id"], first["redirect_uri"]) == ("our-client", CALLBACK)
    assert first["nonce"] != second["nonce"]
    assert first["code_challenge"] != second["code_challenge"]
    assert len(first["nonce"]) == len(first["code_challenge"]) == 43


async def test_a_code_of_another_attempt_is_refused(
    provider: Provider, clock: VirtualClock
) -> None:
    """Its verifier is another one; an engine that was started since has none."""
    login = login_at(provider, clock)
    query = await come_back(await begun(login, "a"))
    refused = await login.finish(query, state="b", callback=CALLBACK)
    assert isinstance(refused, LoginRefused)
    query = await come_back(await begun(login, "a"))
    another = login_at(provider, clock)
    assert isinstance(await another.finish(query, state="a", callback=CALLBACK), LoginRefused)


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"aud": "another-client"},
        {"iss": "https://elsewhere.example.org"},
        {"exp": 1},
        {"azp": "another-client"},
    ],
)
async def test_a_token_that_was_not_made_for_this_login_is_refused(
    provider: Provider, clock: VirtualClock, claims: dict[str, Any]
) -> None:
    """Whatever in it is wrong; nobody is let in, and it is said without details."""
    login = login_at(provider, clock)
    provider.tell(claims=claims)
    refused = await logged_in(login)
    assert refused == LoginRefused("OpenID has refused this login: log in again")
    assert login.known(User("openid:ann", "Ann A.")) is None


@pytest.mark.parametrize("token", ["", "x.y.z", "eyJhbGciOiJub25lIn0.e30."])
async def test_a_token_that_is_not_signed_is_refused(
    provider: Provider, clock: VirtualClock, token: str
) -> None:
    """As is one that is missing."""
    provider.tell(token={"id_token": token})
    assert isinstance(await logged_in(login_at(provider, clock)), LoginRefused)


async def test_somebody_without_a_role_is_refused(provider: Provider, clock: VirtualClock) -> None:
    """With the name under which they could get one."""
    provider.tell(user={**ANN, "preferred_username": "eve"})
    refused = await logged_in(login_at(provider, clock))
    assert isinstance(refused, LoginRefused)
    assert refused.why.startswith("eve may not use this site")


async def test_anybody_may_have_a_role(provider: Provider, clock: VirtualClock) -> None:
    """Everybody whom the provider lets in."""
    login = login_at(provider, clock, roles={"anybody": Role.VIEWER})
    assert await logged_in(login) == User("openid:ann", "Ann A.", Role.VIEWER)


async def test_a_login_that_is_refused_there_is_told(
    provider: Provider, clock: VirtualClock
) -> None:
    """With what the provider says."""
    login = login_at(provider, clock)
    said = {"error": "access_denied", "error_description": "you said no"}
    refused = await login.finish(said, state="a", callback=CALLBACK)
    assert refused == LoginRefused("OpenID did not let you in: you said no")
    assert isinstance(await login.finish({}, state="a", callback=CALLBACK), LoginRefused)


async def test_a_provider_that_does_not_answer_is_told(
    leaving: Provider, clock: VirtualClock
) -> None:
    """Before and after the browser was there."""
    login = login_at(leaving, clock)
    query = await come_back(await begun(login))
    leaving.stop()
    gone = LoginRefused("OpenID can't be reached now: try again later")
    assert await login.finish(query, state="s" * 43, callback=CALLBACK) == gone
    assert await login.address(state="a", callback=CALLBACK) == gone


async def test_a_provider_that_calls_itself_something_else_is_refused(
    provider: Provider, clock: VirtualClock
) -> None:
    """Its answers could be another's."""
    same = provider.url.replace("localhost", "127.0.0.1")
    login = OpenID(same, "our-client", "our-secret", roles=ROLES, clock=clock)
    assert isinstance(await login.address(state="a", callback=CALLBACK), LoginRefused)


# While they are logged in


async def test_a_role_that_has_changed_counts_after_the_next_check(
    provider: Provider, clock: VirtualClock
) -> None:
    """Without a new login."""
    login = login_at(provider, clock)
    ann = await logged_in(login)
    assert isinstance(ann, User)
    assert login.known(ann) == ann
    provider.tell(user={**ANN, "groups": ["admins"]})
    assert login.known(ann) == ann
    await passes(RECHECK, login, clock)
    assert login.known(ann) == User("openid:ann", "Ann A.", Role.ADMIN)


@pytest.mark.parametrize(
    "change", [{"status": 401}, {"user": {**ANN, "preferred_username": "former"}}]
)
async def test_a_session_ends_with_the_access(
    provider: Provider, clock: VirtualClock, change: dict[str, Any]
) -> None:
    """The token is taken no more, or the person has no role any more."""
    login = login_at(provider, clock)
    ann = await logged_in(login)
    assert isinstance(ann, User)
    provider.tell(**change)
    await passes(RECHECK, login, clock)
    assert login.known(ann) is None


async def test_a_provider_that_is_away_ends_sessions_only_after_a_while(
    provider: Provider, clock: VirtualClock
) -> None:
    """An hour; if it is back before, nothing has happened."""
    login = login_at(provider, clock)
    ann = await logged_in(login)
    assert isinstance(ann, User)
    provider.tell(status=503)
    await passes(RECHECK, login, clock)
    await passes(PATIENCE - RECHECK, login, clock)
    assert login.known(ann) == ann
    provider.tell(status=200)
    await passes(RECHECK, login, clock)
    provider.tell(status=503)
    await passes(RECHECK, login, clock)
    assert login.known(ann) == ann
    await passes(PATIENCE, login, clock)
    assert login.known(ann) is None


async def test_somebody_who_does_not_come_back_is_asked_about_no_longer(
    provider: Provider, clock: VirtualClock
) -> None:
    """After a week: the provider is left alone."""
    login = login_at(provider, clock)
    ann = await logged_in(login)
    assert isinstance(ann, User)
    assert login.known(ann) == ann
    await passes(UNUSED - RECHECK, login, clock)
    assert clock.next_timer is not None
    await passes(RECHECK, login, clock)
    assert login.known(ann) is None
    assert clock.next_timer is None


async def test_an_engine_that_was_started_anew_sends_people_there_once_more(
    provider: Provider, clock: VirtualClock
) -> None:
    """It has no token by which it could ask about them."""
    ann = await logged_in(login_at(provider, clock))
    assert isinstance(ann, User)
    assert login_at(provider, clock).known(ann) is None


# Settings


@pytest.mark.parametrize(
    "roles",
    [{}, None, {"ann": Role.VIEWER}, {"team:a/b": Role.VIEWER}, {"user:": Role.VIEWER}, {3: 4}],
)
def test_roles_that_can_not_be_are_refused(roles: Any) -> None:
    """With what they are to look like."""
    with pytest.raises(UsageError, match="user:NAME, group:NAME or anybody"):
        OpenID("https://login.example.org", "id", "secret", roles=roles)


def test_a_role_is_not_a_text() -> None:
    """It is one of `Role`."""
    roles: Any = {"user:ann": "admin"}
    with pytest.raises(UsageError, match=r"Role\.BUILDER"):
        OpenID("https://login.example.org", "id", "secret", roles=roles)


@pytest.mark.parametrize("issuer", ["login.example.org", "ftp://x", "", "https://x?y"])
def test_an_issuer_is_an_address(issuer: str) -> None:
    """Of the web."""
    with pytest.raises(UsageError, match="not the address of an OpenID provider"):
        OpenID(issuer, "id", "secret", roles=ROLES)


def test_an_empty_secret_is_refused() -> None:
    """A variable was not set."""
    with pytest.raises(UsageError, match="empty secret"):
        OpenID("https://login.example.org", "id", "", roles=ROLES)


def test_logins_at_forges_go_into_the_settings_of_a_site() -> None:
    """They are providers as others are."""
    secret = Secret.from_env("CLIENT_SECRET")
    providers: tuple[RedirectLogin, ...] = (
        gitlab.Login("https://gitlab.example.org", "id", secret, roles=ROLES),
        forgejo.Login("https://forge.example.org", "id", secret, roles=ROLES),
    )
    settings = WebSettings(access=AccessSettings(providers=providers))
    assert [one.title for one in settings.access.ready_providers] == ["GitLab", "Forgejo"]
