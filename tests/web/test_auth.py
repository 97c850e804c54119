"""Who is let in, and what they may do."""

import gc
import weakref
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from datetime import timedelta
from itertools import count
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from pycurrent.errors import UsageError
from pycurrent.testing.clock import VirtualClock
from pycurrent.web.auth import SiteAddress as Address
from pycurrent.web.auth import TooManyAttempts, check_access
from pycurrent.web.auth.throttle import Throttle, network_of
from pycurrent.web.settings import AccessSettings, WebSettings
from pycurrent.web.users import (
    LocalUser,
    LoginRefused,
    PasswordFile,
    RedirectLogin,
    Role,
    User,
    granted,
)

from .visits import HASH, HERE, PASSWORD, Site, Visitor, access, open_site


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """On this machine only, and without any user."""
    async with open_site(tmp_path) as opened:
        yield opened


# On this machine


async def test_once_there_is_a_user_everybody_has_to_log_in(site: Site) -> None:
    """At once, without a restart: pages lead there, the API says how."""
    client = site.visitor().client
    assert (await client.get("/jobs")).status_code == 200
    site.add_user("alice", Role.ADMIN)
    page = await client.get("/jobs?x=1")
    assert (page.status_code, page.headers["location"]) == (303, "/login?next=%2Fjobs%3Fx%3D1")
    answer = await client.get("/api/v1/overview")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["detail"] == "this takes the role viewer: log in"


# Beyond this machine


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "ci.example.org"])
def test_a_site_that_others_reach_needs_a_way_to_log_in(host: str) -> None:
    """Or the word of who runs it that anybody may look."""
    reachable = Address.at(host, public_url=None, allowed_hosts=())
    with pytest.raises(UsageError, match="--allow-anonymous"):
        check_access(AccessSettings(), reachable)
    check_access(AccessSettings(allow_anonymous=Role.VIEWER), reachable)


def test_a_public_address_makes_a_site_one_that_others_reach() -> None:
    """A proxy leads there, though it listens on this machine only."""
    behind = Address.at("127.0.0.1", public_url="https://ci.example.org", allowed_hosts=())
    with pytest.raises(UsageError, match="nobody could log in"):
        check_access(AccessSettings(), behind)


async def test_by_default_nobody_may_do_anything_from_elsewhere(tmp_path: Path) -> None:
    """Not even look."""
    users = PasswordFile(tmp_path / "users")
    users.put(LocalUser("alice", Role.ADMIN, HASH))
    settings = WebSettings(host="0.0.0.0", access=AccessSettings(providers=(users,)))
    async with open_site(tmp_path, settings=settings) as site:
        client = site.client("http://192.0.2.1:8080")
        for path in ("/", "/jobs", "/stage", "/history", "/failures", "/rules"):
            assert (await client.get(path)).status_code == 303
        for path in ("/api/v1/overview", "/metrics"):
            assert (await client.get(path)).status_code == 401


async def test_anybody_may_do_what_the_option_says_and_no_more(tmp_path: Path) -> None:
    """--allow-anonymous viewer."""
    settings = WebSettings(host="0.0.0.0", access=AccessSettings(allow_anonymous=Role.VIEWER))
    async with open_site(tmp_path, settings=settings) as site:
        visitor = site.visitor("http://192.0.2.1:8080")
        assert (await visitor.get("/jobs")).status_code == 200
        job = site.job("reply bad")
        assert (await visitor.post(f"/job/{job}/rebuild")).status_code == 403
        assert (await visitor.get("/metrics")).status_code == 403


# Logging in and out


async def test_who_logs_in_gets_where_they_wanted_to_go(site: Site) -> None:
    """With a cookie that scripts can't read, and that other sites' forms don't bring."""
    site.add_user("alice", Role.ADMIN)
    visitor = site.visitor()
    page = await visitor.get("/login?next=/jobs")
    assert 'href="/login' not in page.text, "a way to where one is"
    response = await visitor.post("/login/local", name="alice", password=PASSWORD, next="/jobs")
    assert response.headers["location"] == "/jobs"
    cookie = next(
        text
        for text in response.headers.get_list("set-cookie")
        if text.startswith("pycurrent-session-") and "Max-Age=0" not in text
    )
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    page = await visitor.get("/jobs")
    assert "local:alice" in page.text


