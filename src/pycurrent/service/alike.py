"""Stages that have failed alike."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from pycurrent.view import StageView

_LONGEST_MESSAGE = 500
"""Characters that are looked at: a view is drawn some times a second."""


def alike(failed: Iterable[StageView]) -> list[list[StageView]]:
    """Group stages by the operations of their jobs, and by their messages but for numbers, paths
    and the like: see `explain/fingerprints.py`.
    """
    groups: dict[tuple[str | None, str], list[StageView]] = {}
    for stage in failed:
        op = None if stage.job is None else stage.job.op
        message = "" if stage.failure is None else stage.failure.message[:_LONGEST_MESSAGE]
        groups.setdefault((op, _fingerprint(message)), []).append(stage)
    return list(groups.values())


@lru_cache(maxsize=1000)
def _fingerprint(message: str) -> str:
    from pycurrent.explain.fingerprints import fingerprint  # few runs have many failures

    return fingerprint(message).digest
