"""Decides who may do what on a site."""

from __future__ import annotations

import hmac
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from fastapi import Request, Response

from pycurrent.engine import Asker, Audit, Clock
from pycurrent.errors import UsageError
from pycurrent.service.login import LoginProvider, Origin, Role, User, granted, is_set_up
from pycurrent.store import AccessDatabase, StoreError
from pycurrent.web.auth.bearer import token_of
from pycurrent.web.auth.cookies import KNOWN, SESSION, VISITOR, Cookies
from pycurrent.web.auth.csrf import SAFE_METHODS, check_origin, check_token
from pycurrent.web.auth.errors import NotAllowed, NotLoggedIn
from pycurrent.web.auth.sessions import LONGEST, Sessions
from pycurrent.web.auth.site import Reach, SiteAddress
from pycurrent.web.auth.throttle import Throttle, network_of
from pycurrent.web.settings import AccessSettings
from pycurrent.web.state_key import StateKey
from pycurrent.web.users.keys import digest_of, form_token, new_key
from pycurrent.web.users.owner import PROVIDER as OWNER
from pycurrent.web.users.owner import Owner

_BY_RIGHTS = (Role.ADMIN, Role.BUILDER, Role.VIEWER, Role.MONITOR)
"""The roles, those with the most rights first."""
_KNOWN_FOR = timedelta(days=365)
_KNOCK = (
    "open the address that `pycurrent run` has printed, or let `pycurrent client address` print it"
    " again: it holds the token that lets you in"
)
_DAMAGED = (
    "the file `token` in the state directory is damaged or can't be read: stop the engine, remove"
    " the file, and start it again"
)


