"""Mutes many stages at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime

from pycurrent.engine import Asker, Mutes, MuteSubject, OpenEngine
from pycurrent.errors import UsageError
from pycurrent.service.jobs import Done, Refused


async def mute_stages(
    engine: OpenEngine,
    paths: Iterable[str],
    *,
    owner: str | None,
    by: Asker | str | None,
    reason: str | None,
    until: datetime | None,
) -> dict[str, Done | Refused]:
    """Mute the stages with these paths, one after the other: the outcome of each, see
    `Mutes.mute`. Each is on disk before the next one, and others get a turn between.
    """
    outcomes: dict[str, Done | Refused] = {}
    for path in dict.fromkeys(paths):
        await engine.between_steps()
        try:
            subject = MuteSubject.of(path=path)
            engine.service(Mutes).mute(subject, owner=owner, by=by, reason=reason, until=until)
        except UsageError as error:
            outcomes[path] = Refused(str(error))
        else:
            outcomes[path] = Done()
        await asyncio.sleep(0)
    return outcomes
