"""The servers that break the cases of the corpus: web, TLS, ssh, Docker and its registry."""

from __future__ import annotations

import http.server
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent


class _Web(http.server.BaseHTTPRequestHandler):
    """Answers `/503/...` with that status, `/files/...` from the folder `web`, and a few others."""

    protocol_version = "HTTP/1.1"
    folder = Path()

    def do_GET(self) -> None:
        self.close_connection = True
        match self.path.split("/")[1:]:
            case ["v2", *_]:
                self._answer(503, b"out of order\n")
            case [status, *_] if re.fullmatch("[1-5][0-9][0-9]", status):
                self._answer(int(status), b"this is what the server says\n")
            case ["files", *_, status, _] if re.fullmatch("[45][0-9][0-9]", status):
                self._answer(int(status), b"this is what the server says\n")
            case ["files", *names] if (path := self.folder.joinpath(*names)).exists():
                self._answer(200, (path / "index.html" if path.is_dir() else path).read_bytes())
            case ["files", *_]:
                self._answer(404, b"")
            case ["slow", *_]:
                time.sleep(3)
            case ["reset", *_]:
                # No lingering: the close sends a reset.
                self.connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
                self.connection.close()
            case ["nothing", *_]:
                pass
            case ["short", *_]:
                self._answer(200, b"the beginning", length=100_000)
            case _:
                self._answer(200, b"ok\n")

    do_POST = do_PUT = do_HEAD = do_GET  # noqa: N815

    def _answer(self, status: int, body: bytes, length: int | None = None) -> None:
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="demo"')
        self.send_header("Connection", "close")
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that breaks is what the cases are about."""


@contextmanager
def _web(certificate: Path | None = None) -> Iterator[int]:
    """A server, with TLS if there is a certificate. Gives its port."""
    server = _Server(("127.0.0.1", 0), _Web)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _ended(*argv: str | Path, log: Path, env: Mapping[str, str] | None = None) -> Iterator[None]:
    """A program that runs within the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=output, env=env)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(port: int) -> None:
    for _ in range(100):
        with socket.socket() as connection:
            if connection.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"nothing listens on port {port}")


def _free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


