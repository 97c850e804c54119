"""A Git server over smart HTTP for tests: `git http-backend` behind a small server of ours."""

import base64
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

USER = "x-access-token"
TOKEN = "s3cr3t-t0k3n/with+odd=characters"

HEADERS = {
    "Content-Type": "CONTENT_TYPE",
    "Content-Encoding": "HTTP_CONTENT_ENCODING",
    "Git-Protocol": "GIT_PROTOCOL",
}


class GitServer:
    """Serves the repositories below a folder on a free port of this machine.

    What tests may set: `token`, that is asked for; `redirect`, which gives the place of a path
    elsewhere; `is_down`, which has it answer nothing but that. What they may look at: `requests`,
    `authorizations`, and `busiest`, how many were served at once.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.token: str | None = None
        self.is_down = False
        self.redirect: Callable[[str], str | None] = lambda path: None
        self.requests: list[str] = []
        self.authorizations: list[str] = []
        self.busiest = 0
        self.stalled = threading.Semaphore(0)
        """Released by each request that begins to wait."""
        self._serving = 0
        self._lock = threading.Lock()
        self._go_on = threading.Event()
        self._go_on.set()
        self._withheld: int | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def url(self, path: str) -> str:
        return f"http://{self.host}/{path}"

    def stall(self) -> None:
        """From here on packs are not sent, but for their first bytes."""
        self._go_on.clear()

    def stall_near_end(self, withheld: int) -> None:
        """From here on so many bytes at the end of a pack are not sent."""
        self._withheld = withheld
        self._go_on.clear()

    def go_on(self) -> None:
        """Send what waits, and all that follows."""
        self._go_on.set()

    @property
    def sends_some(self) -> bool:
        """Whether it sends the beginning of a pack before it waits."""
        return self._withheld is not None

    def beginning(self, content: bytes) -> int:
        """How many bytes of a pack that is."""
        return max(0, len(content) - (self._withheld or 0))

    def wait_here(self) -> None:
        if not self._go_on.is_set():
            self.stalled.release()
            self._go_on.wait()

    def lets_in(self, authorization: str | None) -> bool:
        if authorization is not None:
            self.authorizations.append(authorization)
        if self.token is None:
            return True
        expected = base64.b64encode(f"{USER}:{self.token}".encode()).decode()
        return authorization == f"Basic {expected}"

    @contextmanager
    def serving(self) -> Iterator[None]:
        with self._lock:
            self._serving += 1
            self.busiest = max(self.busiest, self._serving)
        try:
            yield
        finally:
            with self._lock:
                self._serving -= 1

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.go_on()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(server: GitServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def log_message(self, format: str, *args: object) -> None:
            pass

        def _serve(self) -> None:
            server.requests.append(f"{self.command} {self.path}")
            elsewhere = server.redirect(self.path)
            authorization = self.headers.get("Authorization")
            if server.is_down:
                self._answer(503, {})
            elif not server.lets_in(authorization):
                self._answer(401, {"WWW-Authenticate": 'Basic realm="tests"'})
            elif elsewhere is not None:
                self._answer(302, {"Location": elsewhere})
            else:
                with server.serving():
                    rest = self._backend()
                # With this the client may ask for more, so the request no longer counts.
                with suppress(OSError):  # Nobody may wait for it any more.
                    self.wfile.write(rest)

        def _answer(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def _backend(self) -> bytes:
            """Answer, but for the last bytes."""
            body = self._body()
            # What comes before only lists the refs.
            is_fetch = b"command=fetch" in body or b"want " in body
            if is_fetch and not server.sends_some:
                server.wait_here()
            parts = urlsplit(self.path)
            environ = {
                **os.environ,
                "GIT_PROJECT_ROOT": str(server.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": parts.path,
                "QUERY_STRING": parts.query,
                "REQUEST_METHOD": self.command,
                "CONTENT_LENGTH": str(len(body)),
                **{name: self.headers[key] for key, name in HEADERS.items() if key in self.headers},
            }
            done = subprocess.run(
                ["git", "http-backend"], env=environ, input=body, capture_output=True, check=False
            )
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
            status = int(headers.pop("Status", "200").split()[0])
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            first = min(server.beginning(content) if is_fetch else len(content), len(content) - 1)
            with suppress(OSError):
                self.wfile.write(content[:first])
                if is_fetch and server.sends_some:
                    server.wait_here()
            return content[first:]

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            return body

    return Handler