async def test_behind_https_cookies_are_for_https_only(tmp_path: Path) -> None:
    """By a name that keeps anybody else from setting them."""
    settings = WebSettings(access=access(tmp_path, public_url="https://ci.example.org"))
    PasswordFile(tmp_path / "users").put(LocalUser("alice", Role.ADMIN, HASH))
    async with open_site(tmp_path, settings=settings) as site:
        visitor = site.visitor("https://ci.example.org")
        response = await visitor.log_in("alice")
        cookies = [
            text for text in response.headers.get_list("set-cookie") if "Max-Age=0" not in text
        ]
        assert all(text.startswith("__Host-pycurrent-") and "Secure" in text for text in cookies)
        assert (await visitor.get("/jobs")).status_code == 200


async def test_a_wrong_password_and_a_wrong_name_are_told_alike(site: Site) -> None:
    """Nobody learns who is known."""
    site.add_user("alice", Role.ADMIN)
    pages = [await site.visitor().log_in(*who) for who in (("alice", "wrong"), ("bob", PASSWORD))]
    assert [page.status_code for page in pages] == [403, 403]
    assert all("wrong name or password" in page.text for page in pages)
    assert all(PASSWORD not in page.text for page in pages)


async def test_logging_out_ends_the_session_on_the_server(site: Site) -> None:
    """A copy of the cookie is worth nothing then."""
    site.add_user("alice", Role.ADMIN)
    visitor = site.visitor()
    await visitor.log_in("alice")
    copied = dict(visitor.client.cookies)
    page = await visitor.post_and_follow("/logout")
    assert "You are logged out" in page.text
    assert not [name for name in visitor.client.cookies if "-session-" in name]
    thief = site.client(cookies=copied)
    assert (await thief.get("/jobs")).status_code == 303


async def test_logging_in_ends_the_session_that_the_browser_had(site: Site) -> None:
    """Nobody can prepare a browser with a session that somebody else then uses."""
    site.add_user("alice", Role.ADMIN)
    visitor = site.visitor()
    await visitor.log_in("alice")
    before = dict(visitor.client.cookies)
    await visitor.log_in("alice")
    assert dict(visitor.client.cookies) != before
    assert (await site.client(cookies=before).get("/jobs")).status_code == 303


async def test_a_session_that_is_not_used_ends(site: Site) -> None:
    """After a week; use prolongs it, but not beyond a month."""
    site.add_user("alice", Role.ADMIN)
    visitor, idle = site.visitor(), site.visitor()
    await visitor.log_in("alice")
    await idle.log_in("alice")
    for _ in range(5):
        await site.harness.advance(timedelta(days=5))
        assert (await visitor.get("/jobs")).status_code == 200
    assert (await idle.get("/jobs")).status_code == 303
    await site.harness.advance(timedelta(days=5))
    assert (await visitor.get("/jobs")).status_code == 303


async def test_a_full_disk_logs_nobody_out(
    site: Site, full_disk: Callable[[], AbstractContextManager[None]]
) -> None:
    """The use of a session is noted by a later request."""
    site.add_user("alice", Role.ADMIN)
    visitor = site.visitor()
    await visitor.log_in("alice")
    await site.harness.advance(timedelta(days=5))
    with full_disk():
        assert (await visitor.get("/jobs")).status_code == 200
    assert (await visitor.get("/jobs")).status_code == 200
    await site.harness.advance(timedelta(days=5))
    assert (await visitor.get("/jobs")).status_code == 200


async def test_a_user_who_was_removed_is_out_at_once(site: Site) -> None:
    """Sessions don't outlive the user; another role holds from the next request on."""
    site.add_user("alice", Role.ADMIN)
    site.add_user("bob", Role.ADMIN)
    alice, bob = site.visitor(), site.visitor()
    await alice.log_in("alice")
    await bob.log_in("bob")
    site.users().remove("alice")
    site.add_user("bob", Role.VIEWER)
    assert (await alice.get("/jobs")).status_code == 303
    await bob.get("/jobs")
    assert (await bob.post("/confirm", level="none")).status_code == 403


async def test_guessing_passwords_gets_slow(site: Site) -> None:
    """After some failures even the right one has to wait; the wait is told, and ends."""
    site.add_user("alice", Role.ADMIN)
    visitor = site.visitor()
    for _ in range(5):
        assert (await visitor.log_in("alice", "wrong")).status_code == 403
    refused = await visitor.log_in("alice")
    assert refused.status_code == 429
    await site.harness.advance(timedelta(seconds=int(refused.headers["retry-after"])))
    assert (await visitor.log_in("alice")).status_code == 303
    assert (await visitor.log_in("alice")).status_code == 303


