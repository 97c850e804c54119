"""Each act of the API is in the audit with who has asked for it, and in the log of its job."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

import pycurrent as current
from pycurrent.store import AccessDatabase, TokenRecord
from pycurrent.web.settings import AccessSettings, WebSettings
from pycurrent.web.users import LocalUser, PasswordFile, PasswordHash, Role
from pycurrent.web.users.keys import digest_of, new_token

from .sites import RunningSite, running_site


@dataclass(frozen=True)
class Release:
    version: str


def pipeline() -> current.Current[None]:
    """Jobs that have ended and some that wait, an input, and a trigger."""

    async def there(key: str, outcome: str) -> bool:
        return True

    @current.builder("reply", level=current.Level.HARMLESS, still_there=there)
    async def reply(job: current.Job, key: str) -> str:
        if key == "bad":
            raise current.Failure("no good")
        return key

    @current.builder("push", level=current.Level.DANGEROUS)
    async def push(job: current.Job, key: str) -> str:
        return key

    pushed = [push(key) for key in ("approve", "start", "cancel", "many")]
    channel = current.Input("channel", "beta").get()
    return current.all(
        [reply("good"), reply("bad"), *pushed, channel, current.Trigger("go", Release).get()]
    )


COMMIT = "a" * 40

ACTS: dict[str, tuple[dict[str, Any], str | None]] = {
    "PUT /rules": ({"json": {"pattern": "a", "report": "b", "score": 1}}, None),
    "PUT /rules.csv": ({"content": "c,d,2\n"}, None),
    "POST /rules/apply": ({}, None),
    "DELETE /rules": ({"params": {"pattern": "a"}}, None),
    "POST /jobs/{id}/approve": ({}, "push approve"),
    "POST /jobs/{id}/start": ({}, "push start"),
    "POST /jobs/{id}/cancel": ({}, "push cancel"),
    "POST /cancel": ({"json": {"ids": ["{id}"]}}, "push many"),
    "POST /jobs/{id}/rebuild": ({}, "reply good"),
    "POST /rebuild": ({"json": {"ids": ["{id}"]}}, "reply good"),
    "POST /failures/rebuild": ({"json": {"kind": "real"}}, "reply bad"),
    "POST /verify": ({"json": {"subject": "reply good"}}, None),
    "PUT /confirm": ({"json": {"level": "average"}}, None),
    "POST /inputs/set": ({"json": {"name": "channel", "value": "stable"}}, None),
    "POST /triggers/fire": ({"json": {"name": "go", "params": {"version": "1"}}}, None),
    "POST /pins/set": ({"json": {"path": "channel"}}, None),
    "POST /pins/remove": ({"json": {"path": "channel"}}, None),
    "POST /pauses/pause": ({"json": {"level": "average"}}, None),
    "POST /pauses/resume": ({"json": {"level": "average"}}, None),
    "POST /approvals/approve": (
        {"json": {"commit": COMMIT}},
        None,
    ),
    "POST /approvals/withdraw": (
        {"json": {"commit": COMMIT}},
        None,
    ),
    "POST /mutes/set": ({"json": {"path": "channel", "reason": "known"}}, None),
    "POST /mutes/remove": ({"json": {"path": "channel"}}, None),
    "POST /failures/mute": ({"json": {"kind": "real", "reason": "known"}}, None),
}
"""The acts in an order in which each can be done, and the job that some are about."""

LOOKS = {"POST /rules/try"}
"""What changes nothing."""


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[RunningSite]:
    """A site at which people have to log in, and where dangerous jobs wait."""
    users = PasswordFile(tmp_path / "users")
    users.put(LocalUser("ada", Role.ADMIN, PasswordHash.nobodys()))
    settings = WebSettings(port=0, access=AccessSettings(providers=(users,)))
    config = current.Config(confirm=current.Level.DANGEROUS)
    state = tmp_path / "state"
    async with running_site(pipeline, state, settings=settings, config=config) as site:
        yield site


async def at_rest(site: RunningSite) -> None:
    """Until the replies are there, and the rest waits or has ended."""
    stepped = asyncio.Event()
    stop = site.engine.listen(lambda step: stepped.set())
    while site.engine.stats.running or site.engine.stats.ready:
        stepped.clear()
        await stepped.wait()
    stop()


def documented(schema: dict[str, Any]) -> set[str]:
    """The methods and paths of the API that are not for reading."""
    return {
        f"{method.upper()} {path.removeprefix('/api/v1').replace('{day}/{name}', '{id}')}"
        for path, methods in schema["paths"].items()
        for method in methods
        if method != "get" and path.startswith("/api/v1")
    }


async def test_each_act_is_noted_with_who_asked(site: RunningSite) -> None:
    """One row for each, of the token; the log of the job that it is about names it, too."""
    token = new_token()
    with AccessDatabase.open(site.engine.opened.state) as database:
        record = TokenRecord("bot", Role.ADMIN.value, datetime.now(UTC), None, None)
        assert database.add_token(record, digest_of(token))
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=f"{site.url}/api/v1", headers=headers) as client:
        schema = (await client.get("/openapi.json")).json()
        acts = documented(schema)
        assert acts == set(ACTS) | LOOKS, "a new act is to be tried here, too"
        for act, (sent, about) in ACTS.items():
            await at_rest(site)
            job_id = "" if about is None else job_of(site, about)
            before = len(site.engine.audit())
            method, path = act.replace("{id}", job_id).split()
            answer = await client.request(method, path, **filled(sent, job_id))
            assert (act, answer.status_code) == (act, 200), answer.text
            rows = site.engine.audit()
            assert (act, len(rows)) == (act, before + 1)
            assert (rows[0].who, rows[0].role, rows[0].via) == ("bot", "admin", "api")
            assert (act, rows[0].refused) == (act, None)
            if about is not None:
                await at_rest(site)
                log = await client.get(f"/jobs/{job_of(site, about)}/log")
                assert "bot" in log.text, act


def filled(sent: dict[str, Any], job_id: str) -> dict[str, Any]:
    body = sent.get("json")
    return {**sent, "json": {**body, "ids": [job_id]}} if body and "ids" in body else sent


def job_of(site: RunningSite, description: str) -> str:
    jobs = site.engine.jobs
    return next(job_id for job_id in jobs if jobs[job_id].description == description)
