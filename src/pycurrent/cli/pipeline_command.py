"""Commands on a pipeline, whose options include the parameters of its function.

`plain.py` reads a command line if it can, because it is fast; otherwise `library.py` does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from msgspec import Struct, field

from pycurrent.cli.load import NO_EXTRAS, Extras, Pipeline, WrongPipeline, build, load
from pycurrent.cli.plain import Plain, may_be_plain, read_plainly, target_in
from pycurrent.errors import UsageError
from pycurrent.term import Current, docstring_of

O = TypeVar("O", bound=Struct)  # noqa: E741


class Call(Struct, frozen=True):
    """The pipeline of a command line: its name, and its term."""

    name: str
    term: Current[Any]
    about: str = ""
    """See `docstring_of`."""
    extras: Extras = NO_EXTRAS
    """The author's functions beside the pipeline."""
    unused: list[str] = field(default_factory=list)
    """The terms that it has built and doesn't use."""


class PipelineCommand(Struct, Generic[O], frozen=True):
    """A command, for any pipeline. `act` returns the exit status."""

    name: str
    help: str
    options: type[O]
    """A struct whose fields are described by an `Option`."""
    act: Callable[[Call, O], int]
    tell: Callable[[UsageError], int] | None = None
    """Tells of a pipeline that can't be built, and returns the exit status; without one that is
    an error of the command line.
    """

    def on_file(self, tokens: Sequence[str]) -> int:
        """Run the command on the file that its arguments name. Raises `UsageError`."""
        try:
            return self._on_file(tokens)
        except WrongPipeline as error:
            if self.tell is None:
                raise
            return self.tell(error)

    def _on_file(self, tokens: Sequence[str]) -> int:
        found = None
        if (target := target_in(tokens, self.options)) is not None:
            found = load(target)
            plain = self._read_plainly(tokens, found.pipeline)
            if plain is not None and plain.arguments == (target,):
                return self.begin(
                    found.pipeline, target, found.extras, plain.options, kwargs=plain.given
                )
        from pycurrent.cli.library import Reader

        return Reader(self).on_file(tokens, found)

    def on_script(
        self, pipeline: Pipeline, script: str, extras: Extras, tokens: Sequence[str]
    ) -> int | None:
        """Run the command of a script with the pipeline; None if the library has to read it."""
        plain = self._read_plainly(tokens, pipeline)
        if plain is None or plain.arguments:
            return None
        return self.begin(pipeline, script, extras, plain.options, kwargs=plain.given)

    def _read_plainly(self, tokens: Sequence[str], pipeline: Pipeline) -> Plain[O] | None:
        return read_plainly(tokens, self.options, pipeline) if may_be_plain(pipeline) else None

    def begin(
        self,
        pipeline: Pipeline,
        where: str,
        extras: Extras,
        options: O,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> int:
        """Build the pipeline with its parameters, and act."""
        try:
            term, unused = build(pipeline, args, kwargs or {})
        except UsageError as error:
            if self.tell is None:
                raise
            return self.tell(error)
        return self.act(Call(where, term, docstring_of(pipeline), extras, unused), options)
