"""Files that operations are given, and that they make: their `inputs` and `outputs`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pycurrent.cache import OfEngine, ResultCache
from pycurrent.errors import UsageError, WrongKind
from pycurrent.files import File, FilesError, Tree
from pycurrent.files.names import check_path
from pycurrent.files.patterns import checked_patterns
from pycurrent.term import Current, Primitive, Trust, seq, shown

if TYPE_CHECKING:
    from pycurrent.engine.job_files import JobFiles

T = TypeVar("T")

Saved = Tree | File
"""The files that a job has saved."""

InputFiles = Mapping[str, Tree | File | Current[Tree] | Current[File]]
"""The files that an operation is given, by the paths at which it finds them."""


@dataclass(frozen=True, slots=True)
class GivenFiles:
    """The inputs of an operation as its author gives them: some are currents."""

    by_path: Mapping[str, Any]

    @classmethod
    def of(cls, inputs: InputFiles | None, *, absolute: bool = False) -> GivenFiles:
        """Raises UsageError for a path that leads out, and for what is not saved. Paths that begin
        with a slash lead out, unless they may be `absolute`.
        """
        if inputs is None:
            return cls({})
        if not isinstance(inputs, Mapping):
            raise WrongKind(
                f"inputs= takes a dict of trees by their folders, not {shown(inputs)}: write"
                ' {"dist": tree}'
            )
        by_path: dict[str, Any] = {}
        for given_path, given in inputs.items():
            path = _checked_place(given_path, absolute=absolute)
            if not isinstance(given, Tree | File | Current):
                raise WrongKind(
                    f"inputs= takes a Tree or a File for {path!r}, or a current of one, not"
                    f" {shown(given)}"
                )
            if path in by_path:
                raise UsageError(f"inputs= has {path!r} twice: drop one of them")
            by_path[path] = given
        _check_apart(by_path)
        return cls(by_path)

    @property
    def currents(self) -> list[Current[Sequence[Saved]]]:
        """The inputs that are currents, in one current; empty if there are none."""
        found = [given for given in self.by_path.values() if isinstance(given, Current)]
        return [seq(found)] if found else []

    def with_values(self, values: Sequence[Saved]) -> dict[str, Saved]:
        """All of them, with the values of those that are currents. Raises UsageError for another
        kind of value, and for one in a file.
        """
        rest = iter(values)
        found = {
            path: next(rest) if isinstance(given, Current) else given
            for path, given in self.by_path.items()
        }
        for path, value in found.items():
            if not isinstance(value, Tree | File):
                raise WrongKind(f"inputs= takes a Tree or a File for {path!r}, not {shown(value)}")
        _check_apart(found)
        return dict(sorted(found.items()))


def checked_outputs(outputs: str | Sequence[str] | None) -> tuple[str, ...]:
    """The patterns of what an operation makes. Raises UsageError for what can't be one."""
    return () if outputs is None else checked_patterns(outputs, "outputs=")


def of_engine_files(want: Callable[[JobFiles], Primitive[T]]) -> Primitive[T]:
    """Want something that has to know the files of its engine."""

    def of_engine(cache: ResultCache, _: Trust) -> Primitive[T]:
        return want(cache.engine.files)

    return OfEngine(of_engine)


def files_json(saved: Saved) -> dict[str, object]:
    """The form in keys."""
    return asdict(saved)


def files_of_json(data: Any) -> Saved:
    """Read that form."""
    return Tree(**data) if "count" in data else File(**data)


def all_files_json(
    inputs: Mapping[str, Saved], outputs: Sequence[str], *, required: bool
) -> dict[str, object]:
    """The part of keys that has inputs and outputs. It has no word of what is not used, so results
    from before there were files are known.
    """
    form: dict[str, object] = {}
    if inputs:
        form["inputs"] = {path: files_json(given) for path, given in inputs.items()}
    if outputs:
        form["outputs"] = list(outputs)
    if required:
        form["outputs_required"] = True
    return form


def all_files_of_json(data: Any) -> tuple[dict[str, Saved], tuple[str, ...], bool]:
    """Read that part of a key."""
    return (
        {path: files_of_json(one) for path, one in data.get("inputs", {}).items()},
        tuple(data.get("outputs", ())),
        data.get("outputs_required", False),
    )


def _check_apart(given: Mapping[str, object]) -> None:
    for path in given:
        for above in _above(path):
            if isinstance(given.get(above), File):
                raise UsageError(f"inputs= has a file for {above!r}, and {path!r} in it")


def _above(path: str) -> Iterable[str]:
    parts = path.split("/")
    return ("/".join(parts[:end]) for end in range(1, len(parts)))


def _checked_place(path: object, *, absolute: bool) -> str:
    if not isinstance(path, str):
        raise WrongKind(f"inputs= takes paths within the folder, not {shown(path)}: write 'dist'")
    place = path.removesuffix("/")
    if place != ".":
        try:
            check_path(place.removeprefix("/") if absolute else place)
        except FilesError as error:
            raise UsageError(f"inputs=: {error}") from None
    return place
