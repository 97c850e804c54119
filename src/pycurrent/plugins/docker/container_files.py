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
from pycurrent.store.trees import remove_tree
from pycurrent.term import Failure

_READS = ("sh", "-c", 'exec "$@" <"$0"')
_WRITES = ("sh", "-c", 'exec "$@" >"$0"')
"""Commands that run others with a file as their input, or their output."""
_FILES = "files"
"""The folder for what is saved."""
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
    base = "/" if is_absolute else (await _folder_and_user(container))[0]
    patterns = [text.removeprefix("/") for text in outputs]
    async with job.tempdir("outputs-") as folder:
        sent: list[tuple[str, Path]] = []
        for number, path in enumerate(outermost(map(fixed_folder, patterns))):
            if not path and base == "/":
                raise Failure(
                    f"{outputs[0]} would be all of the container, as its working folder is /: set"
                    ' one by run_args=["--workdir=/work"], or name a folder, as in "dist/**"'
                )
            archive = folder / f"{number}.tar"
            if await _copy_out(container, f"{base.rstrip('/')}/{path or '.'}", archive):
                sent.append((path, archive))

        async def unpacked() -> list[str]:
            return await stoppable(lambda stop: _unpack_all(sent, folder, stop))

        # Once: a durable job that goes on may have saved them, and they are gone.
        left_out = await job.once("docker outputs", unpacked)
        if left_out:
            some = ", ".join(left_out[:3])
            job.log(f"Left out, as they are not files ({len(left_out)}): {some}")
        return await job.save(folder / _FILES, *patterns, required=required)


async def _copy_out(container: Container, path: str, archive: Path) -> bool:
    """Copy a file or a folder of a container to an archive. False if there is none."""
    try:
        await container.docker.exec(
            "cp", f"{container.name}:{path}", "-", through=[*_WRITES, str(archive)]
        )
    except Failure as failure:
        if _MISSING.search(str(failure)):
            return False
        raise
    return True


def _unpack_all(sent: Sequence[tuple[str, Path]], folder: Path, stop: Event) -> list[str]:
    """Unpack what was sent of paths to their places. Gives what was left out. Raises Failure."""
    files, scratch, left_out = folder / _FILES, folder / "scratch", []
    remove_tree(files)  # An engine may have been killed here.
    files.mkdir()
    for path, archive in sent:
        remove_tree(scratch)
        scratch.mkdir()
        try:
            with archive.open("rb") as source:
                left_out += unpack(source, scratch, stop)
        except FilesError as error:
            place = path or "the working folder"
            raise Failure(f"{place} of the container can't be saved: {error}") from None
        _move(scratch, files, path)
    return left_out


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
        folder, user = await _folder_and_user(container)
        return cls(folder, await _owner(container, user))

    def place(self, path: str) -> str:
        """A path as seen from the top of the container."""
        whole = PurePosixPath(self.folder, path)
        return "/".join(whole.parts[1:])


async def _folder_and_user(container: Container) -> tuple[str, str]:
    """The working folder of a container, and its user as the image names it."""
    form = "[{{json .Config.WorkingDir}},{{json .Config.User}}]"
    said = await container.docker.ask("container", "inspect", "--format", form, container.name)
    folder, user = json.loads(said)
    return folder or "/", user


async def _owner(container: Container, user: str) -> Owner:
    """The numbers of the user of a container."""
    name, _, group = user.partition(":")
    if not name:
        return Owner()
    if name.isdecimal():
        return Owner(int(name), int(group) if group.isdecimal() else 0)
    job = container.docker.job
    async with job.tempdir("users-") as scratch:
        users = [("passwd", scratch / "tar")]
        is_there = await _copy_out(container, "/etc/passwd", scratch / "tar")

        async def listed() -> str:
            if not is_there:
                return ""
            await stoppable(lambda stop: _unpack_all(users, scratch, stop))
            return await in_thread(_beginning, scratch / _FILES / "passwd")

        # Once: a durable job that goes on may have left the folder.
        text = await job.once("docker users", listed)
    found = re.search(rf"^{re.escape(name)}:[^:]*:(\d+):(\d+):", text, re.MULTILINE)
    if found is None:
        return Owner()  # The engine says what is wrong with it.
    return Owner(int(found[1]), int(group) if group.isdecimal() else int(found[2]))