async def test_people_log_in_though_nobody_knows_where_they_come_from(site: Site) -> None:
    """A socket of this machine has no address; its guesses are counted together."""
    site.add_user("alice", Role.ADMIN)
    transport = httpx.ASGITransport(app=site.app, client=None)  # type: ignore[arg-type]
    for password, answers in ((PASSWORD, [303]), ("wrong", [403] * 5), (PASSWORD, [429])):
        for answer in answers:
            visitor = Visitor(httpx.AsyncClient(transport=transport, base_url=HERE))
            assert (await visitor.log_in("alice", password)).status_code == answer


async def fail(site: Site, name: str, address: str, times: int) -> None:
    """Have somebody there guess so many passwords."""
    for _ in range(times):
        await site.visitor(address=address).log_in(name, "wrong")


async def test_nobody_is_locked_out_by_who_guesses_elsewhere(site: Site) -> None:
    """From changing addresses, by the right name, as long as they like."""
    site.add_user("alice", Role.ADMIN)
    for number in range(20):
        await fail(site, "alice", f"203.0.113.{number}", 6)
    assert (await site.visitor(address="198.51.100.1").log_in("alice")).status_code == 303


async def test_nobody_is_locked_out_by_who_guesses_other_names(site: Site) -> None:
    """From the same network, or behind the same proxy."""
    site.add_user("alice", Role.ADMIN)
    for name in ("bob", "carol", "alice2", "local:alice"):
        await fail(site, name, "127.0.0.1", 6)
    assert (await site.visitor().log_in("alice")).status_code == 303


async def test_a_known_browser_is_let_in_whoever_guesses(site: Site) -> None:
    """From the same address, by the same name; one that was known for another name is not."""
    site.add_user("alice", Role.ADMIN)
    site.add_user("bob", Role.ADMIN)
    alice, bob = site.visitor(), site.visitor()
    await alice.log_in("alice")
    await bob.log_in("bob")
    await alice.post_and_follow("/logout")
    await fail(site, "alice", "127.0.0.1", 12)
    assert (await site.visitor().log_in("alice")).status_code == 429
    assert (await bob.log_in("alice")).status_code == 429
    assert (await alice.log_in("alice")).status_code == 303
    # It gains no more guesses than others.
    answers = [(await alice.log_in("alice", "wrong")).status_code for _ in range(7)]
    assert answers == [403] * 5 + [429] * 2


async def test_known_browsers_do_not_share_their_guesses(site: Site) -> None:
    """One that guesses locks out itself, not another one that is known for the same name."""
    site.add_user("alice", Role.ADMIN)
    one, other = site.visitor(), site.visitor()
    for browser in (one, other):
        await browser.log_in("alice")
        await browser.post_and_follow("/logout")
    for _ in range(7):
        await one.log_in("alice", "wrong")
    assert (await one.log_in("alice")).status_code == 429
    assert (await other.log_in("alice")).status_code == 303


@pytest.mark.parametrize("value", ["", ".", "x.y", "\u00e4.\u00e4", "x" * 4000])
async def test_a_forged_mark_makes_no_browser_known(site: Site, value: str) -> None:
    """Only this engine makes them."""
    site.add_user("alice", Role.ADMIN)
    await fail(site, "alice", "127.0.0.1", 6)
    visitor = site.visitor()
    cookie = f"pycurrent-known-{site.access.owner.engine_id}={value}"
    page = await visitor.get("/login", headers={b"Cookie": cookie.encode("latin1")})
    assert page.status_code == 200
    answer = await visitor.client.post(
        "/login/local",
        data={"name": "alice", "password": PASSWORD, "csrf_token": visitor.token},
        headers={
            b"Cookie": "; ".join(
                [cookie, *(f"{name}={kept}" for name, kept in visitor.client.cookies.items())]
            ).encode("latin1")
        },
    )
    assert answer.status_code == 429


async def test_wrong_tokens_lock_nobody_out(site: Site) -> None:
    """There is nothing to guess, so nobody is made to wait."""
    site.add_user("alice", Role.ADMIN)
    wrong = site.stranger(headers={"Authorization": "Bearer pyc_wrong"})
    for _ in range(30):
        assert (await wrong.get("/api/v1/overview")).status_code == 401
    assert (await site.visitor().log_in("alice")).status_code == 303


