"""`pycurrent run` serves pages and an API."""

import json
import re
import signal
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPResponse
from urllib.error import HTTPError

import pytest

from .commands import FROBS, NAPS, Child, Command, Start, Write

HANGS = (
    NAPS
    + """
    if __name__ == "__main__":
        current.main(pipeline)
"""
)


@dataclass(frozen=True)
class Served:
    """A site, and what lets its owner in."""

    url: str
    token: str

    def open(self, path: str) -> HTTPResponse:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        request = urllib.request.Request(f"{self.url}{path}", headers=headers)
        answer: HTTPResponse = urllib.request.urlopen(request, timeout=20)
        return answer

    def get(self, path: str) -> str:
        with self.open(path) as answer:
            return answer.read().decode()


def served_by(run: Child) -> Served:
    found = re.search(r"serving (http://\S+)/\?token=(\S+)", run.await_line("serving "))
    assert found
    return Served(found[1], found[2])


@contextmanager
def taken_port() -> Iterator[int]:
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.mark.parametrize("arguments", [["-m", "pycurrent", "run", "ci.py"], ["ci.py"]])
def test_a_run_is_served_until_it_ends(
    arguments: list[str], pipeline_file: Write, child: Start
) -> None:
    """To this machine, where it says; a script's own command line does the same."""
    pipeline_file(HANGS)
    run = child(*arguments)
    site = served_by(run)
    assert site.url.startswith("http://127.0.0.1:")
    assert json.loads(site.get("/api/v1/overview"))["counts"]["ok"] == 0
    assert "<h1>ci</h1>" in site.get("/help")
    assert replace(site, token="").get("/healthz") == '{"status":"ok"}'
    with pytest.raises(HTTPError, match="401"):
        replace(site, token="").get("/api/v1/overview")
    run.send(signal.SIGTERM)
    assert run.end().status == 128 + signal.SIGTERM


AUTHORED = """
    from pycurrent.web import WebSettings

    def site() -> WebSettings:
        return WebSettings(name="the shop", port=%d)
"""


@pytest.mark.parametrize("arguments", [["-m", "pycurrent", "run", "ci.py"], ["ci.py"]])
def test_the_author_says_how_the_site_is(
    arguments: list[str], pipeline_file: Write, child: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file's function `site` is asked as a script's is; where it listens, too."""
    monkeypatch.delenv("PYCURRENT_PORT")
    with taken_port() as port:
        pass
    main = HANGS.replace("main(pipeline)", "main(pipeline, site=site)")
    pipeline_file(main.replace("    if __name__", AUTHORED % port + "\n    if __name__"))
    run = child(*arguments)
    site = served_by(run)
    assert site.url == f"http://127.0.0.1:{port}"
    assert re.search("<title>[^<]*the shop</title>", site.get("/"))
    run.send(signal.SIGTERM)
    run.end()


def test_something_else_called_site_is_none(pipeline_file: Write, child: Start) -> None:
    """Only a function that says it returns WebSettings is asked."""
    pipeline_file(NAPS + "\n    def site(name: str) -> str:\n        return name\n")
    run = child("-m", "pycurrent", "run", "ci.py")
    assert served_by(run)
    run.send(signal.SIGTERM)
    run.end()


def test_open_streams_do_not_hold_up_the_end(pipeline_file: Write, child: Start) -> None:
    """They are ended, and their clients come back to the next run."""
    pipeline_file(NAPS)
    run = child("-m", "pycurrent", "run", "ci.py")
    with served_by(run).open("/api/v1/events") as stream:
        assert stream.readline().startswith(b"id: ")
        run.send(signal.SIGINT)
        rest = stream.read()
    ended = run.end()
    assert ended.status == 128 + signal.SIGINT
    assert rest.endswith(b"\n\n")
    # It would be said of those that had to be cut off.
    assert ended.err == ""


def test_a_taken_port_is_said_before_anything_runs(
    pipeline_file: Write, pycurrent: Command
) -> None:
    """With what to do about it."""
    file = pipeline_file(FROBS)
    with taken_port() as port:
        ended = pycurrent("run", "ci.py", "--port", str(port))
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == (
        f"pycurrent: port {port} of 127.0.0.1 is taken: stop what uses it, or take another one"
        " with --port, or serve no pages with --no-web\n"
    )
    assert not (file.parent / ".pycurrent").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "99999"], "--port"),
        (["--port", "x"], "--port"),
        (
            ["--host", "no such host", "--allow-anonymous", "viewer"],
            "--host no such host: the address does not exist",
        ),
        (["--host", "192.0.2.1"], "others could reach the site at 192.0.2.1"),
        (
            ["--host", "192.0.2.1", "--allow-anonymous", "viewer"],
            "is not an address of this machine",
        ),
        (["--public-url", "https://ci.example/x"], "is not the address of a site"),
        (["--public-url", "https://me:pw@ci.example"], "is not the address of a site"),
        (["--public-url", "https://ci.example:x"], "is not the address of a site"),
        (["--public-url", "ci.example"], "is not the address of a site"),
        (["--allow-host", "https://ci.internal"], "is not the name of a host"),
        (["--allow-host", "*.internal"], "is not the name of a host"),
        (["--allow-host", "ci.internal:http"], "is not the name of a host"),
        (["--allow-host", ""], "is not the name of a host"),
        (["--trust-proxy", "proxy.internal"], "is not an address or a network"),
        (["--trust-proxy", "*"], "is not an address or a network"),
        (["--public-url", "https://ci.example"], "nobody could log in"),
        (["--allow-anonymous", "king"], "--allow-anonymous"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    arguments: list[str], said: str, pipeline_file: Write, pycurrent: Command
) -> None:
    """Before anything runs, in one line."""
    file = pipeline_file(FROBS)
    ended = pycurrent("run", "ci.py", *arguments)
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err
    assert ended.err.count("\n") == 1
    assert not (file.parent / ".pycurrent").exists()


def test_a_run_to_the_end_is_not_served(pipeline_file: Write, pycurrent: Command) -> None:
    """Unless somebody wants that."""
    pipeline_file(FROBS)
    with taken_port() as port:
        assert pycurrent("run", "ci.py", "--once", "--port", str(port)).status == 0
    served = pycurrent("run", "ci.py", "--once", "--web", "--port", "0")
    assert (served.status, "serving http://127.0.0.1:" in served.out) == (0, True)


def test_a_run_without_pages(pipeline_file: Write, child: Start) -> None:
    """It takes no port."""
    pipeline_file(NAPS)
    with taken_port() as port:
        run = child("-m", "pycurrent", "run", "ci.py", "--no-web", "--port", str(port))
        run.await_line("running")
        run.send(signal.SIGINT)
        assert "serving" not in run.end().out


def test_the_author_says_who_may_do_what(pipeline_file: Write, child: Start) -> None:
    """By a function of the script, which is asked where there are pages."""
    pipeline_file(
        NAPS
        + """
    def site():
        from pycurrent.web import AccessSettings, Role, WebSettings
        return WebSettings(access=AccessSettings(has_role=lambda user, role: role is Role.MONITOR))

    if __name__ == "__main__":
        current.main(pipeline, site=site)
    """
    )
    stranger = replace(served_by(child("ci.py")), token="")
    assert "pycurrent_stages" in stranger.get("/metrics")
    with pytest.raises(HTTPError, match="401"):
        stranger.get("/api/v1/overview")
