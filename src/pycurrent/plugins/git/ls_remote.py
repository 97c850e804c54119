"""Asks a remote repository for its refs: without a job, a mirror or a log.

The command runs under a supervisor, like those of jobs, so that nothing of it is left behind by an
engine that is killed. It is ended when nobody waits for it any more, and when it takes too long.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Self

from pycurrent.engine import OpenEngine
from pycurrent.engine.process import Process
from pycurrent.engine.tasks import uncancellable
from pycurrent.engine.tempdirs import temporary_folder
from pycurrent.plugins.git.credentials import RepositoryAccess
from pycurrent.plugins.git.diagnosis import Diagnosis, Fault, diagnose
from pycurrent.plugins.git.environment import GIT, engines_outside_repositories
from pycurrent.term import Failure, FailureKind

PATIENCE = timedelta(minutes=2)
"""How long a server has to list its refs."""

_MOST = 64 << 20
"""Bytes of a list, which is about a million refs."""
_MOST_SAID = 64 << 10
"""Bytes at the end of what git says besides."""
_MOMENT = 1.0
"""Seconds for which a pipe is read that somebody holds open when the command has ended."""
_GRACE = 1.0
"""Seconds that git has to end when it is told to."""
_NOWHERE = Path("/")
"""Outside of all repositories: git must not follow the settings of one that it runs in."""


class LsRemote:
    """One `git ls-remote`. Made for each look."""

    def __init__(self, engine: OpenEngine, access: RepositoryAccess) -> None:
        self._engine = engine
        self._access = access
        self._secrets: list[str] = []

    async def said(self, options: Sequence[str]) -> bytes:
        """Return the refs, as git lists them. Raises Failure, which names the repository."""
        address = self._access.home
        async with self._access.settings(self, address) as settings:
            argv = [*GIT, "ls-remote", *options, "--", str(address)]
            try:
                async with asyncio.timeout(None) as limit:
                    timer = self._engine.clock.call_later(PATIENCE, lambda: limit.reschedule(0))
                    try:
                        status, listed, said = await self._run(argv, settings.env)
                    finally:
                        timer.cancel()
            except TimeoutError:
                why = f"{address}: the server does not answer within {PATIENCE.seconds} seconds"
                raise Failure(why, kind=FailureKind.INFRA) from None
        if len(listed) > _MOST:
            raise Failure(f"{address}: its list of refs is longer than {_MOST >> 20} MiB")
        if status:
            raise self._failure(status, said.decode(errors="replace"))
        return listed

    # As for a job

    def tempdir(self, prefix: str = "") -> AbstractAsyncContextManager[Path]:
        host = self._engine.host
        return temporary_folder(host.tmp, prefix, host.trash)

    def secret(self, value: str) -> str:
        self._secrets.append(value)
        return value

    def _failure(self, status: int, said: str) -> Failure:
        for secret in self._secrets:
            said = said.replace(secret, "****")
        silent = Diagnosis(Fault.OTHER, f"git exited with status {status}, without a message")
        why = diagnose(said, local_is_infra=True) or silent
        return Failure(f"{self._access.home}: {why.text}", kind=why.failure_kind)

    async def _run(self, argv: Sequence[str], env: Mapping[str, str]) -> tuple[int, bytes, bytes]:
        """Run it to its end; gives its status, its output, and the end of what it says besides."""
        async with _Output.piped() as output, _Output.piped(last=_MOST_SAID) as said:
            process = await self._start(argv, env, output, said)
            try:
                status = await process.wait()
            except asyncio.CancelledError:
                process.cancel()
                await uncancellable(process.wait())
                raise
            await asyncio.wait([output.ended, said.ended], timeout=_MOMENT)
            return status, bytes(output.data), bytes(said.data)

    async def _start(
        self, argv: Sequence[str], env: Mapping[str, str], output: _Output, said: _Output
    ) -> Process:
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            return await self._engine.processes.start(
                argv,
                cwd=_NOWHERE,
                env=engines_outside_repositories(env),
                stdin=nothing,
                stdout=output.writer,
                stderr=said.writer,
                grace=_GRACE,
            )
        finally:
            os.close(nothing)
            output.close_writer()
            said.close_writer()


class _Output(asyncio.Protocol):
    """Takes what a command writes to a pipe: at most `_MOST` bytes, or the `last` ones."""

    def __init__(self, writer: int, last: int | None) -> None:
        self.writer = writer
        self.data = bytearray()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._last = last
        self._transport: asyncio.BaseTransport | None = None
        self._has_writer = True

    @classmethod
    @asynccontextmanager
    async def piped(cls, *, last: int | None = None) -> AsyncIterator[Self]:
        """Make a pipe for the block, and read it."""
        reader, writer = os.pipe()
        output = cls(writer, last)
        try:
            with os.fdopen(reader, "rb", buffering=0) as file:
                loop = asyncio.get_running_loop()
                transport, _ = await loop.connect_read_pipe(lambda: output, file)
                try:
                    yield output
                finally:
                    transport.close()
                    await output.ended
        finally:
            output.close_writer()

    def close_writer(self) -> None:
        """The command has it. Twice does nothing more."""
        if self._has_writer:
            self._has_writer = False
            os.close(self.writer)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        if self._last is not None:
            del self.data[: -self._last]
        elif len(self.data) > _MOST and self._transport is not None:
            # The command ends when it writes more.
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
