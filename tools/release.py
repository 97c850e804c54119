"""Builds a release, tries it out, and says how to publish it. It never publishes anything.

`make release`, or `python -m tools.release`:

1. checks that version, changelog, tag and work tree agree,
2. builds a wheel and a source distribution into `dist/`, and looks for the front-end in both,
3. installs the wheel into a fresh environment of each Python that `.ci/pythons` finds, and the
   source distribution into one of the first, with no npm to be found,
4. there asks for the version, runs a pipeline, and loads the site's page with all its assets,
5. prints the commands that publish the release.

The exit status is 0 if all of that holds. A problem with the versions is reported at the end, so a
rehearsal before the changelog is written still tries everything else.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

from pycurrent.web.pages.sources import ENTRIES, STAMP

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
STATIC = "pycurrent/web/static"
NEEDED = (
    *(f"{STATIC}/bundle/{entry}" for entry in ENTRIES),
    f"{STATIC}/{STAMP}",
    f"{STATIC}/vendor/dagre.LICENSE.txt",
    "pycurrent/web/templates/base.html",
    "pycurrent/py.typed",
)
"""Files that an archive must carry, below `src/` or at its top."""

PIPELINE = '''\
import pycurrent as current
from pycurrent import Job, Level, builder


@builder("greet", level=Level.HARMLESS)
async def greet(job: Job, name: str) -> str:
    """Greet somebody."""
    return await job.check_output(["echo", f"hello {name}"])


def pipeline() -> current.Current[str]:
    return greet("Ada")
'''
_ADDRESS = re.compile(r"serving (http://\S+)")
_ASSET = re.compile(r'(?:href|src)="(/static/[^"]+)"')
_SECONDS = 30.0
_STOPPED = 128 + signal.SIGTERM


class Broken(Exception):
    """The release does not work; the message says how."""


@dataclass(frozen=True)
class Candidate:
    """Everything that has to agree before a release."""

    version: str
    changelog: str
    head: str
    tagged: str | None
    """The commit with the tag of this version; None if there is no such tag."""
    is_clean: bool

    @classmethod
    def of(cls, root: Path) -> Candidate:
        """The present state of a repository."""
        project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
        version = project["version"]
        tag = ["rev-parse", "--verify", "--quiet", f"v{version}^{{commit}}"]
        return cls(
            version=version,
            changelog=(root / "CHANGELOG.md").read_text(),
            head=_output(*_git(root, "rev-parse", "HEAD")),
            tagged=_output(*_git(root, *tag), check=False) or None,
            is_clean=not _output(*_git(root, "status", "--porcelain")),
        )

    def problems(self) -> list[str]:
        """The reasons not to release, each with what to do."""
        return [*self._of_changelog(), *self._of_repository()]

    def _of_changelog(self) -> Iterator[str]:
        sections = re.split(r"^## ", self.changelog, flags=re.MULTILINE)[1:]
        titles = [section.partition("\n")[0] for section in sections]
        dated = re.compile(rf"\[{re.escape(self.version)}\] - \d{{4}}-\d\d-\d\d")
        unreleased = next((it for it in sections if it.startswith("[Unreleased]")), "")
        if not any(map(dated.fullmatch, titles)):
            yield f"CHANGELOG.md has no section '## [{self.version}] - YYYY-MM-DD': write it"
        if re.search(r"^- ", unreleased, re.MULTILINE):
            yield f"CHANGELOG.md has unreleased changes: move them to the section {self.version}"
        first = next((it for it in titles if it != "[Unreleased]"), None)
        if first is not None and not dated.fullmatch(first):
            yield f"the first version in CHANGELOG.md is {first}, not {self.version}"

    def _of_repository(self) -> Iterator[str]:
        if not self.is_clean:
            yield "the work tree has changes: commit them"
        if self.tagged not in {None, self.head}:
            yield f"the tag v{self.version} is at another commit: raise the version"


def _git(root: Path, *arguments: str) -> list[str]:
    return ["git", "-C", str(root), *arguments]


def _output(*command: str, check: bool = True) -> str:
    done = subprocess.run(command, check=check, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def build(root: Path, dist: Path) -> list[Path]:
    """A wheel and a source distribution in an empty folder."""
    for old in dist.glob("*"):
        old.unlink()
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", dist], cwd=root, check=True)
    archives = sorted(dist.iterdir())
    for archive in archives:
        missing = missing_files(archive)
        if missing:
            raise Broken(f"{archive.name} lacks {', '.join(missing)}")
    return archives


def missing_files(archive: Path) -> list[str]:
    """The needed files that an archive does not carry."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            names = set(wheel.namelist())
    else:
        with tarfile.open(archive) as source:
            # "pycurrent-0.1.0/src/pycurrent/...".
            names = {name.partition("/src/")[2] for name in source.getnames()}
    return sorted(set(NEEDED) - names)


