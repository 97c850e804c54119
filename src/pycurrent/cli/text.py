"""Words for a terminal."""

from __future__ import annotations

from pycurrent.cli.output import one_line
from pycurrent.term import BY_CONCERN, Stats
from pycurrent.view import ForConfirmation, ForResume, InQueue, StageView, Wait
from pycurrent.view.formatting import plural


def title(stage: StageView) -> str:
    """The path, and the description of its job: once where that begins with the path."""
    path = one_line(stage.path)
    more = and_others(stage.others)
    description = one_line(stage.description or "")
    if not description:
        return f"{path}{more}"
    return f"{description if description.startswith(path) else f'{path} ({description})'}{more}"


def and_others(others: int) -> str:
    """The words for further stages that the same job has failed."""
    return f" and {plural(others, 'more stage')}" if others else ""


def waits(wait: Wait) -> str:
    """The thing that a job waits for."""
    match wait:
        case ForConfirmation(level):
            return f"for confirmation (its level is {level})"
        case ForResume():
            return one_line(f"until {wait.what} is resumed ({wait.words})")
        case InQueue(pool, None):
            return f"for a resource of pool {one_line(pool)}"
        case InQueue(pool, place):
            return f"for a resource of pool {one_line(pool)} (place {place} in the queue)"


def counts(stats: Stats) -> str:
    """The number of stages in each state, the state of most concern first."""
    parts = [f"{n} {state.word}" for state in BY_CONCERN if (n := stats.of(state))]
    return ", ".join(parts) or "no stages"


def size(count: int) -> str:
    """A number of bytes."""
    if count < 1000:
        return plural(count, "byte")
    amount = float(count)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.5:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1000:.1f} TB"
