"""The error that an engine can't go on after: a bug, in it or in what it calls between jobs."""

from __future__ import annotations

import asyncio

from pycurrent.errors import PycurrentError


class Crash:
    """The error that has stopped one engine, as soon as there is one. Made in its event loop."""

    def __init__(self) -> None:
        self._error: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def has_come(self) -> bool:
        return self._error.done()

    def with_error(self, error: BaseException) -> None:
        """Stop the engine with an error. The first one counts.

        An error that is not an `Exception` is wrapped: raised as it is, it would end its listeners.
        """
        if not self._error.done():
            if not isinstance(error, Exception) or isinstance(error, StopIteration):
                cause, error = error, PycurrentError(f"the engine can't go on: {error!r}")
                error.__cause__ = cause
            self._error.set_exception(error)

    async def failed(self) -> None:
        """Wait until the engine can't go on, and raise why."""
        await asyncio.shield(self._error)

    def raise_if_any(self) -> None:
        """Raise what stopped the engine, if anything did."""
        if self._error.done() and not self._error.cancelled():
            error = self._error.exception()
            if error is not None:
                raise error

    def close(self) -> None:
        """The engine has ended: nothing crashes any more. Twice is fine."""
        if self._error.done():
            # Marked as seen: `failed` has raised it for those who waited.
            if not self._error.cancelled():
                self._error.exception()
        else:
            self._error.cancel()
