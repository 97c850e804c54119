"""Tells of a change of a ref: of the commits that it has got, and of those that it has lost."""

from __future__ import annotations

from pathlib import Path

from pycurrent.engine.changes import ChangeText
from pycurrent.plugins.git.repository import MOST_COUNTED, Between, Repository

_MOST = 20
"""How many commits are told, with their authors and subjects."""


def change_told(
    repository: Path, name: str, old: str, new: str, *, rewritten: str
) -> ChangeText | None:
    """Tell the commits that lead from one commit to another. Blocks for some milliseconds.

    `rewritten` says that the old one does not lead to the new one. None if that can't be told, as
    the repository does not have both.
    """
    between = Repository.at(repository).between(old, new, most=_MOST)
    if between is None or not (between.commits or between.dropped):
        return None
    return ChangeText(
        f"{name}: {old[:7]} → {new[:7]}, {_told(between, rewritten)}",
        ", ".join(dict.fromkeys(commit.author for commit in between.commits)) or None,
        tuple(_parts(between)),
    )


def _told(between: Between, rewritten: str) -> str:
    dropped = _count(between.dropped)
    if not between.commits:
        return f"{dropped} back"
    more = f" and {_more(between, 1)}" if between.added > 1 else ""
    added = f"{between.commits[0].subject}{more}"
    return f"{rewritten} without {dropped}: {added}" if between.dropped else added


def _parts(between: Between) -> list[str]:
    told = [f"{one.hash[:10]} {one.author}: {one.subject}" for one in between.commits]
    is_all = between.added <= len(told)
    return told if is_all else [*told, f"and {_more(between, len(told))}"]


def _more(between: Between, told: int) -> str:
    is_counted = between.added < MOST_COUNTED
    return f"{between.added - told:,} more" if is_counted else "many more"


def _count(commits: int) -> str:
    if commits >= MOST_COUNTED:
        return f"{MOST_COUNTED:,} commits or more"
    return f"{commits:,} commit" if commits == 1 else f"{commits:,} commits"