class Via(Enum):
    """How it was found out who sent a request."""

    BEARER = "bearer"
    COOKIE = "cookie"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request."""

    user: User | None
    via: Via
    key: str | None
    """Of the browser: the cookie that its forms are tied to."""


def check_access(settings: AccessSettings, site: SiteAddress) -> None:
    """Raises `UsageError` if others can reach the site, nobody could log in to it, and it was not
    said what anybody may do then.
    """
    open_to_all = settings.allow_anonymous is not None
    if site.reach is Reach.ELSEWHERE and not settings.ready_providers and not open_to_all:
        raise UsageError(
            f"others could reach the site at {site.public_origin or site.host}, and nobody could"
            " log in: make a user with `pycurrent user add NAME`, or say what anybody may do with"
            " --allow-anonymous ROLE"
        )


class Access:
    """The rules of one site. Belongs to the thread of the engine."""

    def __init__(
        self,
        settings: AccessSettings,
        database: AccessDatabase,
        clock: Clock,
        site: SiteAddress,
        owner: Owner,
        audit: Audit,
    ) -> None:
        self._audit = audit
        self.owner = owner
        self.settings = settings
        self.site = site
        self.throttle = Throttle(clock)
        self.sessions = Sessions(database, clock)
        self._database = database
        self._clock = clock

    @property
    def providers(self) -> tuple[LoginProvider, ...]:
        """The login providers that work now."""
        return self.settings.ready_providers

    @property
    def is_at_home(self) -> bool:
        """True if the token in the state directory lets its owner in.

        That is so if only this machine can reach the site and no login was ever set up.
        """
        return self.site.reach is Reach.HERE and not self.has_login

    @property
    def has_login(self) -> bool:
        """True if people have to log in, even if nobody can at the moment."""
        return any(is_set_up(provider) for provider in self.settings.providers)

    @property
    def way_in(self) -> str:
        """The advice for an unknown visitor: the end of a sentence."""
        if not self.is_at_home:
            return "log in"
        return _KNOCK if self.owner.token is not None else _DAMAGED

    # Identifying users

    def caller(self, request: Request) -> Caller:
        """Raises `NotLoggedIn` for a token that is not valid: treating it as anonymous would only
        delay the error.
        """
        token = token_of(request)
        if token is not None:
            return Caller(self._bearer(token), Via.BEARER, None)
        cookies = self.cookies(request)
        session = cookies.get(request, SESSION)
        if session is not None:
            user = self._session_user(session)
            if user is not None:
                return Caller(user, Via.COOKIE, session)
        return Caller(None, Via.NOTHING, cookies.get(request, VISITOR))

    def _bearer(self, token: str) -> User | None:
        if self.owner.is_token(token):
            return self.owner.user if self.is_at_home else None
        now = self._clock.now()
        found = self._database.token(digest_of(token), now)
        if found is None:
            raise NotLoggedIn("the token is not valid: it is wrong, has expired, or was revoked")
        if _is_new_day(found.used, now):
            # It is only a note: another request of the day makes it.
            with suppress(StoreError):
                self._database.use_token(found.name, now)
        return User(f"token:{found.name}", found.name, Role(found.role), Origin.TOKEN)

    def _session_user(self, key: str) -> User | None:
        user = self.sessions.find(key)
        if user is None:
            return None
        place = user.id.partition(":")[0]
        if place == OWNER:
            return self.owner.user if self.is_at_home else None
        for provider in self.settings.providers:
            if provider.id == place:
                return provider.known(user)
        return None

    # Checking rights

    def allows(self, request: Request, user: User | None, role: Role) -> bool:
        """True if the sender of the request has the role.

        A token has the role that it was made with, no more and no less, and who runs the engine
        may do everything: the author's function is asked about people who log in.
        """
        anybody = self.settings.allow_anonymous
        if anybody is not None and role in anybody.included:
            return True
        if user is not None and user.origin is not Origin.LOGIN:
            return granted(user, role)
        if self.settings.has_role is not None:
            return self.settings.has_role(user, role)
        return granted(user, role)

    def asker(self, request: Request, caller: Caller) -> Asker:
        """The sender of a request, as the audit and the logs of jobs name it."""
        user = caller.user
        by_program = caller.via is Via.BEARER or request.url.path.startswith("/api/")
        roles = (role for role in _BY_RIGHTS if self.allows(request, user, role))
        role = next((role.value for role in roles), None)
        name = "somebody at the dashboard" if user is None else user.name
        return Asker(name, role, "api" if by_program else "dashboard")

    async def check(self, request: Request, caller: Caller, role: Role) -> None:
        """Raise `NotLoggedIn` or `NotAllowed` unless the caller has the role.

        Raise `CsrfRejected` for a request that changes something, unless our own page or a
        program has sent it.
        """
        if not self.allows(request, caller.user, role):
            if caller.user is None and (self.is_at_home or self.has_login):
                raise NotLoggedIn(f"this takes the role {role.value}: {self.way_in}")
            refusal = NotAllowed(caller.user, role)
            if caller.user is not None and request.method not in SAFE_METHODS:
                what, subject = _act(request)
                self._audit.note(self.asker(request, caller), what, subject, refused=refusal.detail)
            raise refusal
        await self.check_csrf(request, caller)

    async def check_csrf(self, request: Request, caller: Caller) -> None:
        """Raise `CsrfRejected` if another site may have had the browser send the request."""
        if request.method in SAFE_METHODS or caller.via is Via.BEARER:
            return
        check_origin(request, public_origin=self.site.public_origin)
        await check_token(request, caller.key)

    # Browsers

    def cookies(self, request: Request) -> Cookies:
        return Cookies.of(
            request, public_origin=self.site.public_origin, engine_id=self.owner.engine_id
        )

    def form_token(self, request: Request, caller: Caller) -> str:
        """The token for the forms of a page for this browser. Call `set_visitor` on the answer."""
        return form_token(caller.key or _visitor(request))

    def set_visitor(self, request: Request, response: Response) -> None:
        """Give the browser the cookie that `form_token` has just made for it, if it has."""
        key = _NEW_VISITOR.find(request.state)
        if key is not None:
            self.cookies(request).set(response, VISITOR, key)

    def log_in(self, request: Request, response: Response, user: User) -> None:
        """Begin a session. One that the browser had ends: nobody can prepare one for another."""
        self.log_out(request, response)
        key = self.sessions.begin(user)
        self.cookies(request).set(response, SESSION, key, last=LONGEST)
        asker = self.asker(request, Caller(user, Via.COOKIE, key))
        self._audit.note(asker, "log in", user.id)

    def remember(self, request: Request, response: Response, name: str) -> None:
        """Know the browser again when somebody logs in by this name; also when they have logged
        out.
        """
        mark = new_key()
        value = f"{mark}.{self.owner.sign(KNOWN, mark, name)}"
        self.cookies(request).set(response, KNOWN, value, last=_KNOWN_FOR)

    def source(self, request: Request, name: str) -> str:
        """The source of an attempt to log in by this name, for `throttle`."""
        value = self.cookies(request).get(request, KNOWN) or ""
        mark, _, signature = value.partition(".")
        own = self.owner.sign(KNOWN, mark, name)
        if hmac.compare_digest(signature.encode(errors="replace"), own.encode()):
            return f"browser {mark}"
        return network_of(request.client.host if request.client is not None else "")

    def log_out(self, request: Request, response: Response) -> None:
        """End the browser's session, if it has one, and forget what else it was known by."""
        cookies = self.cookies(request)
        key = cookies.get(request, SESSION)
        if key is not None:
            user = self._session_user(key)
            self.sessions.end(key)
            if user is not None:
                asker = self.asker(request, Caller(user, Via.COOKIE, key))
                self._audit.note(asker, "log out", user.id)
        cookies.drop(response, SESSION)
        cookies.drop(response, VISITOR)


ACCESS = StateKey[Access]("access")
_NEW_VISITOR = StateKey[str]("new_visitor")


def _visitor(request: Request) -> str:
    """The cookie that a browser without one is about to get."""
    return _NEW_VISITOR.find(request.state) or _NEW_VISITOR.put(request.state, new_key())


def _act(request: Request) -> tuple[str, str]:
    """The act that a request asks for, and its subject, by the route."""
    name = getattr(request.scope.get("route"), "name", request.url.path)
    subject = "/".join(str(part) for part in request.path_params.values())
    return name.strip("_").replace("_", " "), subject or request.url.path


def _is_new_day(used: datetime | None, now: datetime) -> bool:
    return used is None or used.date() != now.date()
