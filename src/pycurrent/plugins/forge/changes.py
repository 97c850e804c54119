"""The changes on a forge, in words for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from pycurrent.engine.changes import ChangeText
from pycurrent.plugins.forge.values import Change, Ref, Repository

T = TypeVar("T")

_FEW = 3
"""How many changes the line names."""
_MOST = 20
"""How many are named in all."""


def repository_changes(
    name: str, old: Sequence[Repository], new: Sequence[Repository]
) -> ChangeText:
    """Tell which repositories have come, changed and gone."""
    before, now = ({one.path: one for one in repositories} for repositories in (old, new))
    return _told(name, before, now, lambda _: "is new", lambda *_: "has changed")


def ref_changes(name: str, old: Sequence[Ref], new: Sequence[Ref]) -> ChangeText:
    """Tell which refs have come, moved and gone."""
    before, now = ({one.key: one for one in refs} for refs in (old, new))
    return _told(name, before, now, _came, _moved)


def _came(ref: Ref) -> str:
    return f"by {ref.author}: {ref.title}" if isinstance(ref, Change) else "is new"


def _moved(old: Ref, new: Ref) -> str:
    return f"{old.hash[:7]} → {new.hash[:7]}" if old.hash != new.hash else "has changed"


def _told(
    name: str,
    before: Mapping[str, T],
    now: Mapping[str, T],
    came: Callable[[T], str],
    moved: Callable[[T, T], str],
) -> ChangeText:
    told: list[str] = []
    for key, one in now.items():
        if key not in before:
            told.append(f"{key} {came(one)}")
        elif before[key] != one:
            told.append(f"{key} {moved(before[key], one)}")
    told += [f"{key} is gone" for key in before if key not in now]
    more = f" and {len(told) - _FEW:,} more" if len(told) > _FEW else ""
    return ChangeText(f"{name}: {', '.join(told[:_FEW])}{more}", None, tuple(told[:_MOST]))
