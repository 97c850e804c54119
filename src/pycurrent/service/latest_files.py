"""The newest good files of stages: what a link means that stays the same from run to run."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from pycurrent.errors import UsageError
from pycurrent.service.archive import Archive
from pycurrent.service.errors import NoSuchFile
from pycurrent.service.history import Records
from pycurrent.service.kept_files import Kept, KeptFiles

MOST_STAGES = 100
"""How many stages are looked at for one link."""
_NAMED = 5
"""How many of the places at which a file is a message names."""


class SeveralFiles(UsageError):
    """A link could mean several files."""


class LatestFile(Struct, frozen=True):
    """A place in what the newest good job of a stage has saved."""

    stage: str
    kept: Kept
    path: str
    """Without links."""
    digest: str | None
    """Of the file; None for a folder."""

    def __str__(self) -> str:
        record = self.kept.record
        return f"{self.path or 'all'} in {record.name} of stage {self.stage}, job {record.job_id}"


async def latest_below(files: KeptFiles, archive: Archive, path: str) -> LatestFile:
    """The place at a path that begins with that of a stage: the longest one that has the rest.

    Raises `NoSuchFile`, `SeveralFiles`, and `FilesLost`.
    """
    parts = path.strip("/").split("/")
    splits = [("/".join(parts[:at]), "/".join(parts[at:])) for at in range(len(parts), 0, -1)]
    jobs = await _newest_good(archive, [stage for stage, _ in splits])
    for stage, rest in splits:
        found = await _found(files, stage, jobs.get(stage), rest)
        if found:
            return _only(found, path)
    stages = [stage for stage, _ in splits if stage in jobs]
    if not stages:
        raise NoSuchFile(f"no stage whose path begins {path!r} has a good result")
    raise NoSuchFile(
        f"the newest good job of {stages[0]}, {jobs[stages[0]]}, has saved no such file"
    )


async def latest_of(
    files: KeptFiles, archive: Archive, stages: Sequence[str], path: str
) -> LatestFile:
    """The place at a path within the newest good files of these stages. Raises as `latest_below`
    does, and `UsageError` for too many stages.
    """
    if len(stages) > MOST_STAGES:
        raise UsageError(f"{len(stages):,} stages match: name one by `stage`, or give more labels")
    jobs = await _newest_good(archive, stages)
    found = [
        place
        for stage in stages
        for place in await _found(files, stage, jobs.get(stage), path.strip("/"))
    ]
    if not found:
        raise NoSuchFile(f"the newest good jobs of these stages have saved no file {path!r}")
    return _only(found, path)


async def _newest_good(archive: Archive, stages: Sequence[str]) -> dict[str, str]:
    def read(records: Records) -> dict[str, str]:
        found = [(stage, records.newest_good(stage)) for stage in stages]
        return {stage: job for stage, job in found if job is not None}

    return await archive.read(read)


async def _found(files: KeptFiles, stage: str, job_id: str | None, path: str) -> list[LatestFile]:
    found: list[LatestFile] = []
    for kept in [] if job_id is None else await files.of_job(job_id):
        listed = await files.listed(kept)
        entry, folder = listed.find(path), listed.folder(path)
        if entry is not None:
            found.append(LatestFile(stage, kept, entry.path, entry.digest))
        elif folder is not None:
            found.append(LatestFile(stage, kept, folder, None))
    return found


def _only(found: Sequence[LatestFile], path: str) -> LatestFile:
    """The place that is meant: files come before folders, and of equal ones that with the most
    beside it. Raises `SeveralFiles`.
    """
    places = [place for place in found if place.digest is not None] or found
    if len({place.digest or place.kept.record.digest for place in places}) > 1:
        named = "; ".join(map(str, places[:_NAMED]))
        raise SeveralFiles(f"{path!r} could mean several: {named}")
    return max(places, key=lambda place: place.kept.record.count or 0)
