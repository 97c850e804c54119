"""The tokens of machines, and the users in the file: made on the command line."""

import io
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, closing
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest
import pytest_asyncio

from pycurrent.cli.app import make_app
from pycurrent.cli.library import call
from pycurrent.errors import UsageError
from pycurrent.store import StateDir
from pycurrent.web.settings import WebSettings
from pycurrent.web.users import PASSWORD_FILE, PasswordFile, PasswordHash, Role, User

from .visits import PASSWORD, Site, access, open_site


def command(state_dir: Path, *words: str) -> int:
    """What the command line does."""
    return call(make_app(), [*words, "--state-dir", str(state_dir)])


def create(state_dir: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """A new token."""
    assert command(state_dir, "token", "create", *words) == 0
    return capsys.readouterr().out.strip()


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """At which somebody has to log in."""
    async with open_site(tmp_path) as opened:
        opened.add_user("alice", Role.ADMIN)
        yield opened


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# Tokens


async def test_a_token_that_was_just_made_works_in_a_running_engine(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a cookie, and without the proof that a form needs."""
    token = create(site.state_dir, capsys, "bot", "--role", "builder")
    client = site.client(headers=bearer(token))
    assert (await client.get("/api/v1/overview")).status_code == 200
    job = site.job("reply bad")
    assert (await client.post(f"/api/v1/jobs/{job}/rebuild")).status_code == 200
    assert (await client.put("/api/v1/confirm", json={"level": None})).status_code == 403


async def test_a_revoked_token_is_refused_at_once(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the engine that runs."""
    client = site.client(headers=bearer(create(site.state_dir, capsys, "bot", "--role", "viewer")))
    assert (await client.get("/api/v1/overview")).status_code == 200
    assert command(site.state_dir, "token", "revoke", "bot") == 0
    answer = await client.get("/api/v1/overview")
    assert (answer.status_code, "revoked" in answer.text) == (401, True)


async def test_a_token_is_taken_though_the_disk_is_full(
    site: Site,
    capsys: pytest.CaptureFixture[str],
    full_disk: Callable[[], AbstractContextManager[None]],
) -> None:
    """Its use is noted by a later request."""
    client = site.client(headers=bearer(create(site.state_dir, capsys, "bot", "--role", "viewer")))
    with full_disk():
        assert (await client.get("/api/v1/overview")).status_code == 200
    assert command(site.state_dir, "token", "list") == 0
    assert "never used" in capsys.readouterr().out
    assert (await client.get("/api/v1/overview")).status_code == 200
    assert command(site.state_dir, "token", "list") == 0
    assert "never used" not in capsys.readouterr().out


async def test_a_token_ends_when_it_was_said_to(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the clock of the engine."""
    token = create(site.state_dir, capsys, "bot", "--role", "viewer", "--expires-in", "1d")
    client = site.client(headers=bearer(token))
    assert (await client.get("/api/v1/overview")).status_code == 200
    await site.harness.advance(timedelta(days=4000))
    assert (await client.get("/api/v1/overview")).status_code == 401


async def test_a_token_has_its_own_role_whatever_the_author_decides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The author's function is asked about people: a viewer's token never does more."""

    def everybody_everything(user: User | None, role: Role) -> bool:
        return True

    settings = WebSettings(access=access(tmp_path, has_role=everybody_everything))
    async with open_site(tmp_path, settings=settings) as site:
        token = create(tmp_path, capsys, "bot", "--role", "viewer")
        client = site.client(headers=bearer(token))
        assert (await client.get("/api/v1/jobs")).status_code == 200
        assert (await client.put("/api/v1/confirm", json={"level": None})).status_code == 403


@pytest.mark.parametrize(
    "value", ["Bearer pyc_forged", "bearer  pyc_x", "Bearer", "BEARER ", "Bearer pyc_" + "x" * 8000]
)
async def test_a_forged_token_is_refused_also_where_none_is_needed(
    tmp_path: Path, value: str
) -> None:
    """Taking it for nobody's would hide the mistake of who sent it."""
    settings = WebSettings(access=access(tmp_path, allow_anonymous=Role.ADMIN))
    async with open_site(tmp_path, settings=settings) as site:
        for path in ("/api/v1/overview", "/jobs"):
            answer = await site.stranger().get(path, headers={"Authorization": value})
            assert answer.status_code == 401


@pytest.mark.parametrize(
    "value",
    [
        "Basic YWxpY2U6cGFzcw==",
        'Digest username="x", response="0"',
        "Negotiate YII=",
        "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x",
        "\xe4 \xfc",
        "",
    ],
)
async def test_what_a_proxy_asks_for_itself_says_nothing_here(site: Site, value: str) -> None:
    """It hands on its own password or token: who is logged in stays so, and nobody else gets in."""
    headers = {b"Authorization": value.encode("latin1")}
    visitor = site.visitor(headers=headers)
    assert (await visitor.get("/jobs")).status_code == 303
    assert (await site.client().get("/api/v1/overview", headers=headers)).status_code == 401
    await visitor.log_in("alice")
    assert (await visitor.get("/jobs")).status_code == 200
    change = await visitor.client.put("/api/v1/confirm", json={"level": None})
    assert change.status_code == 403, "a cookie alone changes nothing"
    assert (await visitor.post("/confirm", level="none")).status_code == 303


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_of_a_token_is_written_in_any_case(
    site: Site, scheme: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """RFC 7235, 2.1; also beside what a proxy has asked for."""
    token = create(site.state_dir, capsys, "bot", "--role", "viewer")
    own = (b"Authorization", f"{scheme} {token}".encode())
    for headers in ([own], [(b"Authorization", b"Basic x"), own]):
        answer = await site.stranger().get("/api/v1/overview", headers=headers)
        assert answer.status_code == 200


async def test_what_opens_the_site_is_not_stored(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither tokens, nor cookies, nor passwords are anywhere in the state directory."""
    token = create(site.state_dir, capsys, "bot", "--role", "viewer")
    visitor = site.visitor()
    await visitor.log_in("alice")
    cookie = visitor.client.cookies[f"pycurrent-session-{site.access.owner.engine_id}"]
    stored = b"".join(file.read_bytes() for file in site.state_dir.rglob("*") if file.is_file())
    for secret in (token, cookie, PASSWORD):
        assert secret.encode() not in stored


def test_a_token_is_listed_without_what_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By name and role; a second one of the name is refused, and so is an odd name."""
    token = create(tmp_path, capsys, "bot", "--role", "monitor")
    assert token.startswith("pyc_")
    with pytest.raises(UsageError, match="already"):
        command(tmp_path, "token", "create", "bot", "--role", "viewer")
    with pytest.raises(UsageError, match="be the name of"):
        command(tmp_path, "token", "create", "bo\nt", "--role", "viewer")
    command(tmp_path, "token", "list")
    listed = capsys.readouterr().out
    assert listed.startswith("bot  monitor  made ")
    assert "never used" in listed
    assert token not in listed
    with pytest.raises(UsageError, match="does not exist: the tokens are bot"):
        command(tmp_path, "token", "revoke", "bat")


async def test_the_last_use_of_a_token_is_listed(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its day, so that those that nobody uses can be found."""
    token = create(site.state_dir, capsys, "bot", "--role", "viewer")
    await site.client(headers=bearer(token)).get("/api/v1/overview")
    command(site.state_dir, "token", "list")
    assert f"last used {site.harness.clock.now():%Y-%m-%d}" in capsys.readouterr().out


async def test_the_use_of_a_token_is_noted_once_a_day(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program that asks each second does not write to the disk each second."""
    client = site.client(headers=bearer(create(site.state_dir, capsys, "bot", "--role", "viewer")))
    writes: list[int] = []
    with closing(sqlite3.connect(site.state_dir / "db" / "pycurrent.db")) as other:
        for later in (timedelta(), timedelta(hours=1), timedelta(days=1)):
            site.harness.clock.move(later)
            assert (await client.get("/api/v1/overview")).status_code == 200
            writes += other.execute("PRAGMA data_version").fetchone()
    first, second, next_day = writes
    assert first == second != next_day


async def test_a_database_that_another_program_locks_keeps_nobody_out(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """The notes of a token's first use of the day, and of a session's, can wait."""
    token = create(site.state_dir, capsys, "bot", "--role", "viewer")
    visitor = site.visitor()
    await visitor.log_in("alice")
    site.harness.clock.move(timedelta(hours=2))
    path = site.state_dir / "db" / "pycurrent.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        began = monotonic()
        answer = await site.client(headers=bearer(token)).get("/api/v1/overview")
        assert answer.status_code == 200
        assert (await visitor.get("/history")).status_code == 200
        took = monotonic() - began
        other.rollback()
    assert took < 1.5


# Users


def add(state_dir: Path, monkeypatch: pytest.MonkeyPatch, password: str, *words: str) -> int:
    """Add a user, with a password that comes through a pipe."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    return command(state_dir, "user", "add", *words, "--password-stdin")


def test_users_are_kept_in_a_file_for_its_owner_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the hash of their password, and their role; the last one added of a name counts."""
    add(tmp_path, monkeypatch, PASSWORD, "bob", "--role", "viewer")
    add(tmp_path, monkeypatch, PASSWORD, "alice")
    add(tmp_path, monkeypatch, PASSWORD, "bob", "--role", "builder")
    command(tmp_path, "user", "list")
    assert capsys.readouterr().out == "alice  admin\nbob  builder\n"
    file = tmp_path / PASSWORD_FILE
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().count("scrypt$") == 2
    command(tmp_path, "user", "remove", "bob")
    assert list(PasswordFile(file).users()) == ["alice"]
    with pytest.raises(UsageError, match="does not exist: the users are alice"):
        command(tmp_path, "user", "remove", "bob")


@pytest.mark.parametrize(
    ("name", "password"), [("alice", "short"), ("a:b", PASSWORD), ("", PASSWORD), (".x", PASSWORD)]
)
def test_what_is_no_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, password: str
) -> None:
    """A name that would break the file, and a password that is soon guessed."""
    with pytest.raises(UsageError):
        add(tmp_path, monkeypatch, password, name)
    assert not (tmp_path / PASSWORD_FILE).exists()


async def test_a_new_password_ends_the_sessions_of_the_old_one(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever knew it is out."""
    visitor = site.visitor()
    await visitor.log_in("alice")
    assert (await visitor.get("/jobs")).status_code == 200
    add(site.state_dir, monkeypatch, "another password", "alice")
    assert (await visitor.get("/jobs")).status_code == 303
    assert (await visitor.log_in("alice")).status_code == 403
    assert (await visitor.log_in("alice", "another password")).status_code == 303


def test_a_line_that_is_no_user_lets_nobody_in(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told of by its number, and the others count."""
    file = tmp_path / "users"
    hashed = PasswordHash.of("x")
    huge = "scrypt$1073741824$8$1$AAAA$AAAA"
    lines = [
        "nonsense",
        f"a:king:{hashed}",
        f"b:viewer:{huge}",
        f"good:viewer:{hashed}",
        "c:viewer:x",
    ]
    file.write_text("\n".join(lines))
    assert list(PasswordFile(file).users()) == ["good"]
    told = re.findall(r"line (\d) of .* is not a user", caplog.text)
    assert told == ["1", "2", "3", "5"]


def test_a_password_hash_fits_only_its_password() -> None:
    """And can be written down and read again."""
    hashed = PasswordHash.of("grüße")
    assert PasswordHash.parse(str(hashed)) == hashed
    assert hashed.fits("grüße")
    assert not hashed.fits("gruesse")
    assert not hashed.fits("x" * 5000)
    assert PasswordHash.of("grüße") != hashed


def test_tokens_need_no_engine_and_leave_a_state_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They can be made before the first run."""
    create(tmp_path / "new", capsys, "bot", "--role", "viewer")
    assert StateDir.read(tmp_path / "new").database.is_file()
