"""The folders that a command keeps between its runs: the option `cache` of `run` and `output`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from pycurrent.engine import Cache, Job
from pycurrent.errors import UsageError, WrongKind
from pycurrent.term import Current, shown


def taken_caches(given: Cache | Sequence[Cache] | None) -> tuple[Cache, ...]:
    """Return the caches that an author gives, one or several. Raises UsageError for others."""
    if given is None:
        return ()
    taken = (given,) if isinstance(given, Cache) else given
    if isinstance(taken, str | Current) or not isinstance(taken, Sequence):
        raise WrongKind(
            f'cache= takes a Cache, or a list of them, not {shown(given)}: Cache("pip")'
        )
    for one in taken:
        if not isinstance(one, Cache):
            raise WrongKind(f'cache= takes a Cache, not {shown(one)}: Cache("pip")')
        _ = one.variable
    return tuple(taken)


def with_keys(caches: Sequence[Cache], keys: Sequence[str]) -> tuple[Cache, ...]:
    """Return the caches with the values of those keys that are currents, in their order."""
    values = iter(keys)
    return tuple(
        replace(one, key=next(values)) if isinstance(one.key, Current) else one for one in caches
    )


def check_caches(caches: Sequence[Cache], taken: Collection[str]) -> None:
    """Raise UsageError if a variable has a value by other ways, those that are `taken`, or if two
    caches are one folder.
    """
    variables, folders = set(taken), set[tuple[str, object]]()
    for one in caches:
        if one.variable in variables:
            raise UsageError(
                f"cache {one.name!r} sets {one.variable}, which env=, secrets= or another cache"
                " sets, too: drop one of them"
            )
        if (one.name, one.key) in folders:
            raise UsageError(f"cache {one.name!r} is given twice with one key: drop one of them")
        variables.add(one.variable)
        folders.add((one.name, one.key))


@asynccontextmanager
async def kept_folders(job: Job, caches: Sequence[Cache]) -> AsyncIterator[dict[str, Path]]:
    """Hold the folders for the block, which gets them by their variables.

    All jobs take them in one order, so none waits for another in a circle.
    """
    async with AsyncExitStack() as held:
        kept = {}
        for one in sorted(caches, key=lambda cache: (cache.name, str(cache.key))):
            kept[one.variable] = await held.enter_async_context(job.cache_folder(one))
        yield kept
