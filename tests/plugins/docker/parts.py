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
from pathlib import Path

from ...debian import FOLDER, MissingPart, apt, install, one_at_a_time, release, run

PROGRAMS = {
    "docker": "docker.io",
    "dockerd": "docker.io",
    "docker-registry": "docker-registry",
    "htpasswd": "apache2-utils",
    "busybox": "busybox-static",
    "ip": "iproute2",
    "iptables": "iptables",
}
PLUGINS = {"docker-buildx": "docker-buildx", "docker-compose": "docker-compose"}
PLUGIN_FOLDERS = [
    Path(folder, "docker/cli-plugins")
    for folder in ("/usr/libexec", "/usr/lib", "/usr/local/libexec", "/usr/local/lib")
]
# Debian 12 has no plugins; those of the next release run there, too.
NEXT_RELEASE = {"bookworm": "trixie"}


def find_parts() -> Path:
    """Have all there is to have; gives a folder with the plugins. Raises MissingPart."""
    if platform.system() != "Linux" or os.geteuid() != 0:
        raise MissingPart("an engine for tests is started by root on Linux only")
    with one_at_a_time():
        install(PROGRAMS)
        return _plugins()


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
        _download(sorted(missing), folder)
    return folder


def _download(packages: list[str], folder: Path) -> None:
    """Unpack the plugins of some packages, without installing them."""
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        options = _sources_of_next_release(place) if release() in NEXT_RELEASE else []
        apt(*options, "update", "-qq")
        apt(*options, "download", *packages, cwd=place)
        for package in place.glob("*.deb"):
            run("dpkg", "-x", str(package), str(place / "unpacked"))
        for plugin in place.glob("unpacked/usr/*/docker/cli-plugins/*"):
            shutil.copy(plugin, folder)


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