def test_the_waits_double_up_to_a_limit() -> None:
    """Five failures cost nothing; later ones a second, two, four, at most five minutes; after half
    an hour all is forgotten.
    """
    clock = VirtualClock()
    throttle = Throttle(clock)

    def attempt() -> int:
        """How many seconds there are to wait."""
        try:
            with throttle.attempt("here", "alice"):
                return 0
        except TooManyAttempts as error:
            return int((error.headers or {})["Retry-After"])

    assert [attempt() for _ in range(5)] == [0] * 5
    waits = []
    for _ in range(12):
        waits.append(attempt())
        assert attempt() == waits[-1], "to ask too early costs nothing"
        clock.move(timedelta(seconds=waits[-1], milliseconds=-1))
        assert attempt() == 1
        clock.move(timedelta(milliseconds=1))
        assert attempt() == 0
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    clock.move(timedelta(minutes=30))
    assert attempt() == 0
    assert attempt() > 0
    clock.move(timedelta(minutes=30, seconds=1))
    assert [attempt() for _ in range(5)] == [0] * 5


def test_who_tried_last_is_remembered() -> None:
    """There is a bound; the one that has not tried for longest is forgotten first."""
    throttle = Throttle(VirtualClock(), kept=2)

    def fail(name: str, times: int) -> None:
        for _ in range(times):
            with throttle.attempt("here", name):
                pass

    fail("alice", 4)
    fail("bob", 5)
    fail("alice", 1)
    fail("carol", 1)
    with pytest.raises(TooManyAttempts), throttle.attempt("here", "alice"):
        pass
    fail("bob", 1)


def test_who_has_logged_in_begins_anew() -> None:
    """Earlier failures cost nothing any more."""
    throttle = Throttle(VirtualClock())
    for times in (5, 5):
        for _ in range(times):
            with throttle.attempt("here", "alice"):
                pass
        throttle.succeeded("here", "alice")


def test_what_a_proxy_says_is_remembered_in_part() -> None:
    """It may be of any length, and need not be an address."""
    assert network_of("x" * 100) == "x" * 64


def test_only_some_passwords_of_one_source_are_checked_at_once() -> None:
    """Others get their turn; who has to wait for that has not failed."""
    throttle, names = Throttle(VirtualClock()), count()

    def fill(checking: ExitStack, free: int) -> None:
        """So many more may be checked, and then none."""
        for _ in range(free):
            checking.enter_context(throttle.attempt("there", f"name {next(names)}"))
        with pytest.raises(TooManyAttempts), throttle.attempt("there", "another"):
            pass

    for _ in range(2):
        with ExitStack() as checking:
            with throttle.attempt("there", f"name {next(names)}"):
                fill(checking, 3)
            fill(checking, 1)
            with throttle.attempt("elsewhere", "another"):
                pass
    with throttle.attempt("there", "another"):
        pass


class Text(str):
    """A text of which it can be told whether anybody keeps it."""


def test_nothing_is_kept_of_somebody_who_has_logged_in() -> None:
    """However many sources there are."""
    throttle, source = Throttle(VirtualClock()), Text("here")
    kept = weakref.ref(source)
    with throttle.attempt(source, "alice"):
        pass
    throttle.succeeded(source, "alice")
    del source
    gc.collect()
    assert kept() is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8::8000:0:0:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("", "", True),
        ("no address", "another", False),
    ],
)
def test_where_somebody_comes_from_is_a_network(one: str, other: str, same: bool) -> None:
    """Of which one machine may have all addresses."""
    assert (network_of(one) == network_of(other)) is same


# Roles


async def status(visitor_role: Role, site: Site, request: str) -> int:
    """What somebody with this role is answered."""
    name = visitor_role.value
    site.add_user(name, visitor_role)
    visitor = site.visitor()
    await visitor.log_in(name)
    method, path = request.split(" ", 1)
    if method == "GET":
        return (await visitor.get(path)).status_code
    job = site.job("reply bad")
    return (await visitor.post(path.replace("JOB", job), level="none")).status_code


