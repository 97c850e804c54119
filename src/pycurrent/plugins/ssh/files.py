"""Files on their way to a host, and back: as archives, over the connection of the command itself.

So the host needs no more than `tar` and a shell. There the command runs in a new folder, which has
its inputs and is removed with the end of the command. All that it prints goes to the log: the
connection's standard output has the archive of its outputs. If all is killed at once, the folder
stays; the next such command there removes it.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import BinaryIO

from pycurrent.engine import Job
from pycurrent.engine.tasks import in_thread, stoppable
from pycurrent.files import FilesError, Tree
from pycurrent.files.archive import member, pack, unpack
from pycurrent.files.patterns import fixed_folder, outermost
from pycurrent.plugins.saved_files import Saved
from pycurrent.plugins.ssh.lifeline import NAME, Marks
from pycurrent.store.trees import remove_tree
from pycurrent.term import Failure

_FILES, _STDIN = "files", "stdin"
_MOST_BEFORE = 1 << 20
"""Bytes that a host may print before the command begins."""

# The names of folders have the machine and the process: those of others, and those at work, stay.
# While it cleans up it ignores signals, and so do the programs that it runs for that.
_THERE = """\
clean() { chmod -R u+rwx "$1"; rm -rf "$1"; } >/dev/null 2>&1
command -v tar >/dev/null || { echo "there is no tar on this host" >&2; exit 125; }
all=${TMPDIR:-/tmp}/pycurrent-ssh-$(uname -n)
for old in "$all"-*; do
    process=${old#"$all"-}
    if [ -d "$old" ] && [ ! -L "$old" ] && [ -O "$old" ]; then
        kill -0 "${process%%-*}" 2>/dev/null || clean "$old"
    fi
done
folder=$(umask 077; mktemp -d "$all-$$-XXXXXXXX") || exit 125
trap 'trap "" HUP INT TERM PIPE; cd /; clean "$folder"' EXIT
trap 'trap "" HUP INT TERM PIPE; exit 143' HUP INT TERM PIPE
tar -x -p -o -f - -C "$folder" || exit 125
exec 3<"$folder/stdin" && rm -f "$folder/stdin" && cd "$folder/files" || exit 125
"$@" <&3 3<&- >&2 || exit
set --
for path in PATHS; do
    if [ -e "$path" ] || [ -L "$path" ]; then set -- "$@" "$path"; fi
done
if [ $# -gt 0 ]; then tar -c -f - "$@"; fi
"""


def through(outputs: Sequence[str]) -> tuple[str, ...]:
    """The words of a command that runs another one, whose words follow, with files."""
    folders = outermost(map(fixed_folder, outputs))
    paths = " ".join(shlex.quote(f"./{path}" if path else ".") for path in folders)
    return ("sh", "-c", _THERE.replace("PATHS", paths), NAME)


@dataclass(frozen=True, slots=True)
class Sending:
    """Files that are sent to a host, and the words that take them there."""

    words: tuple[str, ...]
    archive: Path
    size: int
    """Of the archive."""
    kept: Path
    """The place for what comes back."""

    def head(self, stdin: bytes) -> bytes:
        """The beginning of the archive, with the input of the command: a secret is on no disk."""
        return member(_STDIN, stdin)


async def packed(
    job: Job, inputs: Mapping[str, Saved], outputs: Sequence[str], scratch: Path
) -> Sending:
    """Pack the files for a command, in a folder of the job's."""
    top, archive = scratch / "in", scratch / "tar"
    (top / _FILES).mkdir(parents=True, exist_ok=True)
    for path, given in inputs.items():
        await job.put(given, top / _FILES / path)

    def packing(stop: Event) -> int:
        with archive.open("wb") as target:
            pack(top, target, stop)
            return target.tell()

    async def size() -> int:
        return await stoppable(packing)

    # Once, as the client of a durable job that goes on may be at work with it.
    packed_size = await job.once("ssh files", size)
    return Sending(through(outputs), archive, packed_size, scratch / "out")


@dataclass(frozen=True, slots=True)
class _Unpacked:
    """The end of the unpacking of an archive."""

    left_out: list[str]
    wrong: str | None
    """Why it could not be unpacked."""


async def saved(
    job: Job, kept: Path, marks: Marks, outputs: Sequence[str], *, required: bool
) -> Tree:
    """Save what has come back. Raises Failure for what can't be in a tree."""
    async with job.tempdir("outputs-") as scratch:
        folder = scratch / _FILES

        def unpacking(stop: Event) -> list[str]:
            remove_tree(folder)  # An engine may have been killed at that.
            folder.mkdir()
            with kept.open("rb") as source:
                return unpack(source, folder, stop) if _begin(source, marks) else []

        async def unpacked() -> _Unpacked:
            try:
                return _Unpacked(await stoppable(unpacking), None)
            except FilesError as error:
                return _Unpacked([], f"the files of the host can't be saved: {error}")
            except Failure as error:
                return _Unpacked([], str(error))

        done = await job.once("ssh outputs", unpacked)
        if done.wrong is not None:
            raise Failure(done.wrong)
        if done.left_out:
            some = ", ".join(done.left_out[:3])
            job.log(f"Left out, as they are not files ({len(done.left_out)}): {some}")
        await in_thread(lambda: kept.unlink(missing_ok=True))
        return await job.save(folder, *outputs, required=required)


def _begin(source: BinaryIO, marks: Marks) -> bool:
    """Go to the beginning of the archive; False if there is none. Raises Failure if the host has
    run something else.
    """
    begun = f"{marks.begun}\n".encode()
    at = source.read(_MOST_BEFORE).find(begun)
    if at < 0:
        raise Failure("the host has sent something else than files: does it restrict the key?")
    source.seek(at + len(begun))
    return os.fstat(source.fileno()).st_size > source.tell()
