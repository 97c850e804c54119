"""Visiting a site without a browser and without a network: a real engine on a virtual clock."""

import hashlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

import pycurrent as current
from pycurrent.engine import Config, Job, Level
from pycurrent.service import Service
from pycurrent.store import AccessDatabase
from pycurrent.term import Current
from pycurrent.testing import Harness
from pycurrent.web.auth import Access
from pycurrent.web.auth.access import ACCESS
from pycurrent.web.server import Website
from pycurrent.web.settings import AccessSettings, WebSettings
from pycurrent.web.users import PASSWORD_FILE, LocalUser, PasswordFile, PasswordHash, Role

PASSWORD = "correct horse"
_KEY = hashlib.scrypt(PASSWORD.encode(), salt=b"salt", n=16, r=8, p=1)
HASH = PasswordHash(16, 8, 1, b"salt", _KEY)
"""A hash says how it was made: this one is checked fast, as those of real passwords are not."""

HERE = "http://127.0.0.1:8080"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NASTY = "<script>alert(1)</script>"


@dataclass(frozen=True)
class Reply(current.Builder[str, str]):
    """Says something, and then does as its key says."""

    id = "reply"

    async def build(self, job: Job, key: str) -> str:
        level = Level.DANGEROUS if key == "risky" else Level.AVERAGE
        await job.start(level=level)
        job.write(f"\x1b[31m{key} {NASTY}\x1b[0m & done\n".encode())
        if "bad" in key:
            raise current.Failure(f"{key}: no {NASTY}")
        return key


def reply(key: str) -> Current[str]:
    return current.component(f"reply {key}", Reply().get, current.constant(key))


def pipeline() -> Current[Any]:
    """One that is ok, one that has failed, one that waits for confirmation (see `CONFIRM`)."""
    return current.all([reply("good"), reply("bad"), reply("risky")])


def confirm_dangerous() -> Config:
    return Config(confirm=Level.DANGEROUS)


class Visitor:
    """A browser that obeys forms: sends the token of the page it has seen last."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.token = ""

    async def get(self, path: str, **options: Any) -> httpx.Response:
        response = await self.client.get(path, **options)
        found = re.search(r'<meta name="csrf-token" content="([0-9a-f]+)">', response.text)
        if found:
            self.token = found[1]
        return response

    async def post(self, path: str, **fields: str | list[str]) -> httpx.Response:
        """Send a form of the last page."""
        return await self.client.post(path, data={"csrf_token": self.token, **fields})

    async def post_and_follow(self, path: str, **fields: str | list[str]) -> httpx.Response:
        """The page that the browser is sent on to."""
        response = await self.post(path, **fields)
        assert response.status_code == 303, response.text
        return await self.get(response.headers["location"])

    async def log_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        await self.get("/login")
        response = await self.post("/login/local", name=name, password=password)
        if response.status_code == 303:
            await self.get(response.headers["location"])
        return response


@dataclass(frozen=True)
class Site:
    """A running engine, and its application."""

    harness: Harness
    service: Service
    app: FastAPI
    state_dir: Path

    @property
    def access(self) -> Access:
        return ACCESS.get(self.app.state)

    @property
    def token(self) -> str:
        """Of who runs the engine."""
        assert self.access.owner.token is not None
        return self.access.owner.token

    def stranger(
        self, base_url: str = HERE, *, address: str = "127.0.0.1", **options: Any
    ) -> httpx.AsyncClient:
        """A browser or program that brings nothing, at an address."""
        transport = httpx.ASGITransport(
            app=self.app, raise_app_exceptions=False, client=(address, 12345)
        )
        return httpx.AsyncClient(transport=transport, base_url=base_url, **options)

    def client(self, base_url: str = HERE, **options: Any) -> httpx.AsyncClient:
        """A program of who runs the engine; where people have to log in, nobody's."""
        if self.access.is_at_home:
            headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
            options["headers"] = headers
        return self.stranger(base_url, **options)

    def visitor(self, base_url: str = HERE, **options: Any) -> Visitor:
        """The browser of who runs the engine; where people have to log in, nobody's."""
        client = self.stranger(base_url, **options)
        if self.access.is_at_home:
            name = f"pycurrent-session-{self.access.owner.engine_id}"
            client.cookies.set(name, self.access.sessions.begin(self.access.owner.user))
        return Visitor(client)

    def job(self, description: str) -> str:
        """The id of a job."""
        return self.harness.find(description).id

    def users(self) -> PasswordFile:
        return PasswordFile(self.state_dir / PASSWORD_FILE)

    def add_user(self, name: str, role: Role) -> None:
        self.users().put(LocalUser(name, role, HASH))

    def database(self) -> AccessDatabase:
        """As the command line opens it, beside the engine."""
        return AccessDatabase.open(self.harness.engine.opened.state)


def access(state_dir: Path, **settings: Any) -> AccessSettings:
    """The settings of a site at which the users in the file can log in."""
    return AccessSettings(providers=(PasswordFile(state_dir / PASSWORD_FILE),), **settings)


@asynccontextmanager
async def open_site(
    state_dir: Path,
    make: Callable[[], Current[Any]] = pipeline,
    *,
    settings: WebSettings | None = None,
    config: Config | None = None,
) -> AsyncIterator[Site]:
    """A site whose pipeline has settled. Jobs at the highest level wait for confirmation."""
    harness = Harness(make, state_dir=state_dir, config=config or confirm_dangerous())
    settings = settings or WebSettings(access=access(state_dir))
    made: list[Website] = []
    harness.engine.on_open(lambda opened: made.append(Website(Service(opened), settings)))
    async with harness, made[0].open() as app:
        await harness.settle()
        yield Site(harness, made[0].service, app, state_dir)


def text_of(page: httpx.Response) -> str:
    """What a reader sees, roughly: without tags, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page.text)).split())
