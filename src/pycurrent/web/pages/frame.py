"""The frame of each page: the user, the navigation, and the state of the pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, urlencode

from fastapi import Request

from pycurrent.engine import Level
from pycurrent.service import Service
from pycurrent.term import Stats
from pycurrent.view import Headline
from pycurrent.web.auth import Access, Caller
from pycurrent.web.extensions import AuthorEntry
from pycurrent.web.pages import state_badges
from pycurrent.web.pages.formatting import confirm_text
from pycurrent.web.pages.notes import PARAMETER, Note
from pycurrent.web.pages.state_badges import Badge
from pycurrent.web.users import Role, User

THEME_COOKIE = "pycurrent-theme"
THEMES = ("light", "dark")

_INPUTS = ("/inputs", "Inputs")
_PAUSES = ("/pauses", "Pauses")
_MUTES = ("/mutes", "Mutes")
_APPROVALS = ("/approvals", "Approvals")
_NAVIGATION = (
    ("/", "Pipeline"),
    ("/jobs", "Jobs"),
    ("/history", "History"),
    ("/failures", "Failures"),
    ("/rules", "Rules"),
)


@dataclass(frozen=True, slots=True)
class NavEntry:
    """A page that can be gone to."""

    href: str
    title: str
    is_here: bool


@dataclass(frozen=True, slots=True)
class Page:
    """The page and its visitor, as templates know them."""

    name: str
    address: str
    """Path and query, to come back to."""
    form_token: str
    theme: str | None
    user: User | None
    can_log_in: bool
    nav: tuple[NavEntry, ...]
    note: Note | None
    time: str
    """When it is made, by the engine's clock."""

    @property
    def other_theme(self) -> str:
        return "light" if self.theme == "dark" else "dark"


@dataclass(frozen=True, slots=True)
class Count:
    """How many stages are in a state."""

    key: str
    badge: Badge
    number: int


@dataclass(frozen=True, slots=True)
class LevelChoice:
    """A confirmation level that can be set, and how many jobs would start then."""

    value: str
    text: str
    is_set: bool
    starts: int


@dataclass(frozen=True, slots=True)
class Header:
    """How the pipeline is."""

    result: Badge
    headline: Headline | None
    """The failure to be told of first; None if nothing has failed."""
    counts: tuple[Count, ...]
    jobs: int
    problems: tuple[str, ...]
    """The problems of the engine itself."""
    confirm_text: str
    waiting: int
    choices: tuple[LevelChoice, ...]
    may_confirm: bool
    roles: tuple[str, ...]
    """The roles of the visitor, for scripts: the server decides."""
    failed: int
    """How many stages have failed, for the title of the page."""
    icon: str
    """The path of the icon for this state."""
    badges: dict[str, object]
    """The words and signs of states, for scripts."""
    event: str
    """The last event that is in it, for scripts: they follow those after it."""


def make_page(
    request: Request,
    access: Access,
    caller: Caller,
    *,
    name: str,
    note: Note | None,
    now: datetime,
    has_inputs: bool,
    has_pauses: bool,
    has_mutes: bool,
    has_waiting: bool,
    extra: Sequence[AuthorEntry],
) -> Page:
    """`has_inputs` says that there is something for people to set, `has_pauses` that something is
    paused, `has_mutes` that something is muted, and `has_waiting` that jobs wait for a person.
    """
    theme = request.cookies.get(THEME_COOKIE)
    may_pause = access.allows(request, caller.user, Role.ADMIN)
    return Page(
        name=name,
        address=_address(request),
        form_token=access.form_token(request, caller),
        theme=theme if theme in THEMES else None,
        user=caller.user,
        can_log_in=access.has_login,
        nav=(
            *_navigation(
                request,
                *([_INPUTS] if has_inputs else []),
                *([_PAUSES] if has_pauses or may_pause else []),
                *([_MUTES] if has_mutes else []),
                *([_APPROVALS] if has_waiting or request.url.path == _APPROVALS[0] else []),
            ),
            *_author_navigation(request, access, caller, extra),
        ),
        note=note,
        time=now.isoformat(),
    )


def _navigation(request: Request, *more: tuple[str, str]) -> Iterator[NavEntry]:
    here = request.url.path
    for href, title in (*_NAVIGATION, *more):
        is_job = href == "/jobs" and here.startswith("/job/")
        yield NavEntry(href, title, here == href or is_job)


def _author_navigation(
    request: Request, access: Access, caller: Caller, extra: Sequence[AuthorEntry]
) -> Iterator[NavEntry]:
    here = request.url.path
    for entry in extra:
        if access.allows(request, caller.user, entry.role):
            yield NavEntry(entry.href, entry.title, here == entry.href)


def _address(request: Request) -> str:
    """Without the note, which has been shown; and of a page, not of a form that was sent."""
    if request.method != "GET":
        return "/"
    query = parse_qsl(request.url.query, keep_blank_values=True)
    kept = urlencode([(name, value) for name, value in query if name != PARAMETER])
    return f"{request.url.path}?{kept}" if kept else request.url.path


def _icon(counts: Stats) -> str:
    """The path of an icon that tells of what is of most concern. The scripts choose likewise."""
    if counts.failed:
        return "icon-failed.svg"
    if counts.waiting_for_confirmation:
        return "icon-waiting.svg"
    return "icon-running.svg" if counts.running else "icon.svg"


def make_header(request: Request, access: Access, caller: Caller, service: Service) -> Header:
    overview = service.stages.overview(limit=0)
    confirmation = service.confirmation.show(limit=0)
    choices = [
        LevelChoice(
            value="none" if level is None else str(level),
            text=f"for {confirm_text(level)}",
            is_set=level == confirmation.level,
            starts=confirmation.would_start(level),
        )
        for level in (None, *reversed(Level))
    ]
    return Header(
        result=state_badges.of_output(overview.result),
        headline=service.stages.headline(),
        counts=tuple(
            Count(state.name.lower(), badge, overview.counts.of(state))
            for state, badge in state_badges.OF_STATE.items()
        ),
        jobs=overview.jobs,
        problems=tuple(problem.message for problem in overview.problems),
        confirm_text=confirm_text(confirmation.level),
        waiting=confirmation.total,
        choices=tuple(choices),
        may_confirm=access.allows(request, caller.user, Role.ADMIN),
        roles=tuple(role.value for role in Role if access.allows(request, caller.user, role)),
        failed=overview.counts.failed,
        icon=_icon(overview.counts),
        badges=state_badges.for_scripts(),
        event=str(service.events.last),
    )
