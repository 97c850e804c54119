"""The use of a builder with a schedule, which can be pinned as any input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pycurrent.cache.operation_type import GONE
from pycurrent.cache.use import Use
from pycurrent.engine.pinnable import LOOKED_AT, Pinnable, RecordedValue
from pycurrent.engine.pins import Pins
from pycurrent.engine.value_codec import ValueCodec
from pycurrent.term import Metadata, Output, Trust, Untrusted


class ScheduledUse(Use, Pinnable[Any]):
    """The use of a builder with a schedule: an input, as its result comes from outside."""

    def begin(self) -> None:
        """Find the pin of its stage, if there is one. Called once it is complete."""
        self.runtime.service(Pins).begin(self, self.runtime)

    @property
    def job_id(self) -> str | None:
        pin = self.pin
        return super().job_id if pin is None or pin.job is None else pin.job

    def read(self) -> tuple[Output[Any], Metadata | None]:
        return self.held() or super().read()

    @property
    def codec(self) -> ValueCodec:
        return self.instance.op_type.outcome

    def present(self) -> tuple[Output[Any], str | None]:
        output, metadata = super().read()
        return output, None if metadata is None else metadata.job_id

    def recorded(self) -> Iterator[RecordedValue]:
        instance = self.instance
        op, digest = instance.op_type.id, instance.key.digest
        found = instance.store.key_values(op, digest, limit=LOOKED_AT)
        return (RecordedValue(text, text, at, job=job) for text, job, at in found)

    def made_by(self, job: str) -> RecordedValue | None:
        record = self.instance.store.job(job)
        if record is None or record.outcome is None or not record.ok:
            return None
        if record.value_digest == GONE.digest:
            return None  # A job that has retired the key.
        if (record.op, record.key_digest) != (self.instance.op_type.id, self.instance.key.digest):
            return None
        return RecordedValue(record.outcome, record.outcome, record.finished, job=job)

    def pin_changed(self) -> None:
        self.instance.relabelled(self)

    def close(self) -> None:
        self.runtime.service(Pins).end(self)
        super().close()


class UntrustedScheduledUse(ScheduledUse):
    """The use of a builder with a schedule by a stage whose work is not trusted."""

    __slots__ = ("trust",)
    trust: Untrusted


def new_scheduled_use(trust: Trust, *demand: Any) -> ScheduledUse:
    """The use by a stage of this trust, made of the parts of its demand."""
    if not isinstance(trust, Untrusted):
        return ScheduledUse(*demand)
    use = UntrustedScheduledUse(*demand)
    use.trust = trust
    return use
