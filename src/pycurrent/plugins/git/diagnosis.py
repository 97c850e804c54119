"""Why git failed, read from its output.

Only lines that git and ssh print themselves count, not those of a server or a banner. Names of
files, refs and repositories are cut out of the lines first, because they may contain any words,
even those of another diagnosis.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from pycurrent.plugins.git.progress import is_progress
from pycurrent.plugins.git.said import NAME, GitLine, lines_of
from pycurrent.term import FailureKind


class Fault(Enum):
    """The faults that call for different treatment."""

    LOCKED = "a git command that was killed has left a lock"
    DISTURBED = "somebody has collected garbage meanwhile"
    DAMAGED = "our mirror is damaged"
    SHA256 = "the repository has hashes of another kind than expected"
    NO_REF = "the repository does not have the ref"
    NO_COMMIT = "the server does not give the commit by its hash"
    OTHER = "any other fault: we can't do anything about it"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The reason in one line; `is_infra` if it is not the work's fault, but the network's, say."""

    fault: Fault
    text: str
    is_infra: bool = False

    @property
    def failure_kind(self) -> FailureKind:
        return FailureKind.INFRA if self.is_infra else FailureKind.REAL


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text.replace("NAME", NAME), re.IGNORECASE | re.VERBOSE)


# The first match says it best: later ones come with many failures.
_DIAGNOSES = [
    (
        _pattern(r"no\ space\ left\ on\ device | disk\ quota\ exceeded"),
        Fault.OTHER,
        "no space is left on the disk",
    ),
    (
        _pattern(r"unable\ to\ create\ (NAME):\ file\ exists"),
        Fault.LOCKED,
        "{0} is in the way",
    ),
    (
        _pattern(r"(NAME).*:?\ no\ such\ file\ or\ directory | no\ such\ file\ .*\ (NAME)"),
        Fault.DISTURBED,
        "somebody has removed {0}, which was being fetched",
    ),
    (
        _pattern(r"could\ not\ resolve\ host(?:name)?:?\ ([^\s:]+) | unable\ to\ look\ up\ (\S+)"),
        Fault.OTHER,
        "no such host: {0}",
    ),
    (
        _pattern(r"failed\ to\ connect\ to\ (\S+)\ port\ (\d+).*couldn't\ connect\ to\ server"),
        Fault.OTHER,
        "nothing answers at {0}:{1} (connection refused)",
    ),
    (
        _pattern(r"connect\ to\ host\ (\S+)\ port\ (\d+):\ (.*)"),
        Fault.OTHER,
        "nothing answers at {0}:{1} ({2})",
    ),
    (_pattern(r"connection\ refused"), Fault.OTHER, "nothing answers there (connection refused)"),
    (
        _pattern(r"remote\ host\ identification\ has\ changed"),
        Fault.OTHER,
        "the host has another key than the one that is known: was it replaced, or is it "
        "somebody else's?",
    ),
    (
        _pattern(r"host\ key\ verification\ failed"),
        Fault.OTHER,
        "the key of the host is not known: add it to known_hosts once you have checked it",
    ),
    (
        _pattern(r"could\ not\ read\ (?:username|password)\ for"),
        Fault.OTHER,
        "the server asks for credentials, and there are none for it: give a token",
    ),
    (
        _pattern(r"authentication\ failed\ for | returned\ error:\ 40[13]"),
        Fault.OTHER,
        "the server refuses the credentials (authentication failed)",
    ),
    (
        _pattern(r"permission\ denied\ \(.*\)"),
        Fault.OTHER,
        "the server refuses the ssh key (authentication failed)",
    ),
    (
        _pattern(
            r"repository\ (?:NAME\ )?(?:not\ found | does\ not\ exist)"
            r" | does\ not\ appear\ to\ be\ a\ git\ repository"
            r" | repository\ not\ exported | returned\ error:\ 404"
        ),
        Fault.OTHER,
        "there is no such repository, or it is hidden from you",
    ),
    (
        _pattern(r"ssl\ certificate\ problem:\ (.*) | (server\ certificate\ verification.*)"),
        Fault.OTHER,
        "the certificate of the host is not valid ({0})",
    ),
    (
        _pattern(r"transport\ (NAME)\ not\ allowed | protocol\ (NAME|\w+)\ (?:not|disabled)"),
        Fault.OTHER,
        "it leads elsewhere by {0}, which is not allowed",
    ),
    (
        _pattern(r"not\ our\ ref | unadvertised\ object"),
        Fault.NO_COMMIT,
        "the server does not give the commit",
    ),
    (
        _pattern(r"mismatched\ algorithms"),
        Fault.SHA256,
        "its hashes are of another kind than those of our mirror",
    ),
    (
        _pattern(r"detected\ dubious\ ownership\ in\ repository\ at\ (NAME)"),
        Fault.OTHER,
        "{0} belongs to another user: if you trust it, "
        "git config --global --add safe.directory {0}",
    ),
    (
        _pattern(r"^(?!fatal|error).*:\ (?:line\ )?\d+:\ (\S+):\ (?:command\ )?not\ found$"),
        Fault.OTHER,
        "there is no {0} here, which your git settings run as a filter: install it",
    ),
    (
        _pattern(r"(?:external\ )?filter\ (NAME)\ failed | cannot\ run\ (\S+):\ no\ such\ file"),
        Fault.OTHER,
        "{0}, which your git settings run, has failed",
    ),
    (
        _pattern(r"returned\ error:\ (5\d\d|429)"),
        Fault.OTHER,
        "the server is out of order (HTTP status {0})",
    ),
    (_pattern(r"couldn't\ find\ remote\ ref\ (NAME|\S+)"), Fault.NO_REF, "it has no ref {0}"),
]