MAY = {
    "GET /jobs": {Role.VIEWER, Role.BUILDER, Role.ADMIN},
    "GET /api/v1/overview": {Role.VIEWER, Role.BUILDER, Role.ADMIN},
    "GET /changes": {Role.VIEWER, Role.BUILDER, Role.ADMIN},
    "GET /audit": {Role.ADMIN},
    "GET /retention": {Role.VIEWER, Role.BUILDER, Role.ADMIN},
    "GET /retention/next": {Role.BUILDER, Role.ADMIN},
    "GET /metrics": {Role.MONITOR, Role.ADMIN},
    "POST /job/JOB/rebuild": {Role.BUILDER, Role.ADMIN},
    "POST /job/JOB/cancel": {Role.BUILDER, Role.ADMIN},
    "POST /jobs/cancel": {Role.BUILDER, Role.ADMIN},
    "POST /inputs": {Role.BUILDER, Role.ADMIN},
    "POST /inputs/fire": {Role.BUILDER, Role.ADMIN},
    "POST /mutes": {Role.BUILDER, Role.ADMIN},
    "POST /mutes/many": {Role.BUILDER, Role.ADMIN},
    "POST /mutes/remove": {Role.BUILDER, Role.ADMIN},
    "POST /history/rebuild": {Role.BUILDER, Role.ADMIN},
    "POST /job/JOB/approve": {Role.ADMIN},
    "POST /jobs/approve": {Role.ADMIN},
    "POST /rules/remove": {Role.ADMIN},
    "POST /pauses": {Role.ADMIN},
    "POST /pauses/resume": {Role.ADMIN},
    "POST /approvals/approve": {Role.ADMIN},
    "POST /confirm": {Role.ADMIN},
}


@pytest.mark.parametrize("request_line", MAY)
async def test_each_role_may_do_what_is_its_own(site: Site, request_line: str) -> None:
    """And nothing else."""
    allowed = {role for role in Role if await status(role, site, request_line) != 403}
    assert allowed == MAY[request_line]


async def test_the_authors_function_decides_on_people(tmp_path: Path) -> None:
    """Whatever role they were given on the machine; and on who has not logged in, as None."""

    def has_role(user: User | None, role: Role) -> bool:
        return role is Role.VIEWER or (user is not None and user.id == "local:bob")

    settings = WebSettings(access=access(tmp_path, has_role=has_role))
    async with open_site(tmp_path, settings=settings) as site:
        site.add_user("alice", Role.ADMIN)
        site.add_user("bob", Role.VIEWER)
        nobody, alice, bob = site.visitor(), site.visitor(), site.visitor()
        await alice.log_in("alice")
        await bob.log_in("bob")
        job = site.job("reply bad")
        answers = []
        for visitor in (nobody, alice, bob):
            assert (await visitor.get("/jobs")).status_code == 200
            answers.append((await visitor.post(f"/job/{job}/cancel")).status_code)
        assert answers == [401, 403, 303]


def test_what_was_granted_includes_less() -> None:
    """A builder sees; an admin is everything; nobody is nothing."""
    builder = User("local:bob", "bob", Role.BUILDER)
    assert [role for role in Role if granted(builder, role)] == [Role.VIEWER, Role.BUILDER]
    assert not any(granted(None, role) for role in Role)
    assert not any(granted(User("github:eve", "eve"), role) for role in Role)


async def test_pages_offer_only_what_the_visitor_may_do(site: Site) -> None:
    """A viewer sees no buttons that would be refused."""
    site.add_user("eve", Role.VIEWER)
    visitor = site.visitor()
    await visitor.log_in("eve")
    for path in ("/jobs", "/history", "/rules", f"/job/{site.job('reply bad')}"):
        page = await visitor.get(path)
        assert page.status_code == 200
        for word in ("Cancel", "Rebuild", "Approve", "Save", "Remove", "Import"):
            assert f">{word}<" not in page.text, (path, word)


# Logging in elsewhere


class Elsewhere:
    """A login provider on another site, as GitHub is one."""

    id = "forge"
    title = "The Forge"
    is_ready = True

    def known(self, user: User) -> User | None:
        return user

    def address(self, *, state: str, callback: str) -> str:
        return f"https://forge.example.org/authorize?state={state}&back={callback}"

    async def finish(
        self, query: Mapping[str, str], *, state: str, callback: str
    ) -> User | LoginRefused:
        if query.get("code") != "right":
            return LoginRefused("the forge does not know you")
        return User("forge:carol", "Carol")


def everybody_who_is_known(user: User | None, role: Role) -> bool:
    return user is not None


