"""The options of the commands on pipelines. `--help` shows these texts."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from msgspec import Struct

from pycurrent.cli.option import DEFAULT_STATE_DIR, SITE, STATE_DIR_HELP, STATE_DIR_VARIABLE, Option
from pycurrent.cli.values import byte_count, duration, folder_or_file, seconds, whole_number
from pycurrent.engine import Config, Level
from pycurrent.engine.level import DAILY, DEFAULT_JOBS, LEASE, SPOOL_MAX_SIZE
from pycurrent.errors import UsageError

if TYPE_CHECKING:
    from pycurrent.store.keep import Keep

T = TypeVar("T")

_LEVELS: Mapping[str, Level] = MappingProxyType({str(level): level for level in Level})
_NONE: Literal["none"] = "none"


def _level(text: str) -> Level:
    """Read the name of a level."""
    return _choice(text, _LEVELS)


def _level_or_none(text: str) -> Level | Literal["none"]:
    """Read the value of `--confirm`: the name of a level, or none."""
    return _choice(text, {**_LEVELS, _NONE: _NONE})


def _choice(text: str, known: Mapping[str, T]) -> T:
    found = known.get(text.strip().lower())
    if found is None:
        raise ValueError(f"{text!r} is not a level. Choose from: {', '.join(known)}.")
    return found


def _duration_or_none(text: str) -> timedelta | Literal["none"]:
    """Read the value of `--gc-every`: a time, or none."""
    if text == _NONE:
        return _NONE
    if not (found := duration(text)):
        raise ValueError(f"{text} is too short: write none for never")
    return found


def _duration(text: str) -> timedelta:
    if not (found := duration(text)):
        raise ValueError(f"{text} is too short")
    return found


class RunOptions(Struct, frozen=True, kw_only=True):
    """The options of `run`."""

    once: Annotated[
        bool,
        Option(
            help="Run until nothing more can happen, and exit with 0 if all is ok, 1 if something"
            " failed, 2 if the options or files are wrong, 3 if something waits for"
            " confirmation, 4 if the machine has run out of something, 5 if what was done can't be"
            " recorded.",
        ),
    ] = False
    confirm: Annotated[
        Level | Literal["none"] | None,
        Option(
            metavar="LEVEL",
            read=_level_or_none,
            help="Make jobs at this level or above it wait for confirmation; none for no jobs. By"
            " default the last level that was given or set holds.",
        ),
    ] = None
    confirm_auto_release: Annotated[
        timedelta | None,
        Option(
            metavar="SECONDS",
            read=seconds,
            help="Stop asking for confirmation after this time.",
        ),
    ] = None
    jobs: Annotated[
        int,
        Option(
            metavar="N",
            at_least=1,
            help="How many jobs may run commands at once; others wait for their turn. Many commands"
            " only wait for other machines, so the default is large.",
        ),
    ] = DEFAULT_JOBS
    rebuild: Annotated[
        tuple[str, ...],
        Option(
            metavar="WHAT",
            help="Make results of earlier runs again, where the pipeline needs them: failed, an"
            " operation, or a pattern for operations, or for an operation and a key, such as"
            " 'test web*'.",
        ),
    ] = ()
    files_max_size: Annotated[
        int | None,
        Option(
            metavar="SIZE",
            read=byte_count,
            help="How much saved files may take, such as 50G: beyond that the oldest go that are"
            " not needed.",
        ),
    ] = None
    gc_every: Annotated[
        timedelta | Literal["none"],
        Option(
            metavar="TIME",
            read=_duration_or_none,
            help="How often to remove what the pipeline's rules of retention, and --files-max-size,"
            " let go: 24h, 7d ...; none leaves that to the command gc.",
        ),
    ] = DAILY
    lease: Annotated[
        timedelta | Literal["none"],
        Option(
            metavar="TIME",
            read=_duration_or_none,
            help="How long the commands of durable jobs go on without an engine when this one is"
            " killed: the next one goes on with them. 10m, 2h ...; none ends them with the engine.",
        ),
    ] = LEASE
    spool_max_size: Annotated[
        int,
        Option(
            metavar="SIZE",
            read=byte_count,
            help="How much the output of a durable command may take that is in no log yet, such as"
            " 4G: then the command waits until an engine has copied some.",
        ),
    ] = SPOOL_MAX_SIZE
    keep_failed: Annotated[
        timedelta | None,
        Option(
            metavar="TIME",
            read=_duration,
            help="How long the checkouts and files of jobs that fail are kept, for `pycurrent"
            " shell`: 30m, 2h ... Otherwise they go with the job.",
        ),
    ] = None
    state_dir: Annotated[
        Path,
        Option(read=folder_or_file, env=STATE_DIR_VARIABLE, help=STATE_DIR_HELP),
    ] = DEFAULT_STATE_DIR
    shared: Annotated[
        bool,
        Option(
            help="Let the group of this user read the new history and logs.",
        ),
    ] = False
    web: Annotated[
        bool | None,
        Option(
            help="Serve the pages and the API. This is the default, except with --once.",
        ),
    ] = None
    host: Annotated[
        str | None,
        Option(
            env="PYCURRENT_HOST",
            group=SITE,
            help="The address to listen on: 127.0.0.1, which only this machine can reach, unless"
            " the pipeline says otherwise.",
        ),
    ] = None
    port: Annotated[
        int | None,
        Option(
            env="PYCURRENT_PORT",
            read=whole_number,
            group=SITE,
            at_least=0,
            at_most=65535,
            help="The port to listen on: 8080, unless the pipeline says otherwise; 0 for any"
            " free one.",
        ),
    ] = None
    public_url: Annotated[
        str | None,
        Option(
            metavar="URL",
            group=SITE,
            help="The address of the site as seen from elsewhere, such as https://ci.example.org.",
        ),
    ] = None
    allow_host: Annotated[
        tuple[str, ...],
        Option(
            metavar="NAME",
            group=SITE,
            help="Another name for the site; with a port, for this port only.",
        ),
    ] = ()
    trust_proxy: Annotated[
        tuple[str, ...],
        Option(
            metavar="ADDRESS",
            group=SITE,
            help="The address of a proxy on another machine, or a network such as 10.0.0.0/8, whose"
            " forwarding headers are trusted.",
        ),
    ] = ()
    allow_anonymous: Annotated[
        Literal["viewer", "builder", "monitor", "admin"] | None,
        Option(
            metavar="ROLE",
            group=SITE,
            help="The role of anybody who has not logged in.",
        ),
    ] = None

    reason_from: Annotated[
        Level | None,
        Option(
            metavar="LEVEL",
            read=_level,
            group=SITE,
            help="Refuse to cancel, approve or rebuild a job at this level, or above it, without a"
            " reason.",
        ),
    ] = None
    open_badges: Annotated[
        bool,
        Option(group=SITE, help="Let anybody see the badges without logging in."),
    ] = False
    open_metrics: Annotated[
        bool,
        Option(group=SITE, help="Let anybody see the metrics without logging in."),
    ] = False
    metrics_stages: Annotated[
        int | None,
        Option(
            metavar="N",
            read=whole_number,
            group=SITE,
            at_least=0,
            at_most=10_000,
            help="Have the metrics name at most so many stages that have failed, and as many that"
            " wait for confirmation.",
        ),
    ] = None

    @property
    def serves(self) -> bool:
        """True if there are pages."""
        return not self.once if self.web is None else self.web

    def config(self, *, keep: "Iterable[Keep]" = ()) -> Config:
        """The settings, with rules of retention. Raises `UsageError` if the options make no sense
        together.
        """
        level = None if self.confirm == "none" else self.confirm
        if self.confirm_auto_release is not None and level is None:
            raise UsageError("--confirm-auto-release needs --confirm LEVEL")
        return Config(
            confirm=level,
            auto_release=self.confirm_auto_release,
            insist=self.confirm is not None,
            jobs=self.jobs,
            rebuild=self.rebuild,
            once=self.once,
            keep=keep,
            files_max_size=self.files_max_size,
            gc_every=None if self.gc_every == "none" else self.gc_every,
            lease=None if self.lease == "none" else self.lease,
            spool_max_size=self.spool_max_size,
            keep_failed=self.keep_failed,
        )


class CheckOptions(Struct, frozen=True, kw_only=True):
    """The options of `check`: none but those of the pipeline."""


class GraphOptions(Struct, frozen=True, kw_only=True):
    """The options of `graph`."""

    unfold: Annotated[
        tuple[str, ...],
        Option(
            metavar="KEY=VALUE",
            help="Show what is inside a fold; `all` shows it all.",
        ),
    ] = ()
