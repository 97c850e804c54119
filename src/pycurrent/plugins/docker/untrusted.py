"""The options of containers that run the code of strangers, who get nothing of the machine."""

from __future__ import annotations

from collections.abc import Sequence

from pycurrent.engine import Job

_WITH_VALUE = frozenset(
    {
        *(
            "--cap-drop",
            "--cpus",
            "--entrypoint",
            "--env",
            "-e",
            "--hostname",
            "-h",
        ),
        *("--label", "-l", "--memory", "-m", "--memory-swap", "--network", "--net"),
        *("--pids-limit", "--platform", "--shm-size", "--stop-signal", "--stop-timeout", "--tmpfs"),
        *("--ulimit", "--user", "-u", "--workdir", "-w"),
    }
)
_ALONE = frozenset({"--init", "--interactive", "-i", "--read-only", "--tty", "-t"})
_NETWORKS = frozenset({"none", "bridge"})


def check_run_args(job: Job, words: Sequence[str]) -> None:
    """Raise Failure if untrusted work would get more by these options of `docker run` than a
    container has by itself: folders of the machine, its network, devices, rights.
    """
    if job.is_trusted:
        return
    rest = list(words)
    while rest:
        name, has_value, value = rest.pop(0).partition("=")
        if name in _ALONE and not has_value:
            continue
        if name not in _WITH_VALUE:
            job.refuse_untrusted(f"untrusted work can't use {name} of docker run")
        if not has_value:
            value = rest.pop(0) if rest else ""
        if name in {"--network", "--net"} and value not in _NETWORKS:
            job.refuse_untrusted(f"untrusted work can't use the network {value!r}: none or bridge")