@pytest_asyncio.fixture
async def forge(tmp_path: Path) -> AsyncIterator[Site]:
    """A site at which people log in elsewhere."""
    provider: RedirectLogin = Elsewhere()
    settings = WebSettings(
        access=AccessSettings(providers=(provider,), has_role=everybody_who_is_known)
    )
    async with open_site(tmp_path, settings=settings) as opened:
        yield opened


async def begin(client: httpx.AsyncClient) -> str:
    """The state with which the browser is sent to the other site."""
    response = await client.get("/login/forge/begin?next=/history")
    assert response.headers["location"].startswith("https://forge.example.org/")
    return httpx.URL(response.headers["location"]).params["state"]


async def test_people_log_in_on_another_site_and_come_back(forge: Site) -> None:
    """To where they wanted to go."""
    client = forge.client()
    assert "Log in with The Forge" in (await client.get("/login")).text
    state = await begin(client)
    back = await client.get(f"/login/forge/callback?code=right&state={state}")
    assert back.headers["location"] == "/history"
    assert "forge:carol" in (await client.get("/history")).text


async def test_a_login_is_asked_about_where_it_began(tmp_path: Path) -> None:
    """Once for each request; not at the site's other logins, which may know somebody by the same
    name.
    """
    asked: list[str] = []

    class Asked(Elsewhere):
        def known(self, user: User) -> User | None:
            asked.append(user.id)
            return user

    class Other(Elsewhere):
        id = "other"

        def known(self, user: User) -> User | None:
            raise AssertionError(user)

    providers: tuple[RedirectLogin, ...] = (Other(), Asked(), Other())
    access = AccessSettings(providers=providers, has_role=everybody_who_is_known)
    async with open_site(tmp_path, settings=WebSettings(access=access)) as site:
        client = site.client()
        state = await begin(client)
        await client.get(f"/login/forge/callback?code=right&state={state}")
        asked.clear()
        assert "forge:carol" in (await client.get("/history")).text
        assert asked == ["forge:carol"]


async def test_a_login_that_another_browser_began_is_refused(forge: Site) -> None:
    """Or somebody could be logged in as somebody else without noticing."""
    state = await begin(forge.client())
    victim = forge.client()
    assert (await victim.get(f"/login/forge/callback?code=right&state={state}")).status_code == 400
    await begin(victim)
    assert (await victim.get(f"/login/forge/callback?code=right&state={state}")).status_code == 400
    assert (await victim.get("/login/forge/callback?code=right&state=")).status_code == 400


async def test_whom_the_other_site_refuses_is_told_so(forge: Site) -> None:
    """And not let in."""
    client = forge.client()
    state = await begin(client)
    page = await client.get(f"/login/forge/callback?code=wrong&state={state}")
    assert (page.status_code, "the forge does not know you" in page.text) == (403, True)
    assert (await client.get("/history")).status_code == 303


# What is open to anybody


async def test_badges_are_shown_by_any_site(tmp_path: Path) -> None:
    """To anybody if it was said; in a picture, a frame or by a script: not so the pages."""
    settings = WebSettings(access=access(tmp_path, open_badges=True))
    async with open_site(tmp_path, settings=settings) as site:
        client = site.stranger(headers={"Origin": "https://forge.example", "Referer": "https://x"})
        for path in ("/badge.svg", "/badge/reply%20good.svg?title=x"):
            badge = await client.get(path)
            assert (badge.status_code, badge.headers["content-type"]) == (200, "image/svg+xml")
            assert badge.headers["cross-origin-resource-policy"] == "cross-origin"
            assert badge.headers["access-control-allow-origin"] == "*"
            assert "x-frame-options" not in badge.headers
            assert "frame-ancestors" not in badge.headers["content-security-policy"]
        for path in ("/", "/api/v1/overview", "/metrics"):
            answer = await client.get(path)
            assert answer.status_code == 401
            assert answer.headers["cross-origin-resource-policy"] == "same-origin"
            assert answer.headers["x-frame-options"] == "DENY"


async def test_metrics_are_open_if_it_was_said(tmp_path: Path) -> None:
    """And nothing else with them."""
    settings = WebSettings(access=access(tmp_path, open_metrics=True))
    async with open_site(tmp_path, settings=settings) as site:
        assert (await site.stranger().get("/metrics")).status_code == 200
        for path in ("/", "/badge.svg", "/api/v1/overview"):
            assert (await site.stranger().get(path)).status_code == 401
