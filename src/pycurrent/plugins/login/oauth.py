"""Logins at sites that speak OAuth 2.0 (RFC 6749), with PKCE (RFC 7636), by Authlib.

The site tells by its own cookie that the browser which comes back is the one that it has sent. The
verifier of PKCE and the nonce are made from the `state` of an attempt and a key of this process, so
nothing is kept of attempts; one that an engine's end has cut in two begins again.

People are asked about again while they are logged in, by the token that they have given us. It is
kept in memory alone: after an engine's end they are sent to the other site once more, which as a
rule lets them in without a question.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import logging
import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from pycurrent.engine import Clock, Secret, SystemClock, Timer
from pycurrent.engine.tasks import in_thread
from pycurrent.errors import UsageError
from pycurrent.plugins.login.grants import Grants
from pycurrent.service.login import LoginRefused, Role, User

if TYPE_CHECKING:
    from pycurrent.plugins.login.sdk import AsyncOAuth2Client

_log = logging.getLogger(__name__)

RECHECK = timedelta(minutes=10)
"""How often people who are logged in are asked about."""
PATIENCE = timedelta(hours=1)
"""How long they stay logged in while the other site does not answer."""
UNUSED = timedelta(days=7)
"""After this time without a request they are asked about no longer, and are logged out."""

_SECONDS = 20
"""The time that an answer of the other site may take."""
_OVER = frozenset({"invalid_grant", "invalid_token", "unauthorized_client", "access_denied"})
"""Errors of OAuth that say that the access has ended."""


class AccessEnded(Exception):
    """The other site no longer takes somebody's token."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The addresses of the other site."""

    authorization: str
    token: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at the other site."""

    login: str
    """The name that is part of the user's id."""
    name: str
    """The name for people."""
    parts: frozenset[str]
    """All that roles may be given to: `user:ann`, `group:devs`."""


@dataclass(slots=True)
class _Member:
    """Somebody who is logged in."""

    user: User
    token: Mapping[str, Any]
    used: datetime
    failing_since: datetime | None = None
    timer: Timer | None = None


