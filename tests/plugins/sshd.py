"""A real OpenSSH server for tests, with throwaway keys, on a free port of this machine.

`Sshd` is started and stopped by whoever makes it; what runs over it ends with it. The package
is installed where it is missing and root can; otherwise `MissingPart` says why not.
"""

import getpass
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from ..debian import have, path_of

__all__ = ["HOST", "Sshd", "find_sshd", "free_port", "new_key"]

HOST = "127.0.0.1"

CONFIG = """\
ListenAddress {host}:{port}
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 100
LogLevel VERBOSE
Subsystem sftp internal-sftp
"""


class Sshd:
    """An OpenSSH server on 127.0.0.1 that lets in the user who runs the tests.

    `environment` is what commands find in theirs, and `options` are more lines of sshd_config.
    """

    def __init__(
        self,
        folder: Path,
        *,
        environment: Mapping[str, str] = MappingProxyType({}),
        options: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.host = HOST
        self.port = free_port()
        self.user = getpass.getuser()
        self.log = folder / "sshd.log"
        self._environment = dict(environment)
        self._options = list(options)
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "authorized_keys").touch(mode=0o600)
        new_key(folder / "host_key")

    @property
    def host_key(self) -> str:
        """The server's public key: its type and the key itself."""
        return _public(self.folder / "host_key")

    @property
    def known_hosts_line(self) -> str:
        """What `known_hosts` has to hold for the server to be known."""
        return f"[{self.host}]:{self.port} {self.host_key}\n"

    def authorize(self, key: Path, *options: str) -> None:
        """Let in who has this private key; options are those of authorized_keys(5)."""
        line = " ".join(filter(None, [",".join(options), _public(key)]))
        with (self.folder / "authorized_keys").open("a") as file:
            file.write(f"{line}\n")

    def change_host_key(self) -> None:
        """Be another host at the same address. The server must not be running."""
        assert self._process is None, "stop the server first"
        for name in ("host_key", "host_key.pub"):
            (self.folder / name).unlink()
        new_key(self.folder / "host_key")

    def start(self) -> None:
        """Returns when it answers. A server that was stopped comes back at the same port."""
        program = find_sshd()
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        config = self.folder / "sshd_config"
        config.write_text(self._config())
        self._process = subprocess.Popen(
            [program, "-D", "-f", config, "-E", self.log],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while not self._answers():
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, "the server does not come up"
            time.sleep(0.02)

    def stop(self) -> None:
        """End it, with all that was started over it. Twice does nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        self._kill_sessions(process.pid)
        process.kill()
        process.wait()

    def drop_connections(self) -> None:
        """Break off what is connected, as a host does that crashes; new ones may come."""
        assert self._process is not None, "start the server first"
        self._kill_sessions(self._process.pid)

    def _kill_sessions(self, server: int) -> None:
        # The server's own are its children; what they started is below them.
        for pid in list(_descendants(server)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _config(self) -> str:
        lines = [CONFIG.format(host=self.host, port=self.port, folder=self.folder)]
        # One line sets them all: of two of this keyword the second is ignored.
        pairs = [f'"{name}={value}"' for name, value in self._environment.items()]
        lines += [f"SetEnv {' '.join(pairs)}\n"] if pairs else []
        return "".join([*lines, *(f"{option}\n" for option in self._options)])

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=5) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False


def new_key(path: Path) -> Path:
    """Make a key without a passphrase; the public one is beside it, with `.pub`."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "tests", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def find_sshd() -> str:
    """The path of the server (it wants to be called by that). Raises MissingPart."""
    have({"sshd": "openssh-server"})
    found = path_of("sshd")
    assert found is not None
    return found


def _public(key: Path) -> str:
    return " ".join(Path(f"{key}.pub").read_text().split()[:2])


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _descendants(pid: int) -> Iterator[int]:
    """The processes below this one, those that are deepest first."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return
    for child in map(int, children):
        yield from _descendants(child)
        yield child
