"""Trust: whether the code that work runs is that of the pipeline's own people.

It is a part of the identity of a result: untrusted work neither takes results from trusted work,
or from that of another source, nor gives it any.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from msgspec import Struct

from pycurrent.term.output import Failure

_HASH = r"[0-9a-f]{40}([0-9a-f]{24})?"


class Trusted(Struct, frozen=True):
    """The work may be trusted: its code is that of people who may change the repository."""


class Untrusted(Struct, frozen=True):
    """The work runs the code of a stranger, such as a pull request from a fork.

    `source` names whose it is: the repository of the fork, for one, such as `github.com/octo/web`.
    Work from one source shares its results, and nobody else has them. `commit` is the whole hash.

    With `approval` False it does not wait until people have approved the commit. With `sandbox`
    False its commands run without a sandbox where the author does not ask for one.
    """

    source: str
    commit: str
    approval: bool = True
    sandbox: bool = True

    def __str__(self) -> str:
        return f"untrusted commit {self.commit[:12]} of {self.source}"


Trust: TypeAlias = Trusted | Untrusted

TRUSTED = Trusted()


def is_commit(text: str) -> bool:
    """True for the whole hash of a commit."""
    return re.fullmatch(_HASH, text) is not None


def trust_of_all(*given: object) -> Trust:
    """The trust of what is built in several blocks, the outermost first: what is untrusted in one
    of them stays so. Raises `Failure` if they are of two commits, or for what tells of none.
    """
    found: Trust = TRUSTED
    for one in map(_checked, given):
        if found not in (TRUSTED, one) and one != TRUSTED:
            raise Failure(f"{one} can't be used within {found}: build them side by side")
        found = found if one == TRUSTED else one
    return found


def _checked(trust: object) -> Trust:
    match trust:
        case Trusted():
            return TRUSTED
        case Untrusted(source=source, commit=commit):
            if not (isinstance(source, str) and source and source.isprintable()):
                raise Failure(
                    f"Untrusted: source={source!r} does not name one: write the repository of the"
                    " fork, such as 'github.com/octo/web'"
                )
            if not (isinstance(commit, str) and is_commit(commit)):
                raise Failure(
                    f"Untrusted: commit={commit!r} is not the whole hash of a commit: it has 40 or"
                    " 64 hexadecimal digits"
                )
            return trust
        case _:
            raise Failure(f"untrusted() takes Trusted() or Untrusted(...), not {trust!r}")
