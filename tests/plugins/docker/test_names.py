"""How images, registries and platforms are named: each spelling means what it means to Docker."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pycurrent import Ok, UsageError
from pycurrent.plugins import docker
from pycurrent.plugins.docker.image import (
    DOCKER_HUB,
    checked_name,
    registry_host,
    registry_of,
    repository_of,
)
from pycurrent.plugins.docker.platform import choose, normalised
from pycurrent.testing import Harness

from .engine import DockerEngine
from .registry import PASSWORD, USER, Registry
from .waiting import over

Start = Callable[..., Harness]

HELPER = """\
#!/bin/sh
echo "$1" >> "{log}"
cat >> "{log}"
test "$1" = get && echo '{{"ServerURL": "x", "Username": "", "Secret": ""}}'
exit 0
"""


@pytest.mark.parametrize("spelling", ["{host}", "http://{host}", "HTTPS://{host}/", "{host}/v2/"])
async def test_a_password_stays_out_of_the_keychain(
    engine: DockerEngine,
    closed_registry: Registry,
    start: Start,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spelling: str,
) -> None:
    """However the registry is spelled, by us or in the user's settings."""
    log, host = tmp_path / "helper.log", closed_registry.host
    programs = tmp_path / "bin"
    programs.mkdir()
    helper = programs / "docker-credential-fake"
    helper.write_text(HELPER.format(log=log))
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    settings = tmp_path / "settings"
    settings.mkdir()
    known = {host: "fake", f"https://{host}": "fake", f"http://{host}/v1/": "fake"}
    text = json.dumps({"credsStore": "fake", "credHelpers": known, "auths": {host: {}}})
    (settings / "config.json").write_text(text)
    context = docker.Context(engine.host, settings)
    auth = docker.Auth(USER, PASSWORD, spelling.format(host=host))
    engine.docker("tag", "lab/base:1", f"{host}/keychain:1")
    image = docker.Image(engine.docker("image", "inspect", "--format", "{{.Id}}", "lab/base:1"))
    async with start(lambda: context.push(image, f"{host}/keychain:1", auth=auth)) as h:
        await over(h)
        assert isinstance(h.output, Ok), h.log("push")
    told = log.read_text() if log.exists() else ""
    assert PASSWORD not in told
    assert "store" not in told
    assert (settings / "config.json").read_text() == text


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("reg.example.org", "reg.example.org"),
        ("https://reg.example.org/", "reg.example.org"),
        ("http://reg:5000/v2/", "reg:5000"),
        ("[::1]:5000", "[::1]:5000"),
        ("docker.io", DOCKER_HUB),
        ("https://index.docker.io/v1/", DOCKER_HUB),
        ("registry-1.docker.io", DOCKER_HUB),
    ],
)
def test_a_registry_is_known_by_its_host(address: str, host: str) -> None:
    """As `docker login` has it; twice is the same."""
    assert registry_host(address) == host
    assert registry_host(host) == host
    assert docker.Auth("robot", "x", address).registry == host


@pytest.mark.parametrize("address", ["", "https://", "ftp://x", "a b", "-x", "u@reg", "reg:port"])
def test_what_is_not_a_registry_is_refused(address: str) -> None:
    """Where the credentials are made."""
    with pytest.raises(UsageError, match="is not the address of a registry"):
        docker.Auth("robot", "x", address)


def test_names_may_have_an_address_as_their_registry() -> None:
    """Of the sixth version, in brackets, too."""
    for name, registry, repository in (
        ("[::1]:5000/x", "[::1]:5000", "[::1]:5000/x"),
        ("[2001:db8::1]/a/b:tag", "[2001:db8::1]", "[2001:db8::1]/a/b"),
        ("127.0.0.1:5000/x:1", "127.0.0.1:5000", "127.0.0.1:5000/x"),
        ("debian:12", None, "debian"),
    ):
        assert checked_name(name) == name
        assert registry_of(name) == registry
        assert repository_of(name) == repository
    for name in ("[::1/x", "[]/x", "[::1]", "[::1]:5000", "[x]/y"):
        with pytest.raises(UsageError):
            checked_name(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/aarch64", "linux/arm64"),
        ("amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("Linux/x86-64", "linux/amd64/v1"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/arm/7", "linux/arm"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/i386", "linux/386"),
        ("macos/aarch64", "darwin/arm64"),
    ],
)
def test_platforms_are_compared_by_what_they_mean(one: str, other: str) -> None:
    """As containerd does."""
    assert normalised(one) == normalised(other) is not None
    assert choose(["windows/amd64", other], one) == 1


def test_what_is_offered_for_a_platform_is_found() -> None:
    """The usual variant before another one; none where another was asked for."""
    assert choose(["linux/arm/v6", "linux/arm/v7"], "linux/arm") == 1
    assert choose(["linux/arm/v5", "linux/arm/v6"], "linux/arm") == 0
    assert choose(["linux/arm/v6"], "linux/arm/v7") is None
    assert choose(["unknown/unknown", "linux/amd64"], "linux/amd64") == 1
    assert choose(["linux/amd64"], "linux/arm64") is None
    for bad in ("", "a/b/c/d", "linux/", "linux/ /x"):
        assert normalised(bad) is None
        assert choose(["linux/amd64", ""], bad) is None