_DAMAGE = _pattern(
    r"""
    not\ a\ git\ repository | \bcorrupt(?:ed)?\b | \bbad\ object\b | invalid\ object
    | unable\ to\ read\ (?!askpass) | missing\ (?:blob|tree|commit|object)
    | packfile\ .*\ (?:truncated|cannot\ be|does\ not\ match|too\ small|index)
    | index\ file\ .*too\ small | object\ file\ .*\ is\ empty | \binflate: | unresolved\ deltas?\b
    | did\ not\ send\ all\ necessary\ objects | pack\ has\ (?:\d+\ )?(?:bad|unresolved)
    | bad\ config\ .*NAME | garbage\ at\ end | could\ not\ read\ [0-9a-f]{40} | bad\ tree
    | does\ not\ point\ to\ a\ valid\ object | bad\ (?:signature|shallow)
    | unexpected\ line\ in | unable\ to\ resolve\ reference | cannot\ (?:open|read)\ .*\.pack
    """
)
_CUT_OFF = _pattern(
    r"unexpected\ disconnect | early\ eof | hung\ up | connection\ (?:reset|timed\ out|closed)"
    r" | broken\ pipe | transfer\ closed | too\ slow | timed\ out | empty\ reply"
)
_INFRA = frozenset({Fault.LOCKED, Fault.DISTURBED, Fault.DAMAGED})
_NETWORK = _pattern(
    r"no\ space\ left | disk\ quota | resolve\ host | look\ up | connect\ to | refused$"
    r" | returned\ error:\ (?:5\d\d|429)"
    r" | ssl\ certificate\ problem | certificate\ verification | \b(?:gnutls|tls|ssl)_"
)
# A service that should listen on the machine itself is the work's.
_LOCAL = _pattern(r"(?:\blocalhost\b | \b127\.0\.0\.1\b | ::1).*(?:connect|refused)")
_TEMPORARY = re.compile(r"objects/\S*tmp_\w+")
# Consequences of another failure, which git has printed before.
_CONSEQUENCE = _pattern(
    r"could\ not\ read\ from\ remote | invalid\ index-pack\ output | index-pack\ failed"
    r" | expected\ flush | failed\ to\ clone | clone\ of | could\ not\ fetch"
)


def diagnose(
    said: str, ours: Path | None = None, *, local_is_infra: bool = False
) -> Diagnosis | None:
    """Read the reason of a failure from git's output; None if it says nothing.

    `ours` is the folder of the mirror that git worked in: faults elsewhere don't damage it. With
    `local_is_infra` a server on this machine does not belong to the work, either.
    """
    lines = lines_of(said)
    if known := _known(lines, local_is_infra=local_is_infra):
        return known
    own = [line for line in lines if not line.is_theirs]
    if damage := next((line for line in own if _is_damage(line, ours)), None):
        return Diagnosis(Fault.DAMAGED, f"the mirror is damaged ({damage.message})", is_infra=True)
    if any(_CUT_OFF.search(line.blanked) for line in lines):
        return Diagnosis(Fault.OTHER, "the connection broke off", is_infra=True)
    telling = [line for line in own if not _CONSEQUENCE.search(line.blanked)] or own
    if telling:
        return Diagnosis(Fault.OTHER, telling[-1].message)
    told = (line.strip() for line in re.split(r"[\r\n]+", said))
    last = [line for line in told if line and not is_progress(line)]
    return Diagnosis(Fault.OTHER, last[-1]) if last else None


def _known(lines: list[GitLine], *, local_is_infra: bool) -> Diagnosis | None:
    for pattern, kind, text in _DIAGNOSES:
        for line in lines:
            if not (found := pattern.search(line.blanked)):
                continue
            groups = [line.restored(group.strip()) for group in found.groups() if group is not None]
            if kind is Fault.LOCKED and not groups[0].endswith(".lock"):
                continue
            if kind is Fault.DISTURBED:
                if not (temporary := _TEMPORARY.search(groups[0])):
                    continue
                groups = [temporary[0]]
            is_infra = kind in _INFRA or _is_network(line.blanked, local_is_infra)
            return Diagnosis(kind, text.format(*groups), is_infra)
    return None


def _is_network(said: str, local_is_infra: bool) -> bool:
    is_local = not local_is_infra and _LOCAL.search(said) is not None
    return _NETWORK.search(said) is not None and not is_local


def _is_damage(line: GitLine, ours: Path | None) -> bool:
    if not _DAMAGE.search(line.blanked):
        return False
    paths = [Path(name) for name in line.names if name.startswith("/")]
    return ours is None or not paths or any(path.is_relative_to(ours) for path in paths)
