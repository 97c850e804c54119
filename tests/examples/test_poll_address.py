from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from pycurrent import Ok
from pycurrent.cli.load import load
from pycurrent.testing import Harness

from .run import EXAMPLES, example


class Server:
    """Serves one text, whose ETag it knows."""

    def __init__(self) -> None:
        self.text = "first"
        self.answers: list[int] = []

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve at the address that the block is given."""
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known = self.headers["If-None-Match"] == f'"{server.text}"'
                server.answers.append(304 if known else 200)
                self.send_response(server.answers[-1])
                self.send_header("ETag", f'"{server.text}"')
                body = b"" if known else server.text.encode()
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_address[1]}/data"
        finally:
            http.shutdown()
            thread.join()
            http.server_close()


async def test_the_copy_follows_what_the_address_serves(tmp_path: Path) -> None:
    """The text is sent once; only when it is another one is the file written again."""
    server, file = Server(), tmp_path / "copy"
    with server.serving() as url:
        pipeline = partial(load(f"{EXAMPLES / 'poll_address.py'}:copy").pipeline, url, file)
        async with Harness(pipeline, state_dir=tmp_path / "state") as h:
            await h.settle()
            assert (h.output, file.read_text()) == (Ok(None), "first")
            await h.advance(timedelta(minutes=10))
            assert (server.answers, len(h.history())) == ([200, 304, 304], 1)
            server.text = "second"
            await h.advance(timedelta(minutes=5))
            assert (server.answers[3:], file.read_text()) == ([200], "second")


def test_an_address_that_does_not_answer_is_named(tmp_path: Path) -> None:
    """As what has failed, with the reason of the system."""
    url = "http://127.0.0.1:1/data"
    done = example("poll_address.py", "--url", url, "--once", "--state-dir", "state", cwd=tmp_path)
    assert done.returncode == 1
    assert f"{url}: [Errno 111] Connection refused" in done.stdout + done.stderr
    assert not (tmp_path / "copy").exists()