def install(python: str, archive: Path, folder: Path) -> Path:
    """The programs of a fresh environment with an archive in it.

    There is no npm on the PATH: an archive has to bring the front-end along.
    """
    subprocess.run([python, "-m", "venv", folder], check=True)
    programs = folder / "bin"
    options = ["--quiet", "--disable-pip-version-check", "-c", str(ROOT / "requirements.lock")]
    subprocess.run(
        [programs / "python", "-m", "pip", "install", *options, archive],
        check=True,
        env={**os.environ, "PATH": str(programs)},
    )
    return programs


def try_out(program: Path, version: str, folder: Path) -> None:
    """Run the command as a user would. Raises `Broken` if it does not do as it should."""
    (folder / "ci.py").write_text(PIPELINE)
    _expect([program, "--version"], folder, f"pycurrent {version}")
    _expect([program, "run", "ci.py", "--once", "--state-dir", "once"], folder, "ok: 1 ok")
    _expect([program, "history", "--state-dir", "once"], folder, "greet")
    with (folder / "run.txt").open("w") as printed:
        engine = subprocess.Popen(
            [program, "run", "ci.py", "--port", "0", "--state-dir", "site"],
            cwd=folder,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
    try:
        load_site(_address(folder / "run.txt", engine))
    finally:
        engine.terminate()
        status = engine.wait(_SECONDS)
    if status != _STOPPED:
        raise Broken(f"a stopped engine exits with {status}, not {_STOPPED}")


def _expect(command: Sequence[str | Path], folder: Path, text: str) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        check=False,
        timeout=_SECONDS,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0 or text not in done.stdout:
        said = f"exited with {done.returncode}, and printed:\n{done.stdout}"
        raise Broken(f"{' '.join(map(str, command[1:]))} does not print {text!r}: it {said}")


def _address(printed: Path, engine: subprocess.Popen[bytes]) -> str:
    end = time.monotonic() + _SECONDS
    while engine.poll() is None and time.monotonic() < end:
        found = _ADDRESS.search(printed.read_text())
        if found is not None:
            return found[1]
        time.sleep(0.1)
    raise Broken(f"the engine does not serve its site; it printed:\n{printed.read_text()}")


def load_site(address: str) -> int:
    """Load the page at an address, as a browser does, and all its assets; how many there are."""
    opener = build_opener(HTTPCookieProcessor(CookieJar()))
    place = urlsplit(address)
    page = _load(opener, address).decode()
    assets = sorted(set(_ASSET.findall(page)))
    if not any("/bundle/" in asset for asset in assets):
        raise Broken("the page names none of the joined scripts and styles")
    for asset in assets:
        if not _load(opener, f"{place.scheme}://{place.netloc}{asset}"):
            raise Broken(f"{asset} is empty")
    return len(assets)


def _load(opener: OpenerDirector, address: str) -> bytes:
    with opener.open(address, timeout=_SECONDS) as answer:
        content: bytes = answer.read()
    return content


def pythons(root: Path) -> list[tuple[str, str]]:
    """The versions and paths of the Pythons on this machine."""
    lines = _output(str(root / ".ci" / "pythons")).splitlines()
    return [(version, path) for version, _, path in (line.partition(" ") for line in lines)]


def try_all(archives: Sequence[Path], version: str) -> None:
    """Install and try out the wheel on each Python, and the source distribution on the first."""
    wheel, source = (
        next(it for it in archives if it.name.endswith(end)) for end in (".whl", ".tar.gz")
    )
    found = pythons(ROOT)
    for archive, (name, python) in [*((wheel, it) for it in found), (source, found[0])]:
        print(f"Python {name}: {archive.name}", flush=True)
        with tempfile.TemporaryDirectory(prefix="pycurrent-release-") as folder:
            programs = install(python, archive, Path(folder, "env"))
            try_out(programs / "pycurrent", version, Path(folder))


def how_to_publish(candidate: Candidate, archives: Sequence[Path]) -> str:
    """The digests of the archives, and the commands that a person has to run."""
    tag = f"v{candidate.version}"
    lines = [
        "Ready to publish:",
        *(f"  {hashlib.sha256(it.read_bytes()).hexdigest()}  {it.name}" for it in archives),
        "",
    ]
    if candidate.tagged is None:
        lines.append(f"  git tag --annotate {tag} --message 'pycurrent {candidate.version}'")
    lines += [f"  git push origin {tag}", "  twine upload dist/*"]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.release", description=__doc__)
    parser.parse_args(arguments)
    candidate = Candidate.of(ROOT)
    try:
        archives = build(ROOT, DIST)
        try_all(archives, candidate.version)
    except Broken as broken:
        print(broken, file=sys.stderr)
        return 1
    problems = candidate.problems()
    if problems:
        print("The archives work. Not ready to publish:", *problems, sep="\n  ", file=sys.stderr)
        return 1
    print(how_to_publish(candidate, archives))
    return 0


if __name__ == "__main__":
    sys.exit(main())
