"""A site whose jobs save files: a site of documents, single files, and some that mean harm."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pycurrent as current
from pycurrent import Current, File, Job, Level, Tree
from pycurrent.web.settings import WebSettings

from .sites import ANY_PORT, RunningSite, running_site

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c02"
    "0000000b4944415478da6364f80f00010501012718e3660000000049454e44ae426082"
)
NASTY = "<script>alert(1)</script>"

FILES: dict[str, bytes] = {
    "docs/index.html": b"""<!doctype html><meta charset="utf-8"><title>Docs</title>
<link rel="stylesheet" href="style.css"><h1>Docs</h1><p>The manual.</p>
<p><a href="guide/start.html">Start here</a></p>
<img id="dot" src="img/dot.png" alt="a dot"><script src="page.js"></script>\n""",
    "docs/style.css": b"h1 { color: rgb(0, 128, 0); }\n",
    "docs/page.js": b"document.title = 'Docs, with a script';\n",
    "docs/img/dot.png": PNG,
    "docs/guide/start.html": b"<!doctype html><h1>Start</h1>\n",
    "docs/guide/notes.txt": f"first line\n{NASTY}\n\x1b[31mred\x1b[0m\n".encode(),
    "docs/drawing.svg": b"""<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">
<script>document.documentElement.dataset.ran = "yes"</script><rect width="9" height="9"/></svg>""",
    "docs/data.bin": bytes(range(256)) * 20,
    "docs/a b%2Fc?.txt": b"odd name\n",
    "docs/guide/tests": b"no page of tests\n",
}


@current.builder("docs", level=Level.HARMLESS)
async def docs(job: Job, key: str) -> Tree:
    """Saves the files, and as many pages as the key says."""
    async with job.tempdir() as folder:
        for path, content in FILES.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        (folder / "docs" / "empty").mkdir()
        (folder / "docs" / "latest.txt").symlink_to("guide/notes.txt")
        for number in range(int(key) if key.isdecimal() else 0):
            (folder / "docs" / f"page-{number:04}.txt").write_text(f"{number}\n")
        return await job.save(folder, "docs/**")


@current.builder("wheel", level=Level.HARMLESS)
async def wheel(job: Job, key: str) -> File:
    """Saves one file."""
    async with job.tempdir() as folder:
        (folder / f"{key}.whl").write_bytes(b"wheel " * 100_000)
        return await job.save_file(folder / f"{key}.whl")


@current.builder("quiet", level=Level.HARMLESS)
async def quiet(job: Job, key: str) -> str:
    """Saves nothing."""
    return key


def pipeline() -> Current[object]:
    with current.labels(repo="shop", branch="main"):
        named = current.all({"docs": docs("v1"), "wheel": wheel("shop"), "quiet": quiet("q")})
    return current.all([named, docs("300")])


def job(site: RunningSite, key: str) -> str:
    (found,) = site.engine.history(key=key)
    return found.job_id


@asynccontextmanager
async def saved_site(
    state_dir: Path, settings: WebSettings = ANY_PORT
) -> AsyncIterator[RunningSite]:
    """The site, once all files are saved."""
    async with running_site(pipeline, state_dir, settings=settings) as site:
        await site.engine.settled()
        yield site


def lose(site: RunningSite, content: bytes, damage: bytes | None = None) -> None:
    """Remove a content from the store, or have it hold something else."""
    for path in (site.engine.opened.state.files / "objects").rglob("*/*"):
        if path.read_bytes() == content:
            path.unlink()
            if damage is not None:
                path.write_bytes(damage)
            return
    raise AssertionError("no such content")
