"""What the tests need of the system: an engine, a registry, the plugins of `docker`.

Where it is missing, root gets it from the system's own packages. Nothing of it is started here,
and nothing is taken from elsewhere.
"""

import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ...debian import FOLDER, PACKAGES, MissingPart, apt, install, one_at_a_time, release, run

PROGRAMS = {
    "docker": "docker.io",
    "dockerd": "docker.io",
    "docker-registry": "docker-registry",
    "htpasswd": "apache2-utils",
    "busybox": PACKAGES["busybox"],
    "ip": "iproute2",
    "iptables": "iptables",
}
PLUGINS = {"docker-buildx": "docker-buildx", "docker-compose": "docker-compose"}
PLUGIN_FOLDERS = [
    Path(folder, "docker/cli-plugins")
    for folder in ("/usr/libexec", "/usr/lib", "/usr/local/libexec", "/usr/local/lib")
]
NEWER = 24
"""The first version of an engine that can store images as containerd does."""
# What runs containers is that of this system: it needs more of the C library than engines do.
NEWER_PACKAGES = ["containerd", "docker.io"]
# Debian 12 has no plugins; those of the next release run there, too.
NEXT_RELEASE = {"bookworm": "trixie"}


def find_parts() -> Path:
    """Have all there is to have; gives a folder with the plugins. Raises MissingPart."""
    if platform.system() != "Linux" or os.geteuid() != 0:
        raise MissingPart("an engine for tests is started by root on Linux only")
    with one_at_a_time():
        install(PROGRAMS)
        return _plugins()


def find_newer_engine() -> Path | None:
    """The folder with the programs of an engine that can store images as containerd does.

    None if that is the one of this system. Raises MissingPart.
    """
    with one_at_a_time():
        install(PROGRAMS)
        if _major("dockerd") >= NEWER:
            return None
        folder = FOLDER / "docker-newer"
        if not (folder / "dockerd").exists():
            _download(NEWER_PACKAGES, folder, ["usr/sbin/dockerd", "usr/bin/containerd*"])
        return folder


def _major(program: str) -> int:
    found = re.search(r"version (\d+)\.", _output(program, "--version"))
    return 0 if found is None else int(found[1])


def has_compose_v1() -> bool:
    """Whether there is the old program; it is got where it can be."""
    with one_at_a_time():
        if shutil.which("docker-compose") is None and release() == "bookworm":
            apt("install", "-y", "--no-install-recommends", "docker-compose")
    found = shutil.which("docker-compose")
    return found is not None and " 1." in _output(found, "--version")


def _plugins() -> Path:
    folder = FOLDER / "docker-cli-plugins"
    folder.mkdir(parents=True, exist_ok=True)
    known = [*PLUGIN_FOLDERS, folder]
    missing = {
        package
        for name, package in PLUGINS.items()
        if not any((place / name).exists() for place in known)
    }
    if missing:
        _download(sorted(missing), folder, ["usr/*/docker/cli-plugins/*"])
    return folder


def _download(packages: Sequence[str], folder: Path, programs: Sequence[str]) -> None:
    """Take some programs out of packages, without installing them: all of them, or none."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        options = _sources_of_next_release(place) if release() in NEXT_RELEASE else []
        apt(*options, "update", "-qq")
        apt(*options, "download", *packages, cwd=place)
        for package in place.glob("*.deb"):
            run("dpkg", "-x", str(package), str(place / "unpacked"))
        folder.mkdir(parents=True, exist_ok=True)
        # In reverse: the one by which they are found to be there comes last.
        found = [file for pattern in programs for file in place.glob(f"unpacked/{pattern}")]
        for program in reversed(found):
            shutil.copy(program, folder)


def _sources_of_next_release(place: Path) -> list[str]:
    ours = release()
    parts = place / "parts"
    parts.mkdir()
    (place / "lists/partial").mkdir(parents=True)
    (place / "cache/archives/partial").mkdir(parents=True)
    listed = Path("/etc/apt/sources.list")
    files = [listed] if listed.exists() else []
    files += [
        file
        for file in Path("/etc/apt/sources.list.d").iterdir()
        if file.suffix in {".list", ".sources"}
    ]
    for file in files:
        text = file.read_text()
        if re.search(rf"\b{ours}\b", text) and "debian" in text:
            (parts / file.name).write_text(text.replace(ours, NEXT_RELEASE[ours]))
    return [
        *("-o", "Dir::Etc::SourceList=/dev/null", "-o", f"Dir::Etc::SourceParts={parts}"),
        *("-o", f"Dir::State::Lists={place / 'lists'}", "-o", f"Dir::Cache={place / 'cache'}"),
    ]


def _output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
