"""A Docker engine of the tests' own: never the system's, and any number side by side."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

START = 20.0
"""Seconds in which an engine has to come up."""


class DockerEngine:
    """An engine that keeps to a folder, with a network bridge of its own, without iptables.

    With `newer`, the folder of the programs of a newer engine, it is that one, and it stores images
    as containerd does, which is the default of engines from version 29 on. `stop` leaves nothing of
    it, also after `kill`. Both may be called twice.
    """

    def __init__(self, folder: Path, plugins: Path, newer: Path | None = None) -> None:
        self.folder = folder
        self.is_newer = newer is not None
        path = os.environ["PATH"]
        self._path = path if newer is None else f"{newer}:{path}"
        settings = {} if newer is None else {"features": {"containerd-snapshotter": True}}
        (folder / "daemon.json").write_text(json.dumps(settings))
        self.host = f"unix://{folder / 'docker.sock'}"
        self.config = folder / "cli"
        self.config.mkdir(parents=True)
        (self.config / "cli-plugins").symlink_to(plugins)
        self.log = folder / "log"
        self._bridge = f"pc{os.getpid() % 100_000}{folder.name[-4:]}"
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, again after `kill`, and wait until it answers."""
        self._make_bridge()
        deadline = time.monotonic() + START
        while time.monotonic() < deadline:
            self._daemon = self._launch()
            while self._daemon.poll() is None and time.monotonic() < deadline:
                if self._answers():
                    return
                time.sleep(0.02)
            # After a kill, its old containerd may be in the way of the new one for a while.
        raise TimeoutError(f"the engine does not come up:\n{self.log.read_text()[-2000:]}")

    def docker(self, *words: str, stdin: bytes = b"") -> str:
        """What a command prints. Raises AssertionError with its reason if it fails."""
        done = subprocess.run(
            ["docker", "--host", self.host, *words],
            env={**os.environ, "DOCKER_CONFIG": str(self.config)},
            input=stdin,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def containers(self) -> list[str]:
        """The names of all, running or not."""
        return self.docker("ps", "--all", "--format", "{{.Names}}").split()

    def images(self) -> list[str]:
        return self.docker("images", "--all", "--quiet", "--no-trunc").split()

    def build(self, dockerfile: str, *options: str, context: Path | None = None) -> str:
        """The id of an image, built as our own builds are."""
        told = self.folder / "metadata.json"
        words = ["--load", "--provenance=false", f"--metadata-file={told}", *options]
        words += ["-"] if context is None else ["--file=-", str(context)]
        self.docker("buildx", "build", *words, stdin=dockerfile.encode())
        id: str = json.loads(told.read_text())["containerimage.digest"]
        return id

    def add_base(self, name: str) -> None:
        """An image of nothing but a shell and the usual tools."""
        root = self.folder / "base"
        (root / "bin").mkdir(parents=True)
        busybox = shutil.which("busybox")
        assert busybox is not None
        assert b"/ld-" not in Path(busybox).read_bytes(), (
            "a busybox that needs libraries: install busybox-static"
        )
        shutil.copy(busybox, root / "bin/busybox")
        for applet in subprocess.check_output([busybox, "--list"], text=True).split():
            if applet != "busybox":
                (root / "bin" / applet).symlink_to("busybox")
        tar = subprocess.check_output(["tar", "-C", root, "-c", "."])
        self.docker(
            *("import", "--change=ENV PATH=/bin", '--change=CMD ["/bin/sh"]', "-", name), stdin=tar
        )

    def processes(self, argument: str) -> list[int]:
        """Those in containers of this engine with this argument."""
        return [
            pid
            for pid in self._contained()
            if argument.encode() in _read(Path(f"/proc/{pid}/cmdline")).split(b"\0")
        ]

    def kill(self) -> None:
        """As a crash: what it has started goes on without it."""
        if self._daemon is not None and self._daemon.poll() is None:
            self._daemon.kill()
            self._daemon.wait()
        # A next one would take what these name to be alive, and wait for it.
        (self.folder / "docker.pid").unlink(missing_ok=True)
        (self.folder / "run/containerd/containerd.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        if self._daemon is not None and self._daemon.poll() is None:
            self._daemon.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._daemon.wait(timeout=15)
        self.kill()
        for pid in (*self._guards(), *self._contained()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._unmount()
        _ip("link", "del", self._bridge)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _launch(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [
                    *(self._program("dockerd"), "--host", self.host),
                    *("--config-file", self.folder / "daemon.json"),
                    *("--data-root", self.folder / "data", "--exec-root", self.folder / "run"),
                    *("--pidfile", self.folder / "docker.pid", "--bridge", self._bridge),
                    *("--iptables=false", "--ip6tables=false", "--ip-forward=false"),
                    *("--ip-masq=false", "--userland-proxy=false", "--shutdown-timeout=2"),
                ],
                env={**os.environ, "PATH": self._path},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _program(self, name: str) -> str:
        found = shutil.which(name, path=self._path)
        assert found is not None, name
        return found

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1)
                connection.connect(str(self.folder / "docker.sock"))
                connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                return b"200 OK" in connection.recv(100)
        except OSError:
            return False

    def _make_bridge(self) -> None:
        if not Path("/sys/class/net", self._bridge).exists():
            number = os.getpid() % 250 + 1
            third = int.from_bytes(self.folder.name.encode()) % 250
            _ip("link", "add", self._bridge, "type", "bridge")
            _ip("addr", "add", f"10.{number}.{third}.1/24", "dev", self._bridge)
            _ip("link", "set", self._bridge, "up")

    def _guards(self) -> list[int]:
        """The processes that watch over containers: they have our folder among their arguments."""
        ours = str(self.folder / "run").encode()
        return [
            pid
            for pid in _processes()
            if pid != os.getpid() and ours in _read(Path(f"/proc/{pid}/cmdline"))
        ]

    def _contained(self) -> list[int]:
        """The processes in containers: those whose root is in our folder."""
        data = str(self.folder / "data").encode()
        return [pid for pid in _processes() if data in _root(pid)]

    def _unmount(self) -> None:
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for mount in reversed(mounts):
            if Path(mount).is_relative_to(self.folder):
                subprocess.run(["umount", "--lazy", mount], capture_output=True, check=False)


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _root(pid: int) -> bytes:
    """What is mounted as the root of a process. The other mounts may be copies of anybody's."""
    lines = _read(Path(f"/proc/{pid}/mountinfo")).splitlines()
    return next((line for line in reversed(lines) if line.split()[4] == b"/"), b"")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], capture_output=True, check=False)
