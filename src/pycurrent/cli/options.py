"""The options of the commands. What is said here is what `--help` shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter, Token, validators

from pycurrent.engine import Config, Level
from pycurrent.engine.level import DEFAULT_JOBS
from pycurrent.errors import UsageError

DEFAULT_STATE_DIR = Path(".pycurrent")
STATE_DIR_VARIABLE = "PYCURRENT_STATE_DIR"

_OF_SITE = Group("Options of the site", sort_key=3)


def folder_or_file(_: object, tokens: Sequence[Token]) -> Path:
    """A path: what is empty is a variable that is not set, never the current directory."""
    if not tokens[0].value.strip():
        raise ValueError("it is empty: is the variable set from which it comes?")
    return Path(tokens[0].value)


def whole_number(_: object, tokens: Sequence[Token]) -> int:
    """A number without a fraction: 10, -3, 1_000, 0x1f."""
    text = tokens[0].value
    try:
        return int(text, 0 if text.lstrip("+-")[:2].lower() in {"0x", "0o", "0b"} else 10)
    except ValueError:
        raise ValueError(f"{text!r} is not a whole number.") from None


StateDirOption = Annotated[
    Path,
    Parameter(
        converter=folder_or_file,
        n_tokens=1,
        name="--state-dir",
        env_var=STATE_DIR_VARIABLE,
        help="The folder with the history, the logs and all else that is kept on disk.",
    ),
]


_NO_LEVEL = "none"


def _level(_: object, tokens: Sequence[Token]) -> Level | Literal["none"]:
    """A level by its name, or none: what `--confirm` takes."""
    text = tokens[0].value.strip().lower()
    if text == _NO_LEVEL:
        return "none"
    known = {str(level): level for level in Level}
    if text not in known:
        names = ", ".join([*known, _NO_LEVEL])
        raise ValueError(f"{tokens[0].value!r} is not a level. Choose from: {names}.")
    return known[text]


def _seconds(_: object, tokens: Sequence[Token]) -> timedelta:
    """A number of seconds: what `--confirm-auto-release` takes."""
    text = tokens[0].value
    try:
        time = timedelta(seconds=float(text))
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no number of seconds.") from None
    if time < timedelta(0):
        raise ValueError(f"{text} seconds are less than none.")
    return time


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+")


def _duration(_: object, tokens: Sequence[Token]) -> timedelta:
    """A time with its units: what `--older-than` takes."""
    text = tokens[0].value
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is no time such as 90d, 12h or 1d12h.")
    parts = re.findall(r"([\d.]+)([smhdw])", text)
    try:
        return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))
    except OverflowError:
        raise ValueError(f"{text} is too long.") from None


DurationOption = Annotated[timedelta, Parameter(metavar="TIME", converter=_duration, n_tokens=1)]
"""A time such as 90d, 12h or 1d12h: weeks, days, hours, minutes, seconds."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a pipeline is run."""

    once: Annotated[
        bool,
        Parameter(
            negative="",
            help="Run until nothing more can happen, and exit with 0 if all is ok, 1 if something"
            " failed, 2 if what was asked for can't be done, 3 if something waits for"
            " confirmation, 4 if the machine has run out of something, 5 if what was done can't be"
            " recorded.",
        ),
    ] = False
    confirm: Annotated[
        Level | Literal["none"] | None,
        Parameter(
            metavar="LEVEL",
            converter=_level,
            n_tokens=1,
            help="Have jobs at this level, or above it, wait for confirmation; none for no jobs."
            " By default the level holds that was given or set last.",
        ),
    ] = None
    confirm_auto_release: Annotated[
        timedelta | None,
        Parameter(
            metavar="SECONDS",
            converter=_seconds,
            n_tokens=1,
            help="After so long, have nothing wait for confirmation any more.",
        ),
    ] = None
    jobs: Annotated[
        int,
        Parameter(
            metavar="N",
            validator=validators.Number(gte=1),
            help="How many jobs may have commands at work at once; others wait for their turn. Many"
            " may be waiting for other machines, and so it is a large number by default.",
        ),
    ] = DEFAULT_JOBS
    state_dir: StateDirOption = DEFAULT_STATE_DIR
    shared: Annotated[
        bool,
        Parameter(
            negative="",
            help="Let the group of this user read the history and the logs that are made.",
        ),
    ] = False
    web: Annotated[
        bool | None,
        Parameter(
            help="Serve the pages and the API. By default they are, but not with --once.",
        ),
    ] = None
    host: Annotated[
        str | None,
        Parameter(
            env_var="PYCURRENT_HOST",
            group=_OF_SITE,
            help="The address to listen at: 127.0.0.1, which only this machine can reach, unless"
            " the pipeline says otherwise.",
        ),
    ] = None
    port: Annotated[
        int | None,
        Parameter(
            env_var="PYCURRENT_PORT",
            converter=whole_number,
            n_tokens=1,
            group=_OF_SITE,
            validator=validators.Number(gte=0, lte=65535),
            help="The port to listen at: 8080, unless the pipeline says otherwise; 0 for any"
            " that is free.",
        ),
    ] = None
    public_url: Annotated[
        str | None,
        Parameter(
            metavar="URL",
            group=_OF_SITE,
            help="How the site is reached from elsewhere, such as https://ci.example.org.",
        ),
    ] = None
    allow_host: Annotated[
        tuple[str, ...],
        Parameter(
            metavar="NAME",
            negative="",
            group=_OF_SITE,
            help="One more name by which the site is reached; with a port, at this port only.",
        ),
    ] = ()
    trust_proxy: Annotated[
        tuple[str, ...],
        Parameter(
            metavar="ADDRESS",
            negative="",
            group=_OF_SITE,
            help="The address of a proxy on another machine, or a network such as 10.0.0.0/8: what"
            " it says of who asks is believed.",
        ),
    ] = ()
    allow_anonymous: Annotated[
        Literal["viewer", "builder", "monitor", "admin"] | None,
        Parameter(
            metavar="ROLE",
            group=_OF_SITE,
            help="What anybody who reaches the site may do without logging in.",
        ),
    ] = None

    open_badges: Annotated[
        bool,
        Parameter(
            negative="", group=_OF_SITE, help="Let anybody see the badges without logging in."
        ),
    ] = False
    open_metrics: Annotated[
        bool,
        Parameter(
            negative="", group=_OF_SITE, help="Let anybody see the metrics without logging in."
        ),
    ] = False

    @property
    def serves(self) -> bool:
        """Whether there are pages."""
        return not self.once if self.web is None else self.web

    def config(self) -> Config:
        """Raises `UsageError` where the options make no sense together."""
        level = None if self.confirm == "none" else self.confirm
        if self.confirm_auto_release is not None and level is None:
            raise UsageError("--confirm-auto-release needs --confirm LEVEL")
        return Config(
            confirm=level,
            auto_release=self.confirm_auto_release,
            insist=self.confirm is not None,
            jobs=self.jobs,
        )


@dataclass(frozen=True, kw_only=True)
class GraphOptions:
    """How a pipeline is drawn."""

    unfold: Annotated[
        tuple[str, ...],
        Parameter(
            metavar="KEY=VALUE",
            negative="",
            help="Show what is inside a fold; `all` shows it all.",
        ),
    ] = ()