class Surroundings:
    """The servers that the cases use, and the environment that names them."""

    def __init__(self, stack: ExitStack, folder: Path, tools: Path | None) -> None:
        self._stack = stack
        self.folder = folder
        self._tools = tools
        self._started: dict[str, bool] = {}
        self._names: list[tuple[str, str]] = []
        home = folder / "home"
        home.mkdir()
        (home / ".gitconfig").write_text("[user]\nname = Demo\nemail = demo@example.org\n")
        path = [str(tools / "node_modules/.bin")] if tools else []
        path += [str(ROOT / ".venv/bin")] * (ROOT / ".venv/bin").exists()
        # The project's own environment comes last: only its linters are wanted.
        self.env = {
            "PATH": ":".join([*path[:-1], os.environ["PATH"], *path[-1:]]),
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
            "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup")),
            "GOTOOLCHAIN": "local",
            "PYTHONDONTWRITEBYTECODE": "1",
            "npm_config_update_notifier": "false",
        }
        self._start_servers()

    def _start_servers(self) -> None:
        certificate = self.folder / "server.pem"
        _quietly(
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=demo"),
            *("-keyout", certificate, "-out", self.folder / "cert.pem", "-days", "2"),
        )
        with certificate.open("a") as file:
            file.write((self.folder / "cert.pem").read_text())
        web = self._stack.enter_context(_web())
        tls = self._stack.enter_context(_web(certificate))
        # It listens and never accepts: with one connection in its queue it is stuck.
        stuck = self._stack.enter_context(socket.socket())
        stuck.bind(("127.0.0.1", 0))
        stuck.listen(0)
        for _ in range(2):
            waiting = self._stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(stuck.getsockname())
        dead = _free_port()
        self._name("packages.example.org", web, "8080")
        self._name("packages.example.org", tls, "8443")
        self._name("packages.example.org", dead, "8081")
        self._name("packages.example.org", stuck.getsockname()[1], "22")
        self.env |= {
            "WEB": f"http://127.0.0.1:{web}",
            "TLS": f"https://127.0.0.1:{tls}",
            "DEAD": f"127.0.0.1:{dead}",
            "DEADPORT": str(dead),
            "STUCKPORT": str(stuck.getsockname()[1]),
        }

    def _name(self, host: str, port: int, instead: str) -> None:
        """Show a port of this machine as one of another host."""
        for mark in (":", " port ", " (", "]:"):
            for own in ("127.0.0.1", "localhost"):
                self._names.append((f"{own}{mark}{port}", f"{host}{mark}{instead}"))
        self._names.append((str(port), instead))

    def has(self, need: str) -> bool:
        """True if there is such a program or server; starts the server."""
        if need not in self._started:
            match need:
                case "sshd":
                    self._started[need] = self._start_sshd()
                case "docker":
                    self._started[need] = self._start_docker()
                case "buildx":
                    self._started[need] = self.has("docker") and self._add_buildx()
                case _:
                    self._started[need] = bool(shutil.which(need, path=self.env["PATH"]))
        return self._started[need]

    def _start_sshd(self) -> bool:
        sshd = shutil.which("sshd")
        if sshd is None:
            return False
        folder = self.folder / "sshd"
        folder.mkdir()
        Path("/run/sshd").mkdir(exist_ok=True)
        for key in ("host", "user"):
            _quietly("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key)
        port = _free_port()
        (folder / "config").write_text(
            f"ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host\nPidFile none\nStrictModes no\n"
            f"AuthorizedKeysFile {folder}/user.pub\nPermitRootLogin yes\nUsePAM no\n"
            "Subsystem sftp internal-sftp\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\n"
        )
        started = _ended(sshd, "-D", "-e", "-f", folder / "config", log=folder / "log")
        self._stack.enter_context(started)
        _wait_for(port)
        self._name("deploy.example.org", port, "22")
        self.env |= {"SSHPORT": str(port), "SSHKEY": str(folder / "user")}
        return True

    def _start_docker(self) -> bool:
        programs = ("dockerd", "docker", "docker-registry", "busybox")
        if not all(map(shutil.which, programs)):
            return False
        folder = self.folder / "docker"
        (folder / "images").mkdir(parents=True)
        address = f"unix://{folder}/docker.sock"
        options = ("--data-root", folder / "data", "--exec-root", folder / "run")
        network = ("--iptables=false", "--bridge=none", "--pidfile", folder / "docker.pid")
        engine = _ended(
            "dockerd", "-H", address, *options, *network, log=folder / "log", env=self.env
        )
        # A mount of the engine that it leaves behind.
        mounted = folder / "run/netns/default"
        unmount = ["umount", "--quiet", str(mounted)]
        self._stack.callback(
            lambda: subprocess.run(unmount, check=False, stderr=subprocess.DEVNULL)
        )
        self._stack.enter_context(engine)
        self.env |= {"DOCKER_HOST": address, "DOCKER_CONFIG": str(folder / "client")}
        for _ in range(100):
            if (folder / "docker.sock").exists():
                break
            time.sleep(0.1)
        port = _free_port()
        (folder / "registry.yml").write_text(
            f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {folder}/images\n"
            f"http:\n  addr: 127.0.0.1:{port}\n"
        )
        registry = _ended(
            "docker-registry", "serve", folder / "registry.yml", log=folder / "registry.log"
        )
        self._stack.enter_context(registry)
        _wait_for(port)
        self._name("registry.example.org", port, "5000")
        self.env["REGISTRY"] = f"127.0.0.1:{port}"
        return self._import_base(folder / "base")

    def _add_buildx(self) -> bool:
        """Install the plugin where the tests of the docker plugin have put it."""
        plugin = Path.home() / ".cache/pycurrent-tests/docker-cli-plugins/docker-buildx"
        if not plugin.exists():
            return False
        plugins = Path(self.env["DOCKER_CONFIG"]) / "cli-plugins"
        plugins.mkdir(parents=True, exist_ok=True)
        shutil.copy(plugin, plugins)
        return True

    def _import_base(self, folder: Path) -> bool:
        """Make the image lab/base:1 of busybox."""
        (folder / "bin").mkdir(parents=True)
        (folder / "tmp").mkdir()
        shutil.copy(shutil.which("busybox") or "", folder / "bin/busybox")
        _quietly("chroot", folder, "/bin/busybox", "--install", "/bin")
        packed = self.folder / "base.tar"
        _quietly("tar", "-C", folder, "-cf", packed, ".")
        change = ("-c", "ENV PATH=/bin")
        _quietly("docker", "import", *change, packed, "lab/base:1", env=self.env)
        return True

    def serve(self, folder: Path) -> None:
        """Have the web servers answer from this folder."""
        _Web.folder = folder

    def neutral(self, text: str) -> str:
        """Return the text without the names of this machine."""
        tools = [(str(self._tools), "/opt/tools")] if self._tools else []
        names = [
            (str(self.folder / "home"), "/home/ci"),
            (str(self.folder), "/srv"),
            *tools,
            (str(ROOT / ".venv"), "/usr/local"),
            *((found, "/usr/local") for found in re.findall(r"/\S*/\.pyenv/versions/[\d.]+", text)),
            *((found, "/usr/local/rust") for found in re.findall(r"/\S*/toolchains/[\w.-]+", text)),
            (str(Path.home()) + "/", "/home/ci/"),
            *self._names,
            ("registry.npmjs.org", "npm.example.org"),
        ]
        for name, instead in names:
            text = text.replace(name, instead)
        return re.sub(rf"\b{re.escape(socket.gethostname())}\b", "builder", text)


def _quietly(*argv: str | Path, env: Mapping[str, str] | None = None) -> None:
    subprocess.run(argv, check=True, env=env, capture_output=True)
