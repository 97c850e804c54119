"""Files in containers: those that they are given before they start, and those that are kept of what
they make.

They go through `docker cp`, as archives: so the engine may be on any machine, and nothing of this
one is mounted. They are owned by the user of the container.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from threading import Event

from pycurrent.engine.tasks import in_thread, stoppable
from pycurrent.errors import UsageError
from pycurrent.files import FilesError, Tree
from pycurrent.files.archive import Owner, pack, unpack
from pycurrent.files.patterns import fixed_folder, outermost
from pycurrent.plugins.docker.container import Container
from pycurrent.plugins.saved_files import Saved, checked_outputs
from pycurrent.term import Failure

_READS = ("sh", "-c", 'exec "$@" <"$0"')
_WRITES = ("sh", "-c", 'exec "$@" >"$0"')
"""Commands that run others with a file as their input, or their output."""
_LONGEST_READ = 1 << 20
"""Characters of a list of users."""
_MISSING = re.compile(
    "could not find the file|no such container:path|no such file or directory", re.IGNORECASE
)


def checked_places(outputs: str | Sequence[str] | None) -> tuple[str, ...]:
    """The patterns of what a container makes. Raises UsageError for what can't be one."""
    if not isinstance(outputs, str | Sequence):
        return checked_outputs(outputs)
    texts = (outputs,) if isinstance(outputs, str) else tuple(outputs)
    absolute = [text for text in texts if isinstance(text, str) and text.startswith("/")]
    if not absolute:
        return checked_outputs(outputs)
    if len(absolute) < len(texts):
        raise UsageError(
            "outputs= takes patterns in the working folder, or ones that begin with a slash, not"
            f" both: {', '.join(map(repr, texts))}"
        )
    checked_outputs([text[1:] for text in texts])
    for text in texts:
        if not fixed_folder(text[1:]):
            raise UsageError(f"{text!r} is all of a container: name a folder, as in '/out/**'")
    return texts


async def give(container: Container, inputs: Mapping[str, Saved]) -> None:
    """Copy files to a container that was created."""
    if not inputs:
        return
    docker, job = container.docker, container.docker.job
    setup = await _Setup.of(container)
    async with job.tempdir("inputs-") as folder:
        files, archive = folder / "files", folder / "tar"
        files.mkdir(exist_ok=True)
        places = {setup.place(path): given for path, given in inputs.items()}
        for place, given in places.items():
            await job.put(given, files / place)
        # The container has these folders, or gets them as other folders that are missing.
        there = {setup.place(".")}
        there.update(str(above) for place in places for above in PurePosixPath(place).parents)

        def packing(stop: Event) -> None:
            with archive.open("wb") as target:
                pack(files, target, stop, without=there, owner=setup.owner)

        await stoppable(packing)
        await docker.exec("cp", "-", f"{container.name}:/", through=[*_READS, str(archive)])


async def take(container: Container, outputs: Sequence[str], *, required: bool) -> Tree:
    """Save what the patterns select in a container that has ended. Raises Failure."""
    job = container.docker.job
    is_absolute = outputs[0].startswith("/")
    base = "/" if is_absolute else (await _Setup.of(container)).folder
    patterns = [text.removeprefix("/") for text in outputs]
    async with job.tempdir("outputs-") as folder:
        files = folder / "files"
        files.mkdir()
        for number, path in enumerate(outermost(map(fixed_folder, patterns))):
            if not path and base == "/":
                raise Failure(
                    f"{outputs[0]} would be all of the container, as its working folder is /: set"
                    ' one by run_args=["--workdir=/work"], or name a folder, as in "dist/**"'
                )
            scratch = folder / str(number)
            scratch.mkdir()
            await _copy_out(container, f"{base.rstrip('/')}/{path or '.'}", scratch)
            await in_thread(_move, scratch / "files", files, path)
        return await job.save(files, *patterns, required=required)


async def _copy_out(container: Container, path: str, scratch: Path) -> None:
    """Copy a file or a folder of a container, if there is one, to `files` in a folder."""
    docker, archive = container.docker, scratch / "tar"
    (scratch / "files").mkdir()
    try:
        await docker.exec("cp", f"{container.name}:{path}", "-", through=[*_WRITES, str(archive)])
    except Failure as failure:
        if _MISSING.search(str(failure)):
            return
        raise

    def unpacking(stop: Event) -> list[str]:
        with archive.open("rb") as source:
            return unpack(source, scratch / "files", stop)

    try:
        left_out = await stoppable(unpacking)
    except FilesError as error:
        raise Failure(f"{path} of the container can't be saved: {error}") from None
    if left_out:
        some = ", ".join(left_out[:3])
        docker.job.log(f"Left out, as they are not files ({len(left_out)}): {some}")


def _beginning(path: Path) -> str:
    """The text of a file that a container has sent, up to a length; "" for a link, say."""
    if path.is_symlink() or not path.is_file():
        return ""
    with path.open(errors="replace") as file:
        return file.read(_LONGEST_READ)


def _move(source: Path, target: Path, path: str) -> None:
    """Move what was sent of a path to its place."""
    above, _, name = path.rpartition("/")
    if not path:
        for entry in list(source.iterdir()):
            entry.rename(target / entry.name)
        return
    if os.path.lexists(source / name):
        (target / above).mkdir(parents=True, exist_ok=True)
        (source / name).rename(target / path)


@dataclass(frozen=True, slots=True)
class _Setup:
    """The settings of a container."""

    folder: str
    """Its working folder."""
    owner: Owner

    @classmethod
    async def of(cls, container: Container) -> _Setup:
        async def setup() -> tuple[str, Owner]:
            return await cls._asked(container)

        # Once: what it copies for that is gone afterwards.
        folder, owner = await container.docker.job.once(f"setup of {container.name}", setup)
        return cls(folder, owner)

    @staticmethod
    async def _asked(container: Container) -> tuple[str, Owner]:
        form = "[{{json .Config.WorkingDir}},{{json .Config.User}}]"
        said = await container.docker.ask("container", "inspect", "--format", form, container.name)
        folder, user = json.loads(said)
        return folder or "/", await _owner(container, user)

    def place(self, path: str) -> str:
        """A path as seen from the top of the container."""
        whole = PurePosixPath(self.folder, path)
        return "/".join(whole.parts[1:])


async def _owner(container: Container, user: str) -> Owner:
    """The numbers of the user of a container."""
    name, _, group = user.partition(":")
    if not name:
        return Owner()
    if name.isdecimal():
        return Owner(int(name), int(group) if group.isdecimal() else 0)
    async with container.docker.job.tempdir("users-") as scratch:
        await _copy_out(container, "/etc/passwd", scratch)
        listed = await in_thread(_beginning, scratch / "files" / "passwd")
    found = re.search(rf"^{re.escape(name)}:[^:]*:(\d+):(\d+):", listed, re.MULTILINE)
    if found is None:
        return Owner()  # The engine says what is wrong with it.
    return Owner(int(found[1]), int(group) if group.isdecimal() else int(found[2]))
