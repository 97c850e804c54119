"""Commands on a pipeline: their options and the parameters of its function are one set.

For `pycurrent run FILE ...` the function is known only once FILE is. So the command line is
read twice: first for FILE, with all that is not known yet left aside, and then as a whole.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from types import SimpleNamespace
from typing import Annotated, Any, Generic, TypeVar, get_type_hints

from cyclopts import App, Group, Parameter, default_name_transform

from pycurrent.cli.load import Pipeline, SiteOf, build, load
from pycurrent.cli.types import can_be_option, exact
from pycurrent.errors import UsageError
from pycurrent.term import Current

O = TypeVar("O")  # noqa: E741

_FILE = "_file"
_OPTIONS = "_options"
_OF_PIPELINE = Group("Options of the pipeline", sort_key=1)
_OF_COMMAND = Group("Options", sort_key=2)


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
    """A dataclass."""
    act: Callable[[Call, O], int]

    def on_file(self, tokens: Sequence[str]) -> int:
        """The command, told by its arguments on which file. Raises what cyclopts does."""
        target = self._target(tokens)
        program = f"pycurrent {self.name}"
        if target is None:
            # Nothing but a request for help, or a mistake: either way it ends here.
            return _run(self._app(program, f"{program} FILE[:FUNCTION]", self._without), tokens)
        found = load(target)
        merged = self._merge(found.pipeline, target, takes_file=True, site=found.site)
        return _run(self._app(program, f"{program} {target}", merged), tokens)

    def of_script(
        self, pipeline: Pipeline, script: str, site: SiteOf | None = None
    ) -> Callable[..., int]:
        """The command of a script that has the pipeline."""
        return self._merge(pipeline, script, takes_file=False, site=site)

    def _target(self, tokens: Sequence[str]) -> str | None:
        """The first argument that belongs to no option of the command. Only those may come
        before it: of another one it is not known yet what belongs to it.
        """
        app = self._app("", "", self._looking)
        wanted = [token for token in tokens if token not in _HELP]
        _, bound, _, _ = app.parse_known_args(wanted)
        target: str | None = bound.arguments.get("file")
        return target

    def _app(self, name: str, usage: str, function: Callable[..., Any]) -> App:
        return App(
            name=name,
            usage=f"Usage: {usage} [OPTIONS]" if usage else "",
            default_command=function,
            # A pipeline may have a `--version` of its own.
            version_flags=(),
            help_flags=_HELP if usage else (),
            group_commands=_OF_COMMAND,
            help_format="plaintext",
            result_action="return_value",
        )

    @property
    def _looking(self) -> Callable[..., None]:
        """Takes the options of the command, and a file."""

        def look(file: str | None = None, /, **options: Any) -> None:
            """Never called."""

        file, _ = inspect.signature(look, eval_str=True).parameters.values()
        signature = inspect.Signature([file, self._own_options()])
        look.__signature__ = signature  # type: ignore[attr-defined]
        look.__annotations__ = {}
        return look

    @property
    def _without(self) -> Callable[..., int]:
        """The command without a pipeline: can only say that it needs one."""

        def without(_file: str, /, **options: Any) -> int:
            raise AssertionError("there is a file")

        signature = inspect.Signature([_file_parameter(shown=True), self._own_options()])
        without.__signature__ = signature  # type: ignore[attr-defined]
        without.__annotations__ = {}
        without.__doc__ = self.help
        return without

    def _merge(
        self, pipeline: Pipeline, where: str, *, takes_file: bool, site: SiteOf | None = None
    ) -> Callable[..., int]:
        """A function with the parameters of both: builds the pipeline, and acts."""
        parameters = self._parameters(pipeline, where)
        merged = inspect.Signature(
            [*([_file_parameter(shown=False)] if takes_file else []), *parameters]
        )

        def command(*args: Any, **kwargs: Any) -> int:
            bound = merged.bind(*args, **kwargs)
            bound.arguments.pop(_FILE, None)
            options = bound.arguments.pop(_OPTIONS, self.options())
            given = inspect.BoundArguments(own, bound.arguments)
            term, unused = build(pipeline, given.args, given.kwargs)
            return self.act(Call(where, term, site, unused), options)

        own = inspect.signature(pipeline)
        command.__signature__ = merged  # type: ignore[attr-defined]
        command.__doc__ = pipeline.__doc__ or self.help
        command.__annotations__ = {}
        return command

    def _parameters(self, pipeline: Pipeline, where: str) -> list[inspect.Parameter]:
        name = getattr(pipeline, "__name__", "the pipeline")
        try:
            known = _annotated(pipeline)
        except Exception as error:
            raise UsageError(
                f"the annotations of {name} in {where} can't be read: {type(error).__name__}:"
                f" {error}"
            ) from error
        options = fields(self.options)  # type: ignore[arg-type]
        taken = {"help", *(default_name_transform(field.name) for field in options)}
        for parameter in known:
            if default_name_transform(parameter.name) in taken:
                raise UsageError(
                    f"parameter {parameter.name!r} of {name} in {where} is named as an option of"
                    f" `{self.name}`: give it another name"
                )
            if parameter.default is parameter.empty and not can_be_option(parameter.annotation):
                kind = inspect.formatannotation(parameter.annotation)
                raise UsageError(
                    f"parameter {parameter.name!r} of {name} in {where} is of type {kind}, which"
                    " can't be an option: give it a default, or another type, such as str, int,"
                    " Path, an Enum or a dataclass of these"
                )
        parameters = [_in_group(parameter) for parameter in known]
        rest = inspect.Parameter.VAR_KEYWORD
        return [
            *(parameter for parameter in parameters if parameter.kind is not rest),
            self._own_options(),
            *(parameter for parameter in parameters if parameter.kind is rest),
        ]

    def _own_options(self) -> inspect.Parameter:
        return inspect.Parameter(
            _OPTIONS,
            inspect.Parameter.KEYWORD_ONLY,
            # Not None: where pydantic has been imported, by a pipeline for example, cyclopts has it
            # check that the default is of the type.
            default=self.options(),
            annotation=Annotated[self.options, Parameter(name="*", group=_OF_COMMAND)],
        )


_HELP = ("--help", "-h")


def _run(app: App, tokens: Sequence[str]) -> int:
    status: int | None = app(list(tokens), exit_on_error=False, print_error=False)
    return status or 0


def _file_parameter(*, shown: bool) -> inspect.Parameter:
    return inspect.Parameter(
        _FILE,
        inspect.Parameter.POSITIONAL_ONLY,
        annotation=Annotated[
            str,
            Parameter(
                name="FILE",
                show=shown,
                group=_OF_COMMAND,
                help="The Python file with the pipeline: its function `pipeline`, or the only one"
                " that returns a current, or FUNCTION. The function's parameters are options,"
                " which `FILE --help` shows.",
            ),
        ],
    )


def _annotated(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a function, with annotations that are text evaluated.

    That of what it returns is not: it may well be imported for the type checker only.
    """
    parameters = inspect.signature(function).parameters.values()
    written = {p.name: p.annotation for p in parameters if p.annotation is not p.empty}
    names = getattr(inspect.unwrap(function), "__globals__", {})
    types = get_type_hints(SimpleNamespace(__annotations__=written), names, include_extras=True)
    return [p.replace(annotation=types.get(p.name, p.annotation)) for p in parameters]


def _in_group(parameter: inspect.Parameter) -> inspect.Parameter:
    """The parameter, listed among those of the pipeline. What its author says of it counts more."""
    shown = Parameter(group=_OF_PIPELINE, consume_multiple=True)
    annotation = parameter.annotation
    if annotation is parameter.empty:
        known = parameter.default not in (parameter.empty, None)
        annotation = type(parameter.default) if known else str
    annotation = exact(annotation)
    theirs = getattr(annotation, "__metadata__", ())
    if theirs:
        return parameter.replace(annotation=Annotated[(annotation.__origin__, shown, *theirs)])
    return parameter.replace(annotation=Annotated[annotation, shown])
