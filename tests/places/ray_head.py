"""A Ray cluster of one node, which tests start and end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from pycurrent.plugins import ray

from ..engine.marks import marked


def _free_port() -> int:
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class RayHead:
    """Its head, which does the work, too. Nothing of it is left after `stop`."""

    def __init__(
        self,
        home: Path,
        *,
        cpus: int = 4,
        serves_clients: bool = False,
        tls: ray.Tls | None = None,
    ) -> None:
        """With `tls` it talks to nobody without a certificate of the same authority."""
        self.home = home
        self.tls = tls
        self.token = uuid.uuid4().hex
        """By which it lets engines in."""
        self.cpus = cpus
        self.port = _free_port()
        self.client_port = _free_port() if serves_clients else None
        # The commands of jobs do not have it: that begins with RAY_ is kept from them.
        self._mark = uuid.uuid4().hex
        # Paths of sockets are short.
        self._folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))

    def cluster(self, **options: Any) -> ray.Cluster:
        """The pool of it."""
        return ray.Cluster(self.address, **{"token": self.token, "tls": self.tls, **options})

    @property
    def address(self) -> str:
        """For drivers on this machine."""
        return (self._folder / "ray_current_cluster").read_text().strip()

    def start(self) -> None:
        """Start it, and wait until it is there."""
        (self._folder / "ray_current_cluster").unlink(missing_ok=True)
        clients = ["--ray-client-server-port", str(self.client_port)] if self.client_port else []
        words = [
            *("start", "--head", "--node-ip-address=127.0.0.1", f"--port={self.port}"),
            *(f"--num-cpus={self.cpus}", "--object-store-memory=100000000", *clients),
            *("--include-dashboard=false", "--include-log-monitor=false"),
            *("--disable-usage-stats", f"--temp-dir={self._folder}", '--resources={"rack": 1}'),
        ]
        environment = {
            **os.environ,
            "HOME": str(self.home),
            "RAY_TEST_MARK": self._mark,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self.token,
            # Commands take their time here as they do elsewhere.
            "RAY_worker_niceness": "0",
        }
        if self.tls is not None:
            environment |= self.tls.environment
        program = Path(sys.executable).with_name("ray")
        subprocess.run([program, *words], env=environment, capture_output=True, check=True)

    def kill(self) -> None:
        """All of it at once, as when the machine loses its power."""
        while processes := marked(self._mark):
            for pid in processes:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)
