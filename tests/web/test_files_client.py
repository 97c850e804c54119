"""`pycurrent client files`: the files of jobs from a running engine."""

import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from pycurrent.cli.client.status import ClientExit
from pycurrent.store.keep import Part

from ..cli.test_client import Client
from .saved import FILES, job, lose, saved_site
from .sites import RunningSite


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[RunningSite]:
    async with saved_site(tmp_path / "state") as site:
        yield site


@pytest.fixture
def client(site: RunningSite, capfdbinary: pytest.CaptureFixture[bytes]) -> Client:
    return Client(site, capfdbinary)


@pytest.mark.parametrize(
    "asked",
    [
        ["ls"],
        ["ls", "--limit", "1"],
        ["ls", "JOB"],
        ["ls", "WHEEL"],
        ["ls", "QUIET"],
        ["cat", "JOB", "docs/guide/notes.txt"],
        ["cat", "JOB", "docs/a b%2Fc?.txt"],
        ["cat", "WHEEL", "shop.whl"],
    ],
)
async def test_it_says_the_same_as_the_records(
    site: RunningSite, client: Client, asked: list[str]
) -> None:
    """In the same words, with or without an engine."""
    known = {"JOB": job(site, "v1"), "WHEEL": job(site, "shop"), "QUIET": job(site, "q")}
    words = [known.get(word, word) for word in asked]
    online = await client("files", *words)
    state = str(site.engine.opened.state.path)
    offline = await client.of_records("files", *words, "--state-dir", state)
    assert (online.out, online.err) == (offline.out, offline.err)
    assert online.status == offline.status == 0


async def test_get_places_files(site: RunningSite, client: Client, tmp_path: Path) -> None:
    """All of a tree with links and folders, some of it, or a file."""
    told = await client("files", "get", job(site, "v1"), str(tmp_path / "all"))
    assert told.status == 0, told.err
    for path, content in FILES.items():
        assert (tmp_path / "all" / path).read_bytes() == content
    assert (tmp_path / "all" / "docs" / "latest.txt").readlink() == Path("guide/notes.txt")
    assert (tmp_path / "all" / "docs" / "empty").is_dir()
    some = tmp_path / "some"
    assert (await client("files", "get", job(site, "v1"), str(some), "docs/*.css")).status == 0
    assert [path.name for path in (some / "docs").iterdir()] == ["style.css"]
    assert (await client("files", "get", job(site, "shop"), str(some))).status == 0
    assert (some / "shop.whl").stat().st_size == 600_000


async def test_what_is_not_there_is_told(site: RunningSite, client: Client, tmp_path: Path) -> None:
    """As a wrong argument; a lost file as what can't be done now."""
    v1 = job(site, "v1")
    for words, said in (
        (["cat", v1, "nope"], "has saved no file nope"),
        (["get", v1, str(tmp_path / "to"), "*.rpm"], "has saved nothing that matches *.rpm"),
        (["get", job(site, "q"), str(tmp_path / "to")], "has saved no files"),
        (["ls", "nope"], "no recent job has an id"),
    ):
        ended = await client("files", *words)
        assert (ended.status, said in ended.err) == (ClientExit.USAGE, True), ended.err
    lose(site, FILES["docs/style.css"])
    lost = await client("files", "cat", v1, "docs/style.css")
    assert lost.status == ClientExit.REFUSED
    assert "docs/style.css is missing" in lost.err


async def test_its_json_is_that_of_the_api(site: RunningSite, client: Client) -> None:
    """Also for programs: what was saved last, and the pages of a listing."""
    (newest,) = json.loads((await client("--json", "files", "ls", "--limit", "1")).out)["files"]
    assert newest["removed"] is None
    (page,) = json.loads((await client("--json", "files", "ls", job(site, "shop"))).out)["files"]
    assert page["entries"][0]["path"] == "shop.whl"


async def test_removed_files_are_said_to_be(tmp_path: Path) -> None:
    """By the API, the pages and links, with the rule that has let them go."""
    async with saved_site(tmp_path / "state") as site:
        v1 = job(site, "v1")
        remove(site, v1)
        async with httpx.AsyncClient(base_url=site.url, timeout=60) as http:
            listed = (await http.get(f"/api/v1/jobs/{v1}/files")).json()["files"]
            assert "its files were removed on 2026-01-01 by" in listed[0]["removed"]
            for path in (
                f"/api/v1/jobs/{v1}/files/1",
                f"/api/v1/jobs/{v1}/files/1/docs/style.css",
                f"/api/v1/jobs/{v1}/archive/1",
                f"/job/{v1}/files/1",
                "/files/docs%20v1/docs/style.css",
            ):
                answer = await http.get(path)
                assert answer.status_code == 410, path
                assert "has no files any more: its files were removed" in answer.text
            assert "its files were removed on 2026-01-01" in (await http.get(f"/job/{v1}")).text


def remove(site: RunningSite, job_id: str) -> None:
    """Note that retention has removed the files of a job, as its sweep does."""
    with sqlite3.connect(site.engine.opened.state.database) as database:
        database.execute(
            "INSERT INTO removed SELECT seq, ?, ?, ?, 1 FROM job WHERE job_id = ?",
            (
                Part.FILES.value,
                "2026-01-01T00:00:00+00:00",
                "keep(days=1)",
                job_id,
            ),
        )
    database.close()
