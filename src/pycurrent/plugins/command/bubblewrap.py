"""Commands in a sandbox, made by `bwrap` of the package bubblewrap.

The command runs in namespaces of its own (users, processes, network, host name, ...) and in a file
system that is put together for it:

    /usr, /bin, /lib ...      the machine's, read-only
    /etc                      the parts that programs need, read-only: no keys, no passwords
    /proc, /dev               new ones, with its own processes and without devices
    /tmp, /var/tmp, its HOME  new and empty, on the disk of the engine, gone when it ends
    the checkout              at its own path, writable
    folders of caches         at their own paths, writable
    the repository's objects  which the checkout shares, at their own path, read-only

and the files and folders that the `Sandbox` names, but nothing else. When `bwrap` ends in any way,
the kernel kills every process in its namespace: no process can outlive a job, and a cancelled
command gets no time to clean up.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pycurrent.engine import CommandFailed, CommandNotStarted, Job
from pycurrent.engine.tasks import in_thread
from pycurrent.plugins.command.objects import shared_objects
from pycurrent.plugins.command.sandbox import Sandbox

HOME = "/home/sandbox"
"""The home of each command."""
# The command's own folders: name, mode, and the paths at which they appear.
_OWN = (("tmp", 0o1777, ("/tmp", "/var/tmp")), ("home", 0o700, (HOME,)))  # noqa: S108
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# Not all of /etc: it has keys, and a command of root's can read what root can.
_SETTINGS = (
    *("alternatives", "java*", "perl", "python3*", "fonts"),
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d"),
    *("passwd", "group", "nsswitch.conf"),
    *("hosts", "host.conf", "resolv.conf", "gai.conf", "services", "protocols"),
    *("ssl/certs", "ssl/openssl.cnf", "ca-certificates", "pki/tls/certs", "pki/ca-trust"),
    *("crypto-policies", "localtime", "timezone", "mime.types", "magic"),
    *("os-release", "debian_version", "lsb-release"),
)
_LONGEST_READ = 1 << 14
"""Bytes at the end of the log in which the last line is looked for."""
_OURS = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d\.\d\d: ")
"""The beginning of a line that the job has logged itself."""


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """The program `bwrap`."""

    program: str

    @classmethod
    def find(cls) -> Bubblewrap:
        """Find the program. Raises CommandNotStarted if it is missing."""
        program = shutil.which("bwrap")
        if program is None:
            raise CommandNotStarted(
                "the sandbox needs bwrap, which is not on the PATH: install bubblewrap"
            )
        return cls(os.path.abspath(program))  # noqa: PTH100 - may be a link by another name

    @asynccontextmanager
    async def wrapped(
        self,
        job: Job,
        sandbox: Sandbox,
        checkout: Path,
        argv: tuple[str, ...],
        kept: tuple[Path, ...] = (),
    ) -> AsyncIterator[list[str]]:
        """Yield the command line that runs the command in the sandbox. The block runs it.

        It may write to the folders that are `kept`, at their own paths.

        If `bwrap` itself fails, the error of the block becomes a CommandNotStarted that says why.
        """
        async with job.tempdir("sandbox-") as scratch:
            options = await in_thread(
                lambda: [*_options(sandbox), *_places(sandbox, checkout, scratch, kept)]
            )
            wrapping = [self.program, *options, "--chdir", str(checkout), "--"]
            job.log(f"In a sandbox, by: {shlex.join(wrapping)} ...")
            try:
                yield [*wrapping, *argv]
            except CommandFailed as error:
                failure = await in_thread(_failure, job.log_path, argv[0])
                raise (failure if error.status == 1 and failure else error) from None


def _options(sandbox: Sandbox) -> Iterator[str]:
    yield from ("--unshare-all", "--unshare-user", "--new-session", "--die-with-parent")
    # A name that resolves everywhere, and is the same everywhere.
    yield from ("--hostname", "localhost")
    if sandbox.network:
        yield "--share-net"


def _places(
    sandbox: Sandbox, checkout: Path, scratch: Path, kept: tuple[Path, ...]
) -> Iterator[str]:
    """Return the options for the file system. Later mounts may be within earlier ones. Blocks."""
    yield from _system()
    yield from ("--proc", "/proc", "--dev", "/dev")
    for name, mode, places in _OWN:
        own = scratch / name
        own.mkdir()
        own.chmod(mode)
        for place in places:
            yield from ("--bind", str(own), place)
    named = [(path, "--ro-bind") for path in sandbox.read_only]
    named += [(path, "--bind") for path in (*sandbox.writable, *kept)]
    for path, option in sorted(named):
        yield from (option, str(path), str(path))
    yield from ("--bind", str(checkout), str(checkout))
    for path in shared_objects(checkout / ".git"):
        yield from ("--ro-bind", str(path), str(path))
    yield from ("--remount-ro", "/")


def _system() -> Iterator[str]:
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), name)
        elif path.exists():
            yield from ("--ro-bind", name, name)
    etc = Path("/etc")
    for pattern in _SETTINGS:
        for path in sorted(etc.glob(pattern)):
            if path.exists():  # it may be a link to nowhere
                yield from ("--ro-bind", str(path), str(path))


def _failure(log: Path, program: str) -> CommandNotStarted | None:
    """Return the error of `bwrap` itself; None if the command failed, not `bwrap`."""
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _LONGEST_READ))
        return failure_in(file.read().decode(errors="replace"), program)


def failure_in(log: str, program: str) -> CommandNotStarted | None:
    """Find the error of `bwrap` in the end of a log."""
    # The job may have logged meanwhile which processes `bwrap` has left behind.
    lines = [line for line in log.splitlines() if not _OURS.match(line)]
    said = lines[-1] if lines else ""
    if not said.startswith("bwrap: "):
        return None
    why = said.removeprefix("bwrap: ")
    not_run = f"execvp {program}: "
    if not why.startswith(not_run):
        return CommandNotStarted(f"can't create the sandbox: {why}")
    why = why.removeprefix(not_run)
    return CommandNotStarted(
        f"can't run {program} in the sandbox: {why}; it has the system's programs, the checkout, "
        "and the paths that read_only= and writable= name"
    )
