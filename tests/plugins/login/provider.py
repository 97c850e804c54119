"""An OpenID provider that strangers wrote: oauth2-mock-server, in a process of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from ...node import require_packages

FOLDER = Path(__file__).parent / "npm"


class Provider:
    """It is served on a free port of this machine."""

    def __init__(self) -> None:
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        require_packages(FOLDER)
        node = shutil.which("node")
        assert node is not None
        self._process = subprocess.Popen(
            [node, "provider.mjs"],
            cwd=FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self._line()

    def tell(self, **said: Any) -> Any:
        """Change how it answers: see `provider.mjs`. Returns what it was asked so far."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(said) + "\n")
        self._process.stdin.flush()
        return json.loads(self._line())

    def forget(self) -> None:
        """It answers as at first."""
        self.tell(forget=True)

    def stop(self) -> None:
        """Twice is fine."""
        if self._process is not None:
            process, self._process = self._process, None
            process.communicate()

    def _line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()
