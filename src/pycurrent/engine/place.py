"""Places: the machines that have the commands and files of jobs, if the engine's own has not."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import PosixPath
from typing import NoReturn

from msgspec import Struct

from pycurrent.engine.machine import Blame
from pycurrent.errors import PycurrentError, UsageError
from pycurrent.term import FailureKind


class PlaceLost(PycurrentError):
    """A command has got lost at its place, or the answer to a question."""

    blame = Blame.SHORTAGE
    kind = FailureKind.INFRA


class RelayCommand(Struct, frozen=True):
    """A command on the engine's machine that stands for one at a place: see `relay.py` in the room
    `places`.
    """

    argv: tuple[str, ...]
    head: Mapping[str, object]
    """The beginning of each request that it is sent."""

    def request(self, request: Mapping[str, object]) -> bytes:
        """A request as it is sent, before the input that belongs to it."""
        return json.dumps({**self.head, **request}).encode("ascii") + b"\n"


class Place(ABC):
    """Another machine, or a part of one, that a pool lends to a job."""

    __slots__ = ()

    @property
    @abstractmethod
    def name(self) -> str:
        """Its name, for people, and to find it again in its pool."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """The kind of place, as one word: `ssh`, say."""

    @property
    @abstractmethod
    def lease(self) -> float:
        """Seconds for which commands there go on at least while nobody is connected: connections
        are lost now and then, whatever the engine's lease is.
        """

    @property
    def known_as(self) -> str | None:
        """A name that no other place has, by which the next engine knows it, too. None: it is there
        for one job, and can't be asked any more once that has given it back.
        """
        return None

    @abstractmethod
    def relay(self) -> RelayCommand:
        """The command that stands for those there."""

    @abstractmethod
    def terminal(self) -> Sequence[str]:
        """The words of a command on the engine's machine that opens a terminal there, for people:
        see `terminal.py` in the room `places`.
        """

    @abstractmethod
    def ending(self, job: str) -> Sequence[str]:
        """The words of a command on the engine's machine that ends all that a job has there, by the
        token which the place knows it by. Status 0 says that nothing of it runs any more, and 254
        that the place is gone with all that ran there.
        """

    def __str__(self) -> str:
        return f"{self.name} ({self.kind})"


class JobPath(PosixPath):
    """A path as a job's commands know it. Where these run on the engine's machine it is a path like
    any other.
    """

    __slots__ = ()


class PathThere(JobPath):
    """A path at another place. No function that reads or writes files here takes it."""

    __slots__ = ()

    def __fspath__(self) -> NoReturn:
        raise UsageError(
            f"{self} is a path at another place: use job.read_file, job.write_file or job.glob,"
            " which work everywhere, or str(path) in the words of a command there"
        )