class OAuthLogin(ABC):
    """A login on another site by OAuth 2.0: a `RedirectLogin`. Subclasses say how one asks there.

    `roles` gives roles to people: `{"user:ann": Role.ADMIN, "anybody": Role.VIEWER}`; others are
    refused. The other site is asked every ten minutes about people who are logged in: a role that
    has changed counts from then on, and a session ends with the access. Belongs to one event loop.
    """

    kinds: ClassVar[tuple[str, ...]] = ("user",)
    """The kinds of names that roles can be given to."""
    scopes: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        client_id: str,
        secret: Secret | str,
        *,
        roles: Mapping[str, Role],
        id: str,
        title: str,
        scopes: Sequence[str] = (),
        clock: Clock | None = None,
    ) -> None:
        from pycurrent.plugins.login import sdk

        if not client_id or secret == "":
            raise UsageError(f"the login at {title} has no client_id, or an empty secret")
        self.id = id
        self.title = title
        self.is_ready = True
        self.grants = Grants(roles, self.kinds)
        self.client_id = client_id
        self._sdk = sdk
        self._secret = secret
        self._scope = " ".join(dict.fromkeys((*self.scopes, *scopes)))
        self._clock = clock or SystemClock()
        self._key = secrets.token_bytes(32)
        self._members: dict[str, _Member] = {}
        self._checks: set[asyncio.Task[None]] = set()

    # Questions to the other site

    @abstractmethod
    async def endpoints(self) -> Endpoints:
        """The addresses of the other site. Raises what `httpx2` raises."""

    @abstractmethod
    async def person(self, client: AsyncOAuth2Client) -> Person:
        """Ask, with somebody's token, who they are now. Raises AccessEnded, `httpx2.HTTPError`, or
        ValueError for an answer that says nothing.
        """

    @abstractmethod
    async def check_identity(self, token: Mapping[str, Any], nonce: str) -> None:
        """Check a token that has just come, beyond what OAuth asks. Raises ValueError."""

    # A login

    async def address(self, *, state: str, callback: str) -> str | LoginRefused:
        """The address to send the browser to; see `RedirectLogin`."""
        try:
            where = await self.endpoints()
        except self._sdk.httpx2.HTTPError as error:
            return self._unreachable(error)
        async with await self._client(redirect_uri=callback) as client:
            address, _ = client.create_authorization_url(
                where.authorization,
                state=state,
                code_verifier=self._derived("verifier", state),
                **self.also_asked(self._derived("nonce", state)),
            )
        return str(address)

    def also_asked(self, nonce: str) -> Mapping[str, str]:
        """More parameters of the address to which the browser is sent."""
        return {}

    async def finish(
        self, query: Mapping[str, str], *, state: str, callback: str
    ) -> User | LoginRefused:
        """Finish the login of a browser that came back; see `RedirectLogin`."""
        code = query.get("code")
        if not code:
            why = query.get("error_description") or query.get("error") or "no code"
            return LoginRefused(f"{self.title} did not let you in: {why[:200]}")
        try:
            token = await self._token(code, state, callback)
            await self.check_identity(token, self._derived("nonce", state))
            async with await self._client(token=token) as client:
                person = await self.person(client)
        except (self._sdk.OAuthError, AccessEnded, ValueError) as error:
            _log.warning("a login at %s was refused: %s", self.title, error)
            return LoginRefused(f"{self.title} has refused this login: log in again")
        except self._sdk.httpx2.HTTPError as error:
            return self._unreachable(error)
        user = self._user(person)
        if user is None:
            return LoginRefused(
                f"{person.login} may not use this site: somebody who runs it can give a role to"
                f" you at {self.title}"
            )
        self._remember(_Member(user, token, self._clock.now()))
        return user

    async def _token(self, code: str, state: str, callback: str) -> Mapping[str, Any]:
        where = await self.endpoints()
        async with await self._client(redirect_uri=callback) as client:
            token = await client.fetch_token(
                where.token,
                code=code,
                code_verifier=self._derived("verifier", state),
                headers={"Accept": "application/json"},
            )
        return dict(token)

    async def _client(self, **more: Any) -> AsyncOAuth2Client:
        secret = self._secret
        text = secret if isinstance(secret, str) else await in_thread(secret.read)
        return self._sdk.AsyncOAuth2Client(
            client_id=self.client_id,
            client_secret=text,
            scope=self._scope,
            code_challenge_method="S256",
            timeout=_SECONDS,
            **more,
        )

    def _derived(self, what: str, state: str) -> str:
        """A secret of this attempt, 43 characters of base64url."""
        digest = hmac.digest(self._key, f"{what} {state}".encode(), "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def _unreachable(self, error: Exception) -> LoginRefused:
        _log.warning("%s can't be reached for a login: %r", self.title, error)
        return LoginRefused(f"{self.title} can't be reached now: try again later")

    def _user(self, person: Person) -> User | None:
        role = self.grants.role_of(person.parts)
        return None if role is None else User(f"{self.id}:{person.login}", person.name, role)

    # People who are logged in

    def known(self, user: User) -> User | None:
        """Somebody who is logged in, with the role of now; None if that has ended."""
        member = self._members.get(user.id)
        if member is None:
            return None
        member.used = self._clock.now()
        return member.user

    async def settled(self) -> None:
        """Wait until nobody is being asked about."""
        while self._checks:
            await asyncio.wait(self._checks)

    def _remember(self, member: _Member) -> None:
        earlier = self._members.get(member.user.id)
        if earlier is not None and earlier.timer is not None:
            earlier.timer.cancel()
        self._members[member.user.id] = member
        self._plan_check(member)

    def _plan_check(self, member: _Member) -> None:
        member.timer = self._clock.call_later(
            self._clock.spread(RECHECK), partial(self._begin_check, member)
        )

    def _begin_check(self, member: _Member) -> None:
        task = asyncio.get_running_loop().create_task(self._check(member))
        self._checks.add(task)
        task.add_done_callback(self._checks.discard)

    async def _check(self, member: _Member) -> None:
        """Ask whether somebody still has access, and which."""
        user: User | None = None
        if self._clock.now() - member.used < UNUSED:
            user = await self._present(member)
        # Somebody may have logged in again meanwhile.
        if self._members.get(member.user.id) is not member:
            return
        if user is None:
            del self._members[member.user.id]
        else:
            member.user = user
            self._plan_check(member)

    async def _present(self, member: _Member) -> User | None:
        try:
            where = await self.endpoints()
            client = await self._client(token=member.token, token_endpoint=where.token)
            async with client:
                person = await self.person(client)
                member.token = dict(client.token)
        except AccessEnded:
            return None
        except self._sdk.OAuthError as error:
            return None if error.error in _OVER else self._while_failing(member, error)
        except (self._sdk.httpx2.HTTPError, ValueError) as error:
            return self._while_failing(member, error)
        member.failing_since = None
        return self._user(person)

    def _while_failing(self, member: _Member, error: Exception) -> User | None:
        now = self._clock.now()
        member.failing_since = member.failing_since or now
        _log.warning("%s does not say who %s is: %r", self.title, member.user.id, error)
        return member.user if now - member.failing_since < PATIENCE else None
