"""The signature of a function on currents, as `help()` and editors show it."""

from __future__ import annotations

import inspect
import re
from typing import Any

from pycurrent.term.current import Current
from pycurrent.term.primitive import Primitive

_PRIMITIVE = r"(?s:((?:\w+\.)*)Primitive\[(.*)\])"


def lifted(signature: inspect.Signature, *, takes_name: bool) -> inspect.Signature:
    """Change the signature of a function on values that returns a `Primitive`: each parameter takes
    a value or a current of it, a `Current` comes back, and a stage may get a name.

    Annotations may be texts, and stay texts. One that is not a type is left alone.
    """
    parameters = [
        parameter.replace(annotation=_either(parameter.annotation))
        for parameter in signature.parameters.values()
    ]
    if takes_name:
        only = inspect.Parameter.KEYWORD_ONLY
        parameters.append(inspect.Parameter("name", only, default=None, annotation=str | None))
    return signature.replace(
        parameters=parameters, return_annotation=_returned(signature.return_annotation)
    )


def _either(annotation: Any) -> Any:
    if annotation is inspect.Parameter.empty:
        return annotation
    if isinstance(annotation, str):
        return f"{annotation} | Current[{annotation}]"
    try:
        return annotation | Current[annotation]
    except TypeError:
        return annotation


def _returned(annotation: Any) -> Any:
    if isinstance(annotation, str):
        found = re.fullmatch(_PRIMITIVE, annotation.strip())
        return annotation if found is None else f"{found[1]}Current[{found[2]}]"
    if getattr(annotation, "__origin__", None) is Primitive:
        return Current[annotation.__args__]
    return Current if annotation is Primitive else annotation
