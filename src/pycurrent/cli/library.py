"""Command lines of commands on a pipeline, read by cyclopts.

For `pycurrent run FILE ...` the function is known only once FILE is. So the command line is
read twice: first for FILE, leaving unknown options aside, and then as a whole.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, get_args

from cyclopts import App, CycloptsError, Group, Parameter, UnknownCommandError, validators
from cyclopts import default_name_transform as flag_name
from msgspec.structs import FieldInfo, fields

from pycurrent.cli.option import SITE
from pycurrent.cli.options import reading
from pycurrent.cli.plain import annotations_of, option_of, signature_of
from pycurrent.cli.types import can_be_option, exact
from pycurrent.errors import UsageError

if TYPE_CHECKING:
    from pycurrent.cli.load import Extras, Loaded, Pipeline
    from pycurrent.cli.pipeline_command import PipelineCommand

_FILE = "_file"
_OF_PIPELINE = Group("Options of the pipeline", sort_key=1)
_OF_COMMAND = Group("Options", sort_key=2)
_GROUPS = {None: _OF_COMMAND, SITE: Group(SITE, sort_key=3)}


class Reader:
    """Reads the command line of one command."""

    def __init__(self, command: PipelineCommand[Any]) -> None:
        self._command = command
        self._options = fields(command.options)

    def on_file(self, tokens: Sequence[str], found: Loaded | None) -> int:
        """Run the command line; `found` is in the file that it names, if that was loaded.

        Raises `UsageError`.
        """
        target = self._target(tokens)
        program = f"pycurrent {self._command.name}"
        if target is None:
            # Only a request for help, or a mistake: either way it ends here.
            return call(self._app(program, f"{program} FILE[:FUNCTION]", self._without), tokens)
        if found is None:
            # Only here: a list of the commands needs no pipeline.
            from pycurrent.cli.load import load

            found = load(target)
        merged = self._merge(found.pipeline, target, takes_file=True, extras=found.extras)
        return call(self._app(program, f"{program} {target}", merged), tokens)

    def of_script(self, pipeline: Pipeline, script: str, extras: Extras) -> Callable[..., int]:
        """The command of a script that has the pipeline."""
        return self._merge(pipeline, script, takes_file=False, extras=extras)

    def _target(self, tokens: Sequence[str]) -> str | None:
        """The first argument that is not part of an option of the command. Only those options may
        come before it, because we don't know yet which arguments belong to others.
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
        """The parser of the command's options and a file."""

        def look(file: str | None = None, /, **options: Any) -> None:
            """Never called."""

        file, _ = inspect.signature(look, eval_str=True).parameters.values()
        look.__signature__ = inspect.Signature([file, *self._own()])  # type: ignore[attr-defined]
        look.__annotations__ = {}
        return look

    @property
    def _without(self) -> Callable[..., int]:
        """The command without a pipeline: can only say that it needs one."""

        def without(_file: str, /, **options: Any) -> int:
            raise AssertionError("there is a file")

        signature = inspect.Signature([_file_parameter(shown=True), *self._own()])
        without.__signature__ = signature  # type: ignore[attr-defined]
        without.__annotations__ = {}
        without.__doc__ = self._command.help
        return without

    def _merge(
        self, pipeline: Pipeline, where: str, *, takes_file: bool, extras: Extras
    ) -> Callable[..., int]:
        """A function with the parameters of both: builds the pipeline, and acts."""
        parameters = self._parameters(pipeline, where)
        merged = inspect.Signature(
            [*([_file_parameter(shown=False)] if takes_file else []), *parameters]
        )

        def command(*args: Any, **kwargs: Any) -> int:
            given = merged.bind(*args, **kwargs).arguments
            given.pop(_FILE, None)
            names = [option.name for option in self._options if option.name in given]
            options = self._command.options(**{name: given.pop(name) for name in names})
            theirs = inspect.BoundArguments(own, given)
            return self._command.begin(pipeline, where, extras, options, theirs.args, theirs.kwargs)

        own = signature_of(pipeline)
        command.__signature__ = merged  # type: ignore[attr-defined]
        command.__doc__ = pipeline.__doc__ or self._command.help
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
        taken = {"help", *(flag_name(option.name) for option in self._options)}
        for parameter in known:
            if flag_name(parameter.name) in taken:
                raise UsageError(
                    f"parameter {parameter.name!r} of {name} in {where} is named as an option of"
                    f" `{self._command.name}`: give it another name"
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
            *self._own(),
            *(parameter for parameter in parameters if parameter.kind is rest),
        ]

    def _own(self) -> list[inspect.Parameter]:
        """The command's own options."""
        return [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=Annotated[get_args(field.type)[0], _parameter(field)],
            )
            for field in self._options
        ]


def _parameter(field: FieldInfo) -> Parameter:
    """The option that a field is, in the form of the library."""
    option = option_of(field)
    bounded = option.at_least is not None or option.at_most is not None
    return Parameter(
        help=option.help,
        metavar=option.metavar,
        env_var=option.env,
        group=_GROUPS[option.group],
        # Only a flag that is neither on nor off by default has both forms.
        negative=None if field.default is None else "",
        converter=None if option.read is None else reading(option.read),
        n_tokens=None if option.read is None else 1,
        validator=validators.Number(gte=option.at_least, lte=option.at_most) if bounded else None,
    )


_HELP = ("--help", "-h")


def call(app: App, tokens: Sequence[str]) -> int:
    """The exit status of a command. Raises `UsageError`, and what the command raises."""
    try:
        status = app(list(tokens), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        error.verbose = False  # It would mention our functions.
        said = str(error).rstrip(". ")
        if isinstance(error, UnknownCommandError):
            # It names only some of them, badly joined; --help lists them all.
            said = said.partition(" Available commands: ")[0].rstrip(".")
        raise UsageError(f"{said}; see --help") from None
    return status if isinstance(status, int) else 0


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
                help="The Python file with the pipeline, or the name of a module: its function"
                " `pipeline`, or the only one that returns a current, or FUNCTION. The function's"
                " parameters are options, which `FILE --help` shows.",
            ),
        ],
    )


def _annotated(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters of a function, with annotations evaluated that are text."""
    parameters = signature_of(function).parameters.values()
    types = annotations_of(function)
    return [p.replace(annotation=types.get(p.name, p.annotation)) for p in parameters]


def _in_group(parameter: inspect.Parameter) -> inspect.Parameter:
    """The parameter, listed among those of the pipeline. The author's settings take precedence."""
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
