"""The use of an operation by a stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pycurrent.cache.demands import Demand
from pycurrent.cache.instance import Instance
from pycurrent.cache.operation_type import AnyOperation, OperationType
from pycurrent.engine.paused import StagePath
from pycurrent.errors import WrongKind
from pycurrent.term import (
    NO_LABELS,
    Failure,
    Metadata,
    Output,
    Runtime,
    Stage,
    StageRef,
    Subscription,
    Trust,
    Untrusted,
    shown,
)


class Use(Demand, Subscription[Any]):
    """The use of an operation by one stage: its demand, which is its subscription as well."""

    __slots__ = ("instance", "is_open", "own_labels", "runtime")
    is_open: bool
    """False once the stage uses it no longer."""
    instance: Instance
    own_labels: Mapping[str, str]
    """The labels that the operation gives."""
    runtime: Runtime

    @property
    def stage(self) -> StageRef:
        """The stage, with all its labels; its own win over those of the operation."""
        return self.runtime.stage.with_labels(self.own_labels)

    def label(self, name: str) -> str | None:
        return self._labels_around.get(name, self.own_labels.get(name))

    @property
    def stage_labels(self) -> Mapping[str, str]:
        own, around = self.own_labels, self._labels_around
        return {**own, **around} if own else around

    @property
    def _labels_around(self) -> Mapping[str, str]:
        # Not by `stage`: that would look for its path too.
        runtime = self.runtime
        return runtime.labels if isinstance(runtime, Stage) else runtime.stage.labels

    @property
    def path(self) -> StagePath:
        # Not by `stage`: that would look for its labels too.
        runtime = self.runtime
        return runtime.path if isinstance(runtime, Stage) else runtime.stage.path

    @property
    def job_id(self) -> str | None:
        """The job that makes or has made its result; None if there was none yet."""
        return self.instance.job_id

    @property
    def labels(self) -> Mapping[str, str]:
        return self.own_labels

    def begin(self) -> None:
        """Called once it is complete, before its instance knows it."""

    def relabelled(self) -> None:
        self.instance.relabelled(self)

    def read(self) -> tuple[Output[Any], Metadata | None]:
        return self.instance.report(self)

    def close(self) -> None:
        self.is_open = False
        self.instance.leave(self)


class UntrustedUse(Use):
    """The use of an operation by a stage whose work is not trusted."""

    __slots__ = ("trust",)
    trust: Untrusted


def new_use(trust: Trust, is_input: bool, *demand: Any) -> Use:
    """The use by a stage of this trust, made of the parts of its demand."""
    if is_input:
        from pycurrent.cache.scheduled_use import (
            new_scheduled_use,  # few operations have a schedule
        )

        return new_scheduled_use(trust, *demand)
    if not isinstance(trust, Untrusted):
        return Use(*demand)
    use = UntrustedUse(*demand)
    use.trust = trust
    return use


def trust_of(runtime: Runtime) -> Trust:
    """The trust of the stage that subscribes."""
    trust = runtime.trust if isinstance(runtime, Stage) else runtime.stage.trust
    assert trust is not None, "a stage whose trust is not known has subscribed"
    return trust


def check_trust(op_type: OperationType, title: str, trust: Trust) -> None:
    """Raise `Failure` if untrusted work would set what trusted work may set as well."""
    if isinstance(trust, Untrusted) and op_type.has_value and not op_type.for_untrusted:
        raise Failure(
            f"untrusted work can't set anything: {title} is for {trust}; set it outside of"
            " untrusted(), or say for_untrusted=True of the operation if it runs none of that"
            " commit's code"
        )


def checked_labels(operation: AnyOperation, labels: Mapping[str, str]) -> Mapping[str, str]:
    """Raise `WrongKind` unless the labels that an operation gives are texts by their names."""
    if labels is NO_LABELS:
        return labels
    where = f"operation {operation.id!r}: labels()"
    if not isinstance(labels, Mapping):
        raise WrongKind(f"{where} gives a mapping of texts, not {shown(labels)}")
    for name, value in labels.items():
        if not (isinstance(name, str) and isinstance(value, str)):
            raise WrongKind(f"{where} gives {shown(name)}: {shown(value)}, which are not two texts")
    return dict(labels)
