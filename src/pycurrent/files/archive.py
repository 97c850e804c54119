"""Folders as tar archives: on their way to other machines, and back.

Archives that come back are not trusted. Their names are checked as those of trees are, files and
folders are made new in a folder that nobody else has, and links come last: none is ever gone
through. Owners, devices, pipes and all permissions above 0o777 are left out. Links may lead
anywhere here: `save` checks those that it keeps.

Archives are in GNU's format, which every `tar` reads, whatever is in the names.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, BinaryIO

from pycurrent.files.content import digest_of_file
from pycurrent.files.errors import FilesError, Stopped
from pycurrent.files.names import check_path

if TYPE_CHECKING:
    import tarfile

_CHUNK = 1 << 18
_ZEROS = bytes(_CHUNK)
_PERMISSIONS = 0o777


@dataclass(frozen=True, slots=True)
class Owner:
    """The numbers of the user and the group that files are to belong to."""

    user: int = 0
    group: int = 0


@dataclass(frozen=True, slots=True)
class Content:
    """A content that the reader of an archive may keep, or has."""

    digest: str
    size: int
    is_there: bool = False

    @property
    def name(self) -> str:
        """Stands where links have their targets."""
        return f"kept:{self.digest}:{self.size}" if self.is_there else f"keep:{self.digest}"


_NO_CONTENTS: Mapping[str, Content] = {}


def pack(
    folder: Path,
    target: BinaryIO,
    stop: Event,
    *,
    without: Collection[str] = (),
    owner: Owner = Owner(),
    contents: Mapping[str, Content] = _NO_CONTENTS,
) -> None:
    """Write an archive of all that is in a folder, but for entries of the folders `without`, which
    have to be there already. Blocks. Raises `Stopped`.

    A folder whose permissions forbid its owner to make files comes after all that is in it. Files
    whose `contents` are told by their paths have their digests with them, and come without content
    if that is there: for an agent at another place.
    """
    import tarfile

    sealed: list[Path] = []
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.GNU_FORMAT) as tar:
        for path, folders, files in os.walk(folder):
            folders.sort()
            for name in sorted((*folders, *files)):
                at = Path(path, name)
                if _is_sealed(at):
                    sealed.append(at)
                elif at.relative_to(folder).as_posix() not in without:
                    _add(tar, at, folder, owner, contents, stop)
        for at in reversed(sealed):
            _add(tar, at, folder, owner, contents, stop)


def contents_of(folder: Path, least: int, stop: Event) -> dict[str, Content]:
    """The contents of the files in a folder that have `least` bytes or more, by their paths.
    Blocks. Raises `Stopped`.
    """
    found = {}
    for path, _, files in os.walk(folder):
        for name in files:
            at = Path(path, name)
            status = at.lstat()
            if stat.S_ISREG(status.st_mode) and status.st_size >= least:
                with at.open("rb", buffering=0) as file:
                    digest, size = digest_of_file(file.fileno(), stop.is_set)
                found[at.relative_to(folder).as_posix()] = Content(digest, size)
    return found


def _is_sealed(path: Path) -> bool:
    mode = path.lstat().st_mode
    return stat.S_ISDIR(mode) and mode & stat.S_IRWXU != stat.S_IRWXU


def member(name: str, data: bytes) -> bytes:
    """A file as the beginning of an archive, which another archive may follow."""
    import tarfile

    info = tarfile.TarInfo(name)
    info.mode, info.size = 0o600, len(data)
    padding = bytes(-len(data) % tarfile.BLOCKSIZE)
    return info.tobuf(tarfile.GNU_FORMAT) + data + padding


def _add(
    tar: tarfile.TarFile,
    path: Path,
    folder: Path,
    owner: Owner,
    contents: Mapping[str, Content],
    stop: Event,
) -> None:
    import tarfile

    if stop.is_set():
        raise Stopped
    status = path.lstat()
    info = tarfile.TarInfo(path.relative_to(folder).as_posix())
    info.mode, info.mtime = stat.S_IMODE(status.st_mode) & _PERMISSIONS, int(status.st_mtime)
    info.uid, info.gid = owner.user, owner.group
    if stat.S_ISLNK(status.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, str(path.readlink())
    elif stat.S_ISDIR(status.st_mode):
        info.type = tarfile.DIRTYPE
    else:
        content = contents.get(info.name)
        if content is not None:
            info.linkname = content.name
        if content is None or not content.is_there:
            info.size = status.st_size
        with _Stoppable(path, stop) as file:
            tar.addfile(info, file)
        return
    tar.addfile(info)


class _Stoppable(FileIO):
    """A file whose reading ends when nobody wants it any more."""

    def __init__(self, path: Path, stop: Event) -> None:
        super().__init__(path)
        self._stop = stop

    def read(self, size: int | None = -1, /) -> bytes:
        if self._stop.is_set():
            raise Stopped
        return super().read(size)


def unpack(source: BinaryIO, folder: Path, stop: Event) -> list[str]:
    """Make the files, links and folders of an archive in an empty folder of the caller's, and
    return the paths of what was left out: devices, pipes and sockets. Blocks.

    Raises `FilesError` for a path that leads out, and for a damaged archive; `Stopped`.
    """
    import tarfile

    unpacking = _Unpacking(folder, stop)
    try:
        with tarfile.open(fileobj=source, mode="r|") as tar:
            for member in tar:
                unpacking.take(tar, member)
    except tarfile.TarError as error:
        raise FilesError(f"that is not a whole archive of files: {error}") from None
    unpacking.finish()
    return unpacking.left_out


@dataclass(slots=True)
class _Unpacking:
    """The unpacking of one archive."""

    folder: Path
    stop: Event
    left_out: list[str] = field(default_factory=list)
    _files: set[str] = field(default_factory=set)
    _links: dict[str, str] = field(default_factory=dict)
    _folders: dict[str, int] = field(default_factory=dict)
    """With their permissions."""

    def take(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        if self.stop.is_set():
            raise Stopped
        path = _path_of(member.name)
        if not path:
            return  # The folder itself.
        if path in self._files or path in self._links:
            raise FilesError(f"the archive has {path} twice")
        mode = member.mode & _PERMISSIONS
        if member.isdir():
            self._make(path)
            self._folders[path] = mode
        elif member.issym():
            if not member.linkname or "\0" in member.linkname:
                raise FilesError(f"the archive has a link {path} that leads to nothing")
            self._links[path] = member.linkname
        elif member.islnk():
            self._link_file(path, _path_of(member.linkname))
        elif member.isreg():
            self._file(tar, member, path, mode)
        else:
            self.left_out.append(path)

    def finish(self) -> None:
        """Make the links, then give the folders their permissions."""
        for path, target in self._links.items():
            if path in self._folders:
                raise FilesError(f"the archive has {path} twice")
            self._make(path.rpartition("/")[0])
            (self.folder / path).symlink_to(target)
        for path, mode in sorted(self._folders.items(), reverse=True):
            (self.folder / path).chmod(mode)

    def _make(self, path: str) -> None:
        """Make a folder, with those that it is in."""
        if not path or path in self._folders:
            return
        self._make(path.rpartition("/")[0])
        if path in self._files or path in self._links:
            raise FilesError(f"the archive has {path} twice, once as a folder")
        (self.folder / path).mkdir(mode=0o700)
        self._folders[path] = 0o755

    def _file(self, tar: tarfile.TarFile, member: tarfile.TarInfo, path: str, mode: int) -> None:
        target = self._new(path)
        data = tar.extractfile(member)
        assert data is not None  # It is a file.
        with target.open("xb") as file:
            while part := data.read(_CHUNK):
                if self.stop.is_set():
                    raise Stopped
                if part == _ZEROS:
                    file.seek(len(part), os.SEEK_CUR)
                else:
                    file.write(part)
            file.truncate(member.size)
        target.chmod(mode)

    def _link_file(self, path: str, source: str) -> None:
        """One of several names of a file."""
        if source not in self._files:
            raise FilesError(
                f"the archive has {path} as another name of {source}, and no such file"
            )
        self._new(path).hardlink_to(self.folder / source)

    def _new(self, path: str) -> Path:
        self._make(path.rpartition("/")[0])
        if path in self._folders:
            raise FilesError(f"the archive has {path} twice, once as a folder")
        self._files.add(path)
        return self.folder / path


def _path_of(name: str) -> str:
    """The path of a member, "" for the folder itself. Raises `FilesError` if it leads out."""
    path = name.removeprefix("./").removesuffix("/")
    if path in {"", "."} and not name.startswith("/"):
        return ""
    check_path(path)
    return path
