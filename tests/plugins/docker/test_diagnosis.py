"""The line that says why, among all that `docker` says."""

import pytest

from pycurrent.plugins.docker.config import make_config, prepare_login
from pycurrent.plugins.docker.diagnosis import diagnose, kind_of
from pycurrent.plugins.docker.image import registry_of, repository_of
from pycurrent.term import FailureKind

# What the commands have really said, of versions 20.10 and 28.
SAID = {
    "Error response from daemon: manifest for r/x:1 not found: manifest unknown\n": (
        "manifest for r/x:1 not found: manifest unknown"
    ),
    "docker: Error response from daemon: No such image: x.\nSee 'docker run --help'.\n": (
        "No such image: x."
    ),
    "The push refers to repository [r/a]\n51ef: Preparing\nno basic auth credentials\n": (
        "no basic auth credentials (the registry asks for a password: give auth)"
    ),
    "f13f: Retrying in 1 second\nreceived unexpected HTTP status: 500 Internal Server Error\n": (
        "received unexpected HTTP status: 500 Internal Server Error "
        "(the registry has failed: see its own log)"
    ),
    'Failed to initialize: unable to resolve docker endpoint: context "x": context not found: open '
    "/c/contexts/meta/1/meta.json: no such file or directory\n": (
        'there is no context "x": see docker context ls'
    ),
    "Error response from daemon: denied\n": (
        "denied (the registry does not allow it: does the user of auth have the right?)"
    ),
    "dd: error writing '/x': No space left on device\n"
    "The command '/bin/sh -c dd' returned a non-zero code: 1\n": (
        "The command '/bin/sh -c dd' returned a non-zero code: 1 (no space left on device)"
    ),
    "Error response from daemon: write /x: no space left on device\n": (
        "write /x: no space left on device"
    ),
    "#5 ERROR: exit code: 9\n------\n > [2/2] RUN x:\n0.193 bad\n------\nERROR: failed to solve: "
    "executor failed running [/bin/sh -c x]: exit code: 9\n": (
        "executor failed running [/bin/sh -c x]: exit code: 9"
    ),
    "ERROR: failed to solve: rpc error: code = Unknown desc = failed to solve with frontend "
    "dockerfile.v0: failed to create LLB definition: dockerfile parse error line 2\n": (
        "dockerfile parse error line 2"
    ),
    " ---> Running in ec88\nstart\nunexpected EOF\n": (
        "the engine has broken off the connection: has it ended? (unexpected EOF)"
    ),
    "ERROR: failed to receive status: rpc error: code = Unavailable desc = error reading from "
    "server: EOF\n": (
        "the engine has broken off the connection: has it ended? (error reading from server: EOF)"
    ),
    'Error response from daemon: Get "http://r:1/v2/": EOF\n': (
        'the server has broken off the connection (Get "http://r:1/v2/": EOF)'
    ),
    "write tcp 127.0.0.1:4->127.0.0.1:5: write: connection reset by peer\n": (
        "the server has broken off the connection "
        "(write tcp 127.0.0.1:4->127.0.0.1:5: write: connection reset by peer)"
    ),
    'error during connect: Get "http://docker.example.com/v1.50/info": EOF\n': (
        "the engine has broken off the connection: has it ended? "
        '(error during connect: Get "http://docker.example.com/v1.50/info": EOF)'
    ),
    'time="2026-11-22T09:56:54Z" level=error msg="error waiting for \\"x\\""\n': (
        'error waiting for "x"'
    ),
    "invalid reference format\n\nRun 'docker pull --help' for more information\n": (
        "invalid reference format"
    ),
    "2026-11-22 09:30.05: Exec: docker pull x\n": None,
    "": None,
}


@pytest.mark.parametrize("said", SAID)
def test_the_cause_is_found(said: str) -> None:
    """Without what only says that it is an error, or how to get help."""
    assert diagnose(said) == SAID[said]


@pytest.mark.parametrize(
    ("name", "registry", "repository"),
    [
        ("debian", None, "debian"),
        ("debian:12", None, "debian"),
        ("me/app:1", None, "me/app"),
        ("docker.io/me/app", None, "docker.io/me/app"),
        ("localhost/app:1", "localhost", "localhost/app"),
        ("ghcr.io/me/app:1", "ghcr.io", "ghcr.io/me/app"),
        ("127.0.0.1:5000/a/b:1", "127.0.0.1:5000", "127.0.0.1:5000/a/b"),
        (f"r:5000/a@sha256:{'0' * 64}", "r:5000", "r:5000/a"),
    ],
)
def test_names_are_read_as_docker_does(name: str, registry: str | None, repository: str) -> None:
    """The first part is a host if it looks like one."""
    assert registry_of(name) == registry
    assert repository_of(name) == repository


@pytest.mark.parametrize(
    ("why", "kind"),
    [
        ("the engine has broken off the connection: has it ended? (EOF)", FailureKind.INFRA),
        ("Cannot connect to the Docker daemon at unix:///x. Is it running?", FailureKind.INFRA),
        ('Get "http://r:5000/v2/": dial tcp 10.0.0.1:1: connection refused', FailureKind.INFRA),
        ('Get "http://r:5000/v2/": dial tcp 127.0.0.1:1: connection refused', FailureKind.REAL),
        ('Get "https://r/v2/": x509: certificate signed by unknown authority', FailureKind.INFRA),
        (
            "error during connect: dial tcp 127.0.0.1:2375: connect: connection refused",
            FailureKind.INFRA,
        ),
        ('Head "https://r/x": dial tcp: lookup r on 10.0.0.1:53: no such host', FailureKind.INFRA),
        ("received unexpected HTTP status: 503 Service Unavailable", FailureKind.INFRA),
        ("toomanyrequests: You have reached your pull rate limit", FailureKind.INFRA),
        ("manifest for r:5000/connection-refused:1 not found", FailureKind.REAL),
        ('process "/bin/sh -c echo i/o timeout; exit 1" did not complete', FailureKind.REAL),
        (
            "The command '/bin/sh -c no such host' returned a non-zero code: 6",
            FailureKind.REAL,
        ),
        ("denied: requested access to the resource is denied", FailureKind.REAL),
        ("dockerfile parse error on line 2: unknown instruction: NONSENSE", FailureKind.REAL),
    ],
)
def test_what_the_work_has_not_failed_is_told_apart(why: str, kind: FailureKind) -> None:
    """By what the engine says, not by names and commands in it."""
    assert kind_of(why) is kind


def test_a_login_keeps_out_of_the_users_settings(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Other logins are still found, also those in a keychain; drafts of manifests are not."""
    import json

    users, folder = tmp_path / "users", tmp_path / "job"
    (users / "contexts").mkdir(parents=True)
    (users / "manifests").mkdir()
    settings = {
        "credsStore": "keychain",
        "credHelpers": {"gcr.io": "gcloud", "r:5000": "keychain"},
        "auths": {"ghcr.io": {}, "r:5000": {}},
        "proxies": {"default": {}},
    }
    (users / "config.json").write_text(json.dumps(settings))
    folder.mkdir()
    make_config(folder, users)
    assert json.loads((folder / "config.json").read_text()) == settings
    prepare_login(folder, users, "r:5000")
    assert json.loads((folder / "config.json").read_text()) == {
        "credHelpers": {"gcr.io": "gcloud", "ghcr.io": "keychain"},
        "auths": settings["auths"],
        "proxies": settings["proxies"],
    }
    assert (folder / "config.json").stat().st_mode & 0o77 == 0
    assert json.loads((users / "config.json").read_text()) == settings
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "contexts"]
