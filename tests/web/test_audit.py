"""The audit of a site: what its users, tokens and programs have asked for."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from pycurrent.engine import Level
from pycurrent.web.settings import AccessSettings, WebSettings
from pycurrent.web.users import Role

from .test_auth_tokens import bearer, command, create
from .visits import HERE, PASSWORD, Site, access, confirm_dangerous, open_site, text_of


@pytest_asyncio.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """At which people have to log in, and where dangerous jobs wait."""
    async with open_site(tmp_path, config=confirm_dangerous()) as opened:
        opened.add_user("alice", Role.ADMIN)
        opened.add_user("bob", Role.VIEWER)
        yield opened


def acts(site: Site) -> list[tuple[str, str | None, str, str, str]]:
    """Who, in which role, by which way, did what to what: the oldest first."""
    rows = reversed(site.harness.engine.audit())
    return [(row.who, row.role, row.via, row.what, row.subject) for row in rows]


async def test_acts_on_the_pages_are_noted(site: Site) -> None:
    """With the user, the role and what has become of the job."""
    alice = site.visitor()
    await alice.log_in("alice")
    risky, bad = site.job("reply risky"), site.job("reply bad")
    await alice.get(f"/job/{risky}")
    await alice.post_and_follow(f"/job/{risky}/approve")
    await site.harness.settle()
    await alice.post_and_follow("/history/rebuild", job=[bad])
    await site.harness.settle()
    await alice.post_and_follow("/confirm", level="average")
    await alice.post_and_follow("/rules", pattern="no space", report="full", score="1")
    await alice.post_and_follow("/rules/remove", pattern="no space")
    await alice.post("/logout")
    assert acts(site) == [
        ("alice", "admin", "dashboard", "log in", "local:alice"),
        ("alice", "admin", "dashboard", "approve", risky),
        ("alice", "admin", "dashboard", "rebuild", bad),
        ("alice", "admin", "dashboard", "set level", "confirmation"),
        ("alice", "admin", "dashboard", "set log rule", "no space"),
        ("alice", "admin", "dashboard", "remove log rule", "no space"),
        ("alice", "admin", "dashboard", "log out", "local:alice"),
    ]
    changes = {row.what: (row.before, row.after) for row in site.harness.engine.audit()}
    assert changes["approve"] == ("waiting for confirmation", "approved")
    assert changes["rebuild"] == (None, site.job("reply bad"))
    assert changes["set level"] == ("dangerous", "average")
    assert changes["set log rule"][0] is None


async def test_acts_of_tokens_are_noted(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """As those of programs, on a page too; and the command line that makes the token."""
    client = site.client(headers=bearer(create(site.state_dir, capsys, "bot", "--role", "admin")))
    risky = site.job("reply risky")
    assert (await client.post(f"/api/v1/jobs/{risky}/cancel")).status_code == 200
    await site.harness.settle()
    assert (await client.post("/confirm", data={"level": "average"})).status_code == 303
    by_line, by_token, on_page = acts(site)
    assert by_line[1:] == (None, "command line", "make token", "token:bot")
    assert by_token == ("bot", "admin", "api", "cancel", risky)
    assert on_page == ("bot", "admin", "api", "set level", "confirmation")


async def test_what_a_role_forbids_is_noted_as_refused(site: Site) -> None:
    """By a page and by the API; nothing else that a reader does is, not even a look too far."""
    bob = site.visitor()
    await bob.log_in("bob")
    risky = site.job("reply risky")
    await bob.get(f"/job/{risky}")
    assert (await bob.get("/metrics")).status_code == 403
    assert (await bob.post(f"/job/{risky}/approve")).status_code == 403
    ours = {"X-CSRF-Token": bob.token}
    answer = await bob.client.put("/api/v1/confirm", json={"level": None}, headers=ours)
    assert answer.status_code == 403
    assert acts(site)[1:] == [
        ("bob", "viewer", "dashboard", "approve", risky),
        ("bob", "viewer", "api", "set confirmation", "/api/v1/confirm"),
    ]
    rows = site.harness.engine.audit()
    assert [row.refused for row in rows[:2]] == [
        "this takes the role admin, which local:bob does not have"
    ] * 2


async def test_strangers_leave_nothing_in_the_audit(site: Site) -> None:
    """Else anybody could fill the disk."""
    stranger = site.stranger()
    assert (await stranger.put("/api/v1/confirm", json={"level": None})).status_code in {401, 403}
    assert (await stranger.put("/api/v1/confirm", headers=bearer("x"))).status_code == 401
    assert acts(site) == []


async def test_what_anybody_may_not_do_leaves_nothing_in_the_audit(tmp_path: Path) -> None:
    """Where all may look, and nobody has to log in."""
    settings = WebSettings(host="0.0.0.0", access=AccessSettings(allow_anonymous=Role.VIEWER))
    async with open_site(tmp_path, settings=settings) as site:
        stranger = site.stranger("http://192.0.2.1:8080")
        assert (await stranger.put("/api/v1/confirm", json={"level": None})).status_code == 403
        assert acts(site) == []


async def test_admins_read_the_audit_by_the_api(site: Site) -> None:
    """By pages, with the filters of the command line; others don't."""
    for level in (Level.AVERAGE, Level.DANGEROUS, None):
        site.service.confirmation.set(level, by="ada", reason="a test")
    alice, bob = site.visitor(), site.visitor()
    await bob.log_in("bob")
    assert (await bob.client.get("/api/v1/audit")).status_code == 403
    await alice.log_in("alice")
    answer = (await alice.client.get("/api/v1/audit?who=ada&limit=2")).json()
    assert [act["after"] for act in answer["acts"]] == ["none", "dangerous"]
    assert answer["acts"][0]["reason"] == "a test"
    more = await alice.client.get(f"/api/v1/audit?who=ada&before={answer['next']}")
    assert [act["after"] for act in more.json()["acts"]] == ["average"]
    assert more.json()["next"] is None
    wrong = await alice.client.get("/api/v1/audit?since=0.5")
    assert wrong.status_code == 422
    assert PASSWORD not in json.dumps(answer)


