"""An OpenID provider that strangers wrote: oauth2-mock-server, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

from ...node import require_packages

FOLDER = Path(__file__).parent / "npm"


class Provider:
    """It is served on a free port of this machine."""

    def __init__(self) -> None:
        self.url = ""
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        require_packages(FOLDER)
        node = shutil.which("node")
        assert node is not None
        self._process = await asyncio.create_subprocess_exec(
            node,
            "provider.mjs",
            cwd=FOLDER,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self.url = await self._line()

    async def tell(self, **said: Any) -> Any:
        """Change how it answers: see `provider.mjs`. Returns what it was asked so far."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(said).encode() + b"\n")
        await self._process.stdin.drain()
        return json.loads(await self._line())

    async def stop(self) -> None:
        """Twice is fine."""
        if self._process is not None:
            process, self._process = self._process, None
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()

    async def _line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), 30)
        return line.decode().strip()
