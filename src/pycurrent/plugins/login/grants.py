"""The roles that people have by what they are at the other site."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pycurrent.errors import UsageError, WrongKind
from pycurrent.service.login import Role
from pycurrent.term import shown

ANYBODY = "anybody"
"""Everybody whom the other site lets in."""

_ORDER = (Role.ADMIN, Role.BUILDER, Role.VIEWER, Role.MONITOR)


class Grants:
    """Says which role somebody has who is all these things: `user:ann`, `team:octo/deployers`.

    Names count without regard to case, as forges take them.
    """

    def __init__(self, roles: Mapping[str, Role], kinds: Iterable[str]) -> None:
        """Raises UsageError unless each key is `anybody`, or one of the kinds and a name."""
        self._roles: dict[str, Role] = {}
        wanted = ", ".join(f"{kind}:NAME" for kind in kinds)
        if not isinstance(roles, Mapping) or not roles:
            raise WrongKind(
                f"roles= takes a dict of roles, not {shown(roles)}: its keys are {wanted} or"
                f" {ANYBODY}, its values roles such as Role.BUILDER"
            )
        for who, role in roles.items():
            kind, colon, name = who.partition(":") if isinstance(who, str) else ("", "", "")
            if who != ANYBODY and not (kind in kinds and colon and name):
                raise UsageError(f"roles= has the key {who!r}: expected {wanted} or {ANYBODY}")
            if not isinstance(role, Role):
                raise WrongKind(f"roles= gives {who!r} {shown(role)}: expected Role.BUILDER, say")
            self._roles[who.casefold()] = role

    def names(self, kind: str) -> bool:
        """True if any key is of this kind, so that it has to be asked for."""
        return any(who.startswith(f"{kind}:") for who in self._roles)

    def role_of(self, parts: Iterable[str]) -> Role | None:
        """The highest role of somebody who is all of these; None if they have none."""
        own = {ANYBODY, *(part.casefold() for part in parts)}
        had = {role for who, role in self._roles.items() if who in own}
        return next((role for role in _ORDER if role in had), None)
