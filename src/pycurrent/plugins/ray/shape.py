"""The resources that a job asks a Ray cluster for."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pycurrent.errors import UsageError, WrongKind
from pycurrent.term import shown

_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.ASCII | re.IGNORECASE)
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_LABEL = re.compile(rf"(?:[A-Za-z0-9.-]{{1,253}}/)?{_NAME}", re.ASCII)
_SELECTED = re.compile(rf"!?(?:{_NAME}|in\({_NAME}(?:, ?{_NAME})*\))", re.ASCII)
"""The names of labels and the values that select nodes, as Ray takes them. Else it would refuse
them only when a job asks.
"""
_UNITS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


@dataclass(frozen=True, slots=True)
class Shape:
    """The resources of one job, and the labels of the nodes that may have it."""

    bundle: dict[str, float] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        amounts = [amount_of(name, amount) for name, amount in self.bundle.items()]
        return ", ".join(amounts + [f"{name}={value}" for name, value in self.labels.items()])


def amount_of(resource: str, amount: float) -> str:
    """An amount of a resource, in words for people."""
    if resource == "memory":
        return f"{amount / (1 << 30):.3g} GiB of memory"
    return f"{amount:g} {resource}"


def shape_of(
    cpus: float,
    memory: int | str | None,
    resources: Mapping[str, float],
    labels: Mapping[str, str],
) -> Shape:
    """Raises `WrongKind` and `UsageError`."""
    bundle = {}
    named = {"cpus": cpus, **resources}
    for name, amount in named.items():
        if isinstance(amount, bool) or not isinstance(amount, int | float):
            raise WrongKind(f"ray.Cluster: {name} takes a number, not {shown(amount)}")
        if not 0 <= amount < math.inf:
            raise UsageError(f"ray.Cluster: {name} takes a number of 0 or more, not {amount}")
    for name, instead in (("CPU", "cpus="), ("memory", "memory=")):
        if name in resources:
            raise UsageError(f"ray.Cluster: write {instead} instead of {name} in resources=")
    if "GPU" in resources:
        raise UsageError(
            "ray.Cluster: Ray tells only its own tasks which GPU is theirs: give the nodes that"
            " have some a resource of another name, as in ray start --resources='{\"gpu-box\": 1}'"
        )
    if cpus:
        bundle["CPU"] = float(cpus)
    if memory is not None:
        bundle["memory"] = float(_bytes(memory))
    bundle.update({name: float(amount) for name, amount in resources.items() if amount})
    if not bundle:
        raise UsageError("ray.Cluster: a job asks for something at least: cpus=0.1, say")
    if not all(isinstance(text, str) for item in labels.items() for text in item):
        raise WrongKind(f"ray.Cluster: labels= takes texts, not {shown(dict(labels))}")
    for name, value in labels.items():
        if not _LABEL.fullmatch(name) or not _SELECTED.fullmatch(value):
            raise UsageError(
                f"ray.Cluster: labels= takes names with values like arm64, !arm64 or in(a,b), not"
                f" {shown({name: value})}"
            )
    return Shape(bundle, dict(labels))


def _bytes(memory: Any) -> int:
    if isinstance(memory, int) and not isinstance(memory, bool) and memory > 0:
        return memory
    found = _MEMORY.fullmatch(memory.strip()) if isinstance(memory, str) else None
    if found is None:
        raise UsageError(f'ray.Cluster: memory= takes bytes, or a text like "4G", not {memory!r}')
    return int(float(found[1]) * 1024 ** _UNITS[found[2].upper()])
