"""Why a `docker` command failed, read from its output."""

from __future__ import annotations

import re

from pycurrent.term import FailureKind

_NOISE = re.compile(
    r"""
    (See|Run)\ '.*--help'.*               # how to get help
    | (?i:usage:|for\ more\ help|learn\ more|what's\ next).*
    | time="[^"]*"\ level=warning\ .*
    | -+ | [=>].*                         # the frame that BuildKit draws around a failed step
    | \d{4}-\d\d-\d\d\ \d\d:\d\d\.\d\d:\ .*       # lines that the job itself has logged
    """,
    re.VERBOSE,
)
_ERROR = re.compile(r"(?i:error[: ]|error response from daemon)|denied: |time=\"")
_LOGRUS = re.compile(r'time="[^"]*" level=\w+ msg="(?P<text>.*)"')
_PREFIXES = re.compile(
    # The client's, then BuildKit's.
    r"((?i:error): |Error response from daemon: |docker: |- "
    r"|rpc error: code = \w+ desc = |failed to solve(?: with frontend [\w.]+)?: "
    r"|failed to create LLB definition: |failed to receive status: "
    r"|Failed to initialize: |unable to resolve docker endpoint: )+"
)
_NO_CONTEXT = re.compile(r"(context \".*\"): context not found: open .*")
_CUT_OFF = re.compile(
    r"unexpected EOF|: EOF$|connection reset|broken pipe|transport is closing"
    r"|use of closed network connection"
)
# The client's connection to the engine: it has no address, or is named like this.
_TO_ENGINE = re.compile(r"error during connect: ")
_ELSEWHERE = re.compile(r"https?://|\btcp ")
_FULL = re.compile(r"no space left on device", re.IGNORECASE)
# Hints on what to do about the terse errors of registries.
_HINTS = [
    (
        re.compile(r"(for \S+ +)?'ContainerConfig'"),
        "docker-compose 1 can't work with this engine: install the compose plugin of docker",
    ),
    (re.compile(r"no basic auth credentials"), "the registry asks for a password: give auth"),
    (
        re.compile(r"^denied\b"),
        "the registry does not allow it: does the user of auth have the right?",
    ),
    (
        re.compile(r"operation is unsupported|HTTP 405 response|405 Method Not Allowed"),
        "the registry is read-only",
    ),
    (re.compile(r"unexpected HTTP status: 5"), "the registry has failed: see its own log"),
]


def diagnose(said: str) -> str | None:
    """Return the line that says why, without prefixes like 'Error:'; None if no line does."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", said)]
    lines = [line for line in lines if line and not _NOISE.fullmatch(line)]
    if not lines:
        return None
    errors = [line for line in lines if _ERROR.match(line)]
    line = errors[-1] if errors else lines[-1]
    if found := _LOGRUS.fullmatch(line):
        line = found["text"].replace('\\"', '"')
    prefix = _PREFIXES.match(line)
    text = line[prefix.end() :] if prefix else line
    if _CUT_OFF.search(text):
        if _ELSEWHERE.search(text) and not _TO_ENGINE.search(text):
            return f"the server has broken off the connection ({text})"
        return f"the engine has broken off the connection: has it ended? ({text})"
    if found := _NO_CONTEXT.fullmatch(text):
        return f"there is no {found[1]}: see docker context ls"
    if _FULL.search(said) and not _FULL.search(text):
        # The step of a build has printed it; the engine only says that the step failed.
        return f"{text} (no space left on device)"
    hints = [hint for pattern, hint in _HINTS if pattern.search(text)]
    return f"{text} ({hints[0]})" if hints else text


# Failures of the engine, a registry or the network, rather than of the work.
_INFRA = re.compile(
    r"has broken off the connection"
    r"|cannot connect to the docker daemon|error during connect"
    r"|connection (?:refused|reset|timed out)|no such host|server misbehaving"
    r"|i/o timeout|tls handshake timeout|x509: |tls: failed to verify"
    r"|context deadline exceeded|request canceled while waiting"
    r"|network is unreachable|no route to host"
    r"|http status: (?:5\d\d|429)"
    r"|\b5\d\d (?:internal server|bad gateway|service unavailable|gateway time)"
    r"|toomanyrequests|429 too many requests",
    re.IGNORECASE,
)
_ENGINE = re.compile(
    r"the engine has broken off|cannot connect to the docker daemon|error during connect",
    re.IGNORECASE,
)
# A service that should listen on the machine itself is the work's.
_LOCAL = re.compile(
    r"(?:\blocalhost\b|\b127\.0\.0\.1\b|\[::1\]).*connection refused", re.IGNORECASE
)
# Commands of a build, names and addresses can contain any words.
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'')


def kind_of(why: str) -> FailureKind:
    """Return whose failure it is, judging by the result of `diagnose` without quoted parts."""
    said = _QUOTED.sub("", why)
    if _LOCAL.search(said) and not _ENGINE.search(said):
        return FailureKind.REAL
    return FailureKind.INFRA if _INFRA.search(said) else FailureKind.REAL
