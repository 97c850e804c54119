"""Why git could not fetch, from what it has printed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from pycurrent.plugins.git.progress import is_progress


class Kind(Enum):
    """What is to be done about it."""

    LOCKED = "a git command that was killed has left a lock"
    DISTURBED = "somebody has collected garbage meanwhile"
    DAMAGED = "our copy is damaged"
    SHA256 = "the repository has other hashes than we have thought"
    NO_REF = "the repository has no such ref"
    NO_COMMIT = "the server does not give the commit by its hash"
    OTHER = "nothing that we could do"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why, in a line."""

    kind: Kind
    text: str


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.VERBOSE)


# The first that is found anywhere says it best: what comes later is said of many failures.
_CAUSES = [
    (
        _pattern(r"no\ space\ left\ on\ device | disk\ quota\ exceeded"),
        Kind.OTHER,
        "no space is left on the disk",
    ),
    (
        _pattern(r"unable\ to\ create\ '(.*\.lock)':\ file\ exists"),
        Kind.LOCKED,
        "{0} is in the way",
    ),
    (
        _pattern(r"(objects/\S*tmp_\w+)'?.*:?\ no\ such\ file\ or\ directory"),
        Kind.DISTURBED,
        "somebody has removed {0}, which was being fetched",
    ),
    (
        _pattern(r"could\ not\ resolve\ host(?:name)?:?\ ([^\s:]+) | unable\ to\ look\ up\ (\S+)"),
        Kind.OTHER,
        "no such host: {0}",
    ),
    (
        _pattern(r"failed\ to\ connect\ to\ (\S+)\ port\ (\d+).*couldn't\ connect\ to\ server"),
        Kind.OTHER,
        "nothing answers at {0}:{1} (connection refused)",
    ),
    (
        _pattern(r"connect\ to\ host\ (\S+)\ port\ (\d+):\ (.*)"),
        Kind.OTHER,
        "nothing answers at {0}:{1} ({2})",
    ),
    (_pattern(r"connection\ refused"), Kind.OTHER, "nothing answers there (connection refused)"),
    (
        _pattern(r"remote\ host\ identification\ has\ changed"),
        Kind.OTHER,
        "the host has another key than the one that is known: was it replaced, or is it "
        "somebody else's?",
    ),
    (
        _pattern(r"host\ key\ verification\ failed"),
        Kind.OTHER,
        "the key of the host is not known: add it to known_hosts once you have checked it",
    ),
    (
        _pattern(r"could\ not\ read\ (?:username|password)\ for"),
        Kind.OTHER,
        "the server asks for credentials, and there are none for it: give a token",
    ),
    (
        _pattern(r"authentication\ failed\ for | returned\ error:\ 40[13]"),
        Kind.OTHER,
        "the server refuses the credentials (authentication failed)",
    ),
    (
        _pattern(r"permission\ denied\ \(.*\)"),
        Kind.OTHER,
        "the server refuses the ssh key (authentication failed)",
    ),
    (
        _pattern(
            r"repository\ '?.*'?\ not\ found | does\ not\ appear\ to\ be\ a\ git\ repository"
            r" | repository\ not\ exported | returned\ error:\ 404"
        ),
        Kind.OTHER,
        "there is no such repository, or it is hidden from you",
    ),
    (
        _pattern(r"ssl\ certificate\ problem:\ (.*) | (server\ certificate\ verification.*)"),
        Kind.OTHER,
        "the certificate of the host is not valid ({0})",
    ),
    (
        _pattern(r"transport\ '(\w+)'\ not\ allowed | protocol\ \"?(\w+)\"?\ (?:not|disabled)"),
        Kind.OTHER,
        "it leads elsewhere by {0}, which is not allowed",
    ),
    (
        _pattern(r"not\ our\ ref | unadvertised\ object"),
        Kind.NO_COMMIT,
        "the server does not give the commit",
    ),
    (
        _pattern(r"mismatched\ algorithms"),
        Kind.SHA256,
        "its hashes are of another kind than those of our copy",
    ),
    (_pattern(r"couldn't\ find\ remote\ ref\ (\S+)"), Kind.NO_REF, "it has no ref {0}"),
]

_DAMAGE = _pattern(
    r"""
    not\ a\ git\ repository | \bcorrupt(?:ed)?\b | \bbad\ object\b | invalid\ object
    | unable\ to\ read\ (?!askpass) | missing\ (?:blob|tree|commit|object)
    | packfile\ .*\ (?:truncated|cannot\ be|does\ not\ match|too\ small|index)
    | index\ file\ .*too\ small | object\ file\ .*\ is\ empty | \binflate: | unresolved\ deltas?\b
    | did\ not\ send\ all\ necessary\ objects | pack\ has\ (?:\d+\ )?(?:bad|unresolved)
    | bad\ config | garbage\ at\ end | could\ not\ read\ [0-9a-f]{40} | bad\ tree
    | does\ not\ point\ to\ a\ valid\ object | bad\ (?:signature|shallow)
    | unexpected\ line\ in | unable\ to\ resolve\ reference | cannot\ (?:open|read)\ .*\.pack
    """
)
_CUT_OFF = _pattern(
    r"unexpected\ disconnect | early\ eof | hung\ up | connection\ (?:reset|timed\ out|closed)"
    r" | broken\ pipe | transfer\ closed | too\ slow | timed\ out | empty\ reply"
)
# Said by the server, or of the line to it.
_THEIRS = re.compile(r"remote:|(?:fatal: )?remote error|Corrupted MAC")
_PREFIX = re.compile(r"(?:fatal|error|ssh): *")


def cause(said: str) -> Cause | None:
    """What the output of git says of the failure. None: it says nothing."""
    for pattern, kind, text in _CAUSES:
        if found := pattern.search(said):
            groups = [group.strip() for group in found.groups() if group is not None]
            return Cause(kind, text.format(*groups))
    lines = [line.strip() for line in re.split(r"[\r\n]+", said) if line.strip()]
    lines = [line for line in lines if not is_progress(line)]
    # What the server says of itself is nothing about our copy.
    ours = [line for line in lines if not _THEIRS.match(line)]
    if damage := next(filter(_DAMAGE.search, ours), None):
        return Cause(Kind.DAMAGED, f"the copy is damaged ({_PREFIX.sub('', damage)})")
    if any(map(_CUT_OFF.search, lines)):
        return Cause(Kind.OTHER, "the connection broke off")
    errors = [line for line in lines if _PREFIX.match(line)] or lines[-1:]
    return Cause(Kind.OTHER, _PREFIX.sub("", errors[-1])) if errors else None
