"""Who is let in to a site, and what they may do there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from fastapi import Request, Response

from pycurrent.engine import Clock
from pycurrent.errors import UsageError
from pycurrent.store import AccessDatabase
from pycurrent.web.auth.cookies import SESSION, VISITOR, Cookies
from pycurrent.web.auth.errors import NotAllowed, NotLoggedIn
from pycurrent.web.auth.forgery import SAFE_METHODS, check_origin, check_token
from pycurrent.web.auth.sessions import LONGEST, Sessions
from pycurrent.web.auth.site import Reach, Site
from pycurrent.web.auth.throttle import Throttle
from pycurrent.web.settings import AccessSettings
from pycurrent.web.users.keys import digest_of, form_token, new_key
from pycurrent.web.users.providers import LoginProvider
from pycurrent.web.users.roles import Origin, Role, User, granted

_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
"""Headers by which a proxy says that it passes on what another machine asks."""


class Via(Enum):
    """How it was found out who sent a request."""

    BEARER = "bearer"
    COOKIE = "cookie"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request."""

    user: User | None
    via: Via
    key: str | None
    """Of the browser: the cookie that its forms are tied to."""


def check_access(settings: AccessSettings, site: Site) -> None:
    """Raises `UsageError` if others can reach the site, nobody could log in to it, and it was not
    said what anybody may do then.
    """
    open_to_all = settings.allow_anonymous is not None
    if site.reach is Reach.ELSEWHERE and not settings.ready_providers and not open_to_all:
        raise UsageError(
            f"others could reach the site at {site.public_url or site.host}, and nobody could log"
            " in: make a user with `pycurrent user add NAME`, or say what anybody may do with"
            " --allow-anonymous ROLE"
        )


class Access:
    """The rules of one site. Belongs to the thread of the engine.

    Raises `UsageError` as `check_access` does.
    """

    def __init__(
        self, settings: AccessSettings, database: AccessDatabase, clock: Clock, site: Site
    ) -> None:
        check_access(settings, site)
        self.settings = settings
        self.site = site
        self.throttle = Throttle(clock)
        self.sessions = Sessions(database, clock)
        self._database = database
        self._clock = clock

    @property
    def providers(self) -> tuple[LoginProvider, ...]:
        """Those by which somebody could log in now."""
        return self.settings.ready_providers

    @property
    def can_log_in(self) -> bool:
        return bool(self.providers)

    # Who asks

    def caller(self, request: Request) -> Caller:
        """Raises `NotLoggedIn` for a token that is not valid: to take it for nobody's would only
        put off the surprise.
        """
        authorization = request.headers.get("authorization")
        if authorization is not None:
            return Caller(self._bearer(authorization), Via.BEARER, None)
        cookies = self.cookies(request)
        session = cookies.get(request, SESSION)
        if session is not None:
            user = self._session_user(session)
            if user is not None:
                return Caller(user, Via.COOKIE, session)
        return Caller(None, Via.NOTHING, cookies.get(request, VISITOR))

    def _bearer(self, authorization: str) -> User:
        scheme, _, token = authorization.partition(" ")
        now = self._clock.now()
        found = None
        if scheme.lower() == "bearer":
            found = self._database.token(digest_of(token.strip()), now)
        if found is None:
            raise NotLoggedIn("the token is not valid: it is wrong, has expired, or was revoked")
        if _is_new_day(found.used, now):
            self._database.use_token(found.name, now)
        return User(f"token:{found.name}", found.name, Role(found.role), Origin.TOKEN)

    def _session_user(self, key: str) -> User | None:
        user = self.sessions.find(key)
        if user is None:
            return None
        place = user.id.partition(":")[0]
        for provider in self.settings.providers:
            if provider.id == place:
                return provider.known(user)
        return None

    # What they may do

    def allows(self, request: Request, user: User | None, role: Role) -> bool:
        """Whether who sent the request has the role.

        A token has the role that it was made with, no more and no less: the author's function is
        asked about people.
        """
        anybody = self.settings.allow_anonymous
        if anybody is not None and role in anybody.included:
            return True
        if user is not None and user.origin is Origin.TOKEN:
            return granted(user, role)
        if self.settings.has_role is not None:
            return self.settings.has_role(user, role)
        return granted(user, role) or self._is_at_home(request)

    def _is_at_home(self, request: Request) -> bool:
        """Whether it can only come from this machine, where nobody has set up a login."""
        if self.site.reach is not Reach.HERE or self.can_log_in:
            return False
        return not any(header in request.headers for header in _FORWARDED)

    async def check(self, request: Request, caller: Caller, role: Role) -> None:
        """Raises `NotLoggedIn`, `NotAllowed` or `Forged` unless the caller has the role and, if
        the request changes something, means it.
        """
        if not self.allows(request, caller.user, role):
            if caller.user is None and self.can_log_in:
                raise NotLoggedIn(f"this takes the role {role.value}: log in")
            raise NotAllowed(caller.user, role)
        await self.check_meant(request, caller)

    async def check_meant(self, request: Request, caller: Caller) -> None:
        """Raises `Forged` if another site may have had the browser send it."""
        if request.method in SAFE_METHODS or caller.via is Via.BEARER:
            return
        check_origin(request, public_url=self.settings.public_url)
        await check_token(request, caller.key)

    # Browsers

    def cookies(self, request: Request) -> Cookies:
        return Cookies.of(request, public_url=self.settings.public_url)

    def form_token(self, request: Request, caller: Caller) -> str:
        """What the forms of a page for this browser have to bring. `set_visitor` the answer."""
        return form_token(caller.key or _visitor(request))

    def set_visitor(self, request: Request, response: Response) -> None:
        """Give the browser the cookie that `form_token` has just made for it, if it has."""
        key: str | None = getattr(request.state, "new_visitor", None)
        if key is not None:
            self.cookies(request).set(response, VISITOR, key)

    def let_in(self, request: Request, response: Response, user: User) -> None:
        """Begin a session. One that the browser had ends: nobody can prepare one for another."""
        self.shut_out(request, response)
        key = self.sessions.begin(user)
        self.cookies(request).set(response, SESSION, key, last=LONGEST)

    def shut_out(self, request: Request, response: Response) -> None:
        """End the browser's session, if it has one, and forget what else it was known by."""
        cookies = self.cookies(request)
        key = cookies.get(request, SESSION)
        if key is not None:
            self.sessions.end(key)
        cookies.drop(response, SESSION)
        cookies.drop(response, VISITOR)


def _visitor(request: Request) -> str:
    """The cookie that a browser without one is about to get."""
    key: str | None = getattr(request.state, "new_visitor", None)
    if key is None:
        key = request.state.new_visitor = new_key()
    return key


def _is_new_day(used: datetime | None, now: datetime) -> bool:
    return used is None or used.date() != now.date()
