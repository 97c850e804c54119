"""The files that jobs have saved, in the API: listed, byte for byte, and as archives."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pycurrent.service.login import Role
from pycurrent.web.settings import AccessSettings, WebSettings

from .saved import FILES, job, lose, saved_site
from .sites import RunningSite

API = "/api/v1"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[RunningSite]:
    async with saved_site(tmp_path / "state") as site:
        yield site


@pytest.fixture
async def http(site: RunningSite) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=site.url, timeout=60) as client:
        yield client


async def get(http: httpx.AsyncClient, path: str, **query: Any) -> Any:
    answer = await http.get(f"{API}{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_what_a_job_has_saved_is_listed(site: RunningSite, http: httpx.AsyncClient) -> None:
    """Trees with their patterns and sizes, files with their names; nothing is no error."""
    (tree,) = (await get(http, f"/jobs/{job(site, 'v1')}/files"))["files"]
    assert (tree["number"], tree["kind"], tree["name"]) == (1, "tree", "docs/**")
    assert (tree["count"], tree["size"]) == (len(FILES) + 1, sum(map(len, FILES.values())))
    assert tree["there"]
    (file,) = (await get(http, f"/jobs/{job(site, 'shop')}/files"))["files"]
    assert (file["kind"], file["name"], file["size"]) == ("file", "shop.whl", 600_000)
    assert await get(http, f"/jobs/{job(site, 'q')}/files") == {"files": []}
    missing = await http.get(f"{API}/jobs/2026-01-01/000000-x-000000/files")
    assert missing.status_code == 404


async def test_a_tree_is_listed_by_page(site: RunningSite, http: httpx.AsyncClient) -> None:
    """In the order of the paths, all of it or a folder; by number or digest."""
    place = f"/jobs/{job(site, '300')}/files"
    first = await get(http, f"{place}/1", limit=200)
    rest = await get(http, f"{place}/{first['saved']['digest'][:8]}", skip=first["next"])
    entries = first["entries"] + rest["entries"]
    assert rest["next"] is None
    assert [entry["path"] for entry in entries] == sorted(entry["path"] for entry in entries)
    assert len(entries) == len(FILES) + 302
    guide = (await get(http, f"{place}/1", under="docs/guide"))["entries"]
    assert [entry["path"] for entry in guide] == [
        "docs/guide/notes.txt",
        "docs/guide/start.html",
        "docs/guide/tests",
    ]
    assert guide[0]["digest"] == hashlib.sha256(FILES["docs/guide/notes.txt"]).hexdigest()
    by_path = {entry["path"]: entry for entry in entries}
    assert by_path["docs/latest.txt"]["target"] == "guide/notes.txt"
    assert by_path["docs/empty"]["kind"] == "folder"
    (alone,) = (await get(http, f"/jobs/{job(site, 'shop')}/files/1"))["entries"]
    assert alone["path"] == "shop.whl"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("files/2", 404),
        ("files/0", 422),
        ("files/ABCDEFAB", 422),
        ("files/12345678", 404),
        ("files/1?under=nope", 404),
        ("files/1/docs", 404),
        ("files/1/docs/nope", 404),
        ("files/1/docs/..%2F..%2Fsecret", 404),
        ("files/1?odd=1", 422),
        ("files/1/docs/style.css?odd=1", 422),
        ("archive/2", 404),
        ("archive/1?form=rar", 422),
    ],
)
async def test_what_is_not_there_is_said(
    site: RunningSite, http: httpx.AsyncClient, path: str, status: int
) -> None:
    """As a problem, whatever is wrong."""
    answer = await http.get(f"{API}/jobs/{job(site, 'v1')}/{path}")
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_file_is_sent_byte_for_byte(site: RunningSite, http: httpx.AsyncClient) -> None:
    """With its size and its digest as a tag, also through a link, and of odd names."""
    place = f"{API}/jobs/{job(site, 'v1')}/files/1"
    for path, content in FILES.items():
        answer = await http.get(f"{place}/{path.replace('%', '%25').replace('?', '%3F')}")
        assert answer.content == content, path
        assert answer.headers["etag"] == f'"{hashlib.sha256(content).hexdigest()}"'
        assert answer.headers["content-length"] == str(len(content))
    linked = await http.get(f"{place}/docs/latest.txt")
    assert linked.content == FILES["docs/guide/notes.txt"]
    wheel = await http.get(f"{API}/jobs/{job(site, 'shop')}/files/1/shop.whl")
    assert wheel.content == b"wheel " * 100_000
    again = await http.get(
        f"{place}/docs/style.css", headers={"If-None-Match": answer.headers["etag"]}
    )
    assert again.status_code == 200


async def test_a_file_that_the_client_has_is_not_sent(
    site: RunningSite, http: httpx.AsyncClient
) -> None:
    """By its tag; nor is the body for HEAD."""
    place = f"{API}/jobs/{job(site, 'v1')}/files/1/docs/style.css"
    first = await http.get(place)
    again = await http.get(place, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = await http.head(place)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == first.headers["content-length"]


async def test_a_part_of_a_file(site: RunningSite, http: httpx.AsyncClient) -> None:
    """As `Range` says, if the client has what it was of; one out of the file is refused."""
    place = f"{API}/jobs/{job(site, 'v1')}/files/1/docs/data.bin"
    content = FILES["docs/data.bin"]
    tag = (await http.head(place)).headers["etag"]
    for asked, begin, end in (("5-9", 5, 10), ("5000-", 5000, 5120), ("-3", 5117, 5120)):
        part = await http.get(place, headers={"Range": f"bytes={asked}", "If-Range": tag})
        assert part.status_code == 206
        assert part.content == content[begin:end]
        assert part.headers["content-range"] == f"bytes {begin}-{end - 1}/5120"
    other = await http.get(place, headers={"Range": "bytes=5-9", "If-Range": '"other"'})
    assert (other.status_code, other.content) == (200, content)
    several = await http.get(place, headers={"Range": "bytes=1-2,4-5"})
    assert several.status_code == 200
    outside = await http.get(place, headers={"Range": "bytes=9999-"})
    assert outside.status_code == 416
    assert outside.headers["content-range"] == "bytes */5120"


async def test_files_of_the_api_are_kept_not_shown(
    site: RunningSite, http: httpx.AsyncClient
) -> None:
    """Whatever they are: a browser that comes here saves them."""
    for path in ("docs/index.html", "docs/drawing.svg", "docs/guide/notes.txt"):
        answer = await http.get(f"{API}/jobs/{job(site, 'v1')}/files/1/{path}")
        name = path.rpartition("/")[2]
        assert f'attachment; filename="{name}"' in answer.headers["content-disposition"]
        assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_archives_hold_the_whole_tree(site: RunningSite, http: httpx.AsyncClient) -> None:
    """The same bytes each time, named by what is in them."""
    place = f"{API}/jobs/{job(site, 'v1')}/archive/1"
    answer = await http.get(place)
    assert 'filename="docs-' in answer.headers["content-disposition"]
    assert answer.content == (await http.get(place, params={"form": "tar.gz"})).content
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as packed:
        for path, content in FILES.items():
            member = packed.extractfile(path)
            assert member is not None
            assert member.read() == content
    zipped = await http.get(place, params={"form": "zip"})
    assert zipped.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(zipped.content)) as packed_zip:
        assert packed_zip.read("docs/style.css") == FILES["docs/style.css"]
    alone = await http.get(f"{API}/jobs/{job(site, 'shop')}/archive/1?form=zip")
    assert zipfile.ZipFile(io.BytesIO(alone.content)).namelist() == ["shop.whl"]


@pytest.mark.parametrize("damage", [None, b"h1 { color: red; }\n"])
async def test_lost_files_are_said_to_be(
    site: RunningSite, http: httpx.AsyncClient, damage: bytes | None
) -> None:
    """Missing or damaged, when they are read: with what makes them again. Others are not."""
    lose(site, FILES["docs/style.css"], damage)
    place = f"/jobs/{job(site, 'v1')}"
    gone = await http.get(f"{API}{place}/files/1/docs/style.css")
    assert gone.status_code == 410
    assert "it is made again when a job needs it" in gone.json()["detail"]
    assert (await http.get(f"{API}{place}/files/1/docs/page.js")).status_code == 200
    assert (await http.get(f"{API}{place}/archive/1")).status_code == 410
    assert len((await get(http, f"{place}/files/1"))["entries"]) == len(FILES) + 2


async def test_a_lost_listing_is_said_to_be(site: RunningSite, http: httpx.AsyncClient) -> None:
    """The list of what the job has saved says so, and so does the tree."""
    place = f"/jobs/{job(site, 'v1')}/files"
    digest = (await get(http, place))["files"][0]["digest"]
    path = site.engine.opened.state.files / "objects" / digest[:2] / digest[2:]
    path.unlink()
    (tree,) = (await get(http, place))["files"]
    assert not tree["there"]
    assert (await http.get(f"{API}{place}/1")).status_code == 410


async def test_who_may_read_logs_may_read_files(tmp_path: Path) -> None:
    """And nobody else."""
    monitor = WebSettings(port=0, access=AccessSettings(allow_anonymous=Role.MONITOR))
    async with (
        saved_site(tmp_path / "state", monitor) as site,
        httpx.AsyncClient(base_url=site.url, timeout=60) as http,
    ):
        place = f"{API}/jobs/{job(site, 'v1')}"
        for path in ("log", "files", "files/1", "files/1/docs/style.css", "archive/1"):
            assert (await http.get(f"{place}/{path}")).status_code in {401, 403}, path