async def test_the_command_line_lists_and_verifies_the_audit(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """While the engine runs; a row that was tampered with is found, and its number is told."""

    def audit(*words: str) -> tuple[int, str]:
        status = command(site.state_dir, "audit", *words)
        return status, capsys.readouterr().out

    site.service.confirmation.set(None, by="ada", reason="release\nnight")
    site.service.jobs.cancel(site.job("reply risky"), by="bob")
    await site.harness.settle()
    status, listed = audit()
    assert status == 0
    assert [line.partition("  ")[2].partition(":")[0] for line in listed.splitlines()] == [
        "bob by code",
        "ada by code",
    ]
    assert "set level confirmation (dangerous → none): release night" in listed
    (row,) = map(json.loads, audit("--json", "--who", "ada")[1].splitlines())
    assert (row["what"], row["reason"], row["id"]) == ("set level", "release\nnight", 1)
    assert audit("--what", "approve") == (0, "")
    status, told = audit("verify")
    assert status == 0
    head = told.split()[-1]
    assert told == f"whole: 2 rows; the last hash is {head}\n"
    assert audit("verify", "--head", head) == (0, told)
    status, told = audit("verify", "--head", "0" * 64)
    assert (status, told.partition(":")[0]) == (1, "broken")
    with closing(sqlite3.connect(site.harness.engine.opened.state.database)) as connection:
        connection.execute("DROP TRIGGER audit_not_changed")
        connection.execute("UPDATE audit SET who = 'eve' WHERE id = 2")
        connection.commit()
    status, told = audit("verify")
    assert status == 1
    assert told == "broken: row 2 was changed, put in or removed; the 1 row before it fit\n"


async def test_code_that_names_nobody_is_not_in_the_audit(site: Site) -> None:
    """What a program does by itself is no person's act; what it does for somebody is."""
    handle: Any = site.harness.find("reply good")
    handle.rebuild()
    await site.harness.settle()
    handle = site.harness.find("reply good")
    handle.rebuild(by="ada", reason="flaky")
    await site.harness.settle()
    assert acts(site) == [("ada", None, "code", "rebuild", handle.id)]


# Reasons


@pytest_asyncio.fixture
async def strict(tmp_path: Path) -> AsyncIterator[Site]:
    """It asks why somebody acts on dangerous jobs."""
    settings = WebSettings(access=access(tmp_path, reason_from=Level.DANGEROUS))
    async with open_site(tmp_path, settings=settings) as opened:
        yield opened


async def test_a_reason_goes_to_the_audit_and_to_the_log(site: Site) -> None:
    """By the API, of one job and of many, and of the level."""
    token = site.visitor()
    await token.log_in("alice")
    ours = {"X-CSRF-Token": token.token}
    client = token.client
    risky, bad = site.job("reply risky"), site.job("reply bad")
    for path, body in (
        (f"/api/v1/jobs/{risky}/approve", {"reason": " it was reviewed "}),
        ("/api/v1/rebuild", {"ids": [bad], "reason": "flaky"}),
    ):
        assert (await client.post(path, json=body, headers=ours)).status_code == 200
        await site.harness.settle()
    body = {"level": "average", "reason": " a release"}
    assert (await client.put("/api/v1/confirm", json=body, headers=ours)).status_code == 200
    reasons = {row.what: row.reason for row in site.harness.engine.audit()}
    assert reasons["approve"] == "it was reviewed"
    assert reasons["rebuild"] == "flaky"
    assert reasons["set level"] == "a release"
    assert "Approved by alice: it was reviewed" in site.harness.log("reply risky")
    assert "alice asked for a rebuild: flaky" in site.harness.log("reply bad")


async def test_a_site_may_ask_why_for_dangerous_jobs(strict: Site) -> None:
    """Without a reason nothing is done, and the answer says what is missing."""
    client, risky = strict.client(), strict.job("reply risky")
    for body in (None, {}, {"reason": "  "}):
        answer = await client.post(f"/api/v1/jobs/{risky}/approve", json=body)
        assert answer.status_code == 422
        assert "give a reason" in answer.json()["detail"]
    bad = strict.job("reply bad")
    assert (await client.post(f"/api/v1/jobs/{bad}/rebuild")).status_code == 200
    await strict.harness.settle()
    answer = await client.post(f"/api/v1/jobs/{risky}/approve", json={"reason": "reviewed"})
    assert answer.status_code == 200
    await strict.harness.settle()
    whole = {"filter": {}, "limit": 10}
    assert (await client.post("/api/v1/rebuild", json=whole)).status_code == 422
    assert [row.what for row in strict.harness.engine.audit()] == ["approve", "rebuild"]
    too_long = {"reason": "x" * 1001}
    assert (await client.post(f"/api/v1/jobs/{risky}/rebuild", json=too_long)).status_code == 422


async def test_pages_ask_for_the_reason(strict: Site) -> None:
    """Where one is needed."""
    visitor, risky, bad = strict.visitor(), strict.job("reply risky"), strict.job("reply bad")
    assert 'name="reason"' not in (await visitor.get(f"/job/{bad}")).text
    assert 'name="reason"' in (await visitor.get("/jobs")).text
    assert 'name="reason"' in (await visitor.get("/history")).text
    assert 'name="reason"' in (await visitor.get(f"/job/{risky}")).text
    page = await visitor.post_and_follow("/jobs/approve", job=[risky])
    assert f"Give a reason: this site asks why, for job {risky}" in text_of(page)
    await visitor.get("/jobs")
    await visitor.post_and_follow("/jobs/approve", job=[risky], reason="reviewed")
    await strict.harness.settle()
    await visitor.get(f"/job/{risky}")
    here = {"Referer": f"{HERE}/job/{risky}"}
    answer = await visitor.client.post(
        f"/job/{risky}/rebuild", data={"csrf_token": visitor.token}, headers=here
    )
    assert answer.headers["location"].startswith(f"/job/{risky}?")
    assert "Give a reason" in text_of(await visitor.get(answer.headers["location"]))
    await visitor.post_and_follow(f"/job/{risky}/rebuild", reason="once more")
    assert [row.reason for row in strict.harness.engine.audit()] == ["once more", "reviewed"]
