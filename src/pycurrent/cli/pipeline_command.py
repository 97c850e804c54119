"""Commands on a pipeline: their options and the parameters of its function are one set.

A command line is read by `plain.py` if it can, which takes no time, and else by `library.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pycurrent.cli.load import Pipeline, SiteOf, build, load
from pycurrent.cli.plain import has_only_defaults, read_plainly
from pycurrent.term import Current

O = TypeVar("O")  # noqa: E741


@dataclass(frozen=True)
class Call:
    """A pipeline that was asked for: by which name, and its term."""

    name: str
    term: Current[Any]
    site: SiteOf | None = None
    """What its author says about the pages."""
    unused: list[str] = field(default_factory=list)
    """What it has built and does not use."""


@dataclass(frozen=True)
class PipelineCommand(Generic[O]):
    """A command, whatever the pipeline is. `act` gives the exit status."""

    name: str
    help: str
    options: type[O]
    """A dataclass; its fields say what they are by an `Option`."""
    act: Callable[[Call, O], int]

    def on_file(self, tokens: Sequence[str]) -> int:
        """The command, told by its arguments on which file. Raises `UsageError`."""
        found = None
        plain = read_plainly(tokens, self.options)
        if plain is not None and len(plain.arguments) == 1:
            (target,) = plain.arguments
            found = load(target)
            if has_only_defaults(found.pipeline, self.options):
                return self.begin(found.pipeline, target, found.site, plain.options)
        from pycurrent.cli.library import Reader

        return Reader(self).on_file(tokens, found)

    def on_script(
        self, pipeline: Pipeline, script: str, site: SiteOf | None, tokens: Sequence[str]
    ) -> int | None:
        """The command of a script that has the pipeline; None if the library is to read it."""
        plain = read_plainly(tokens, self.options)
        if plain is None or plain.arguments or not has_only_defaults(pipeline, self.options):
            return None
        return self.begin(pipeline, script, site, plain.options)

    def begin(
        self,
        pipeline: Pipeline,
        where: str,
        site: SiteOf | None,
        options: O,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> int:
        """Build the pipeline with its parameters, and act."""
        term, unused = build(pipeline, args, kwargs or {})
        return self.act(Call(where, term, site, unused), options)
