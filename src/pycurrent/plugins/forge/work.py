"""The work that a delivery asks for, as it is noted with it: commands of a comment, or a button.

There is one way for both: noted on disk before the delivery is answered, done in the order in which
deliveries came, one at a time, over kills.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec

from pycurrent.engine.deliveries import DueWork
from pycurrent.plugins.forge.commands import CommandWork, obey_commands
from pycurrent.plugins.forge.links import ForgeLink
from pycurrent.plugins.forge.values import Delivery, Press

if TYPE_CHECKING:
    from pycurrent.facade import Engine

Work: TypeAlias = CommandWork | Press


def asked_by(delivery: Delivery) -> str | None:
    """The work that a delivery asks for, as text; None if it asks for none."""
    work: Work | None = delivery.press or CommandWork.of(delivery.commands)
    return None if work is None else msgspec.json.encode(work).decode()


def noted(text: str) -> Work:
    """The work that was noted as this text. Raises `msgspec.ValidationError` for another text."""
    try:
        return msgspec.json.decode(text, type=CommandWork | Press)
    except msgspec.ValidationError:
        # Earlier versions, which knew only commands, have noted no kind.
        return msgspec.json.decode(text, type=CommandWork)


async def obey(link: ForgeLink, engine: Engine, due: DueWork) -> None:
    """Do the work of a delivery. Raises `Failure`: of kind INFRA, it is to be called again."""
    match noted(due.text):
        case CommandWork() as work:
            await obey_commands(link, engine, due, work)
        case Press() as press:
            if link.api.buttons is not None:
                await link.api.buttons.obey(press, link, engine)
