"""Holding the last known output while a new one is being made."""

from __future__ import annotations

from pycurrent.incr import Absent, Node, NodeGraph
from pycurrent.term.component_nodes import ComponentNode, MetadataNode
from pycurrent.term.nodes import OfOne
from pycurrent.term.output import Active, Activity, Failed, FailureKind, Muted
from pycurrent.term.primitive import Metadata


class Latched(OfOne):
    """The last known output of the source, a failure too.

    It *holds* that one, rather than pass on the source's own, while the source is active; with
    `infra` also the last value while the source has failed with kind INFRA. A failure
    of another kind is passed on, and replaces the older value.
    """

    __slots__ = ("holds_for", "infra", "reports")

    def __init__(self, source: Node, *, infra: bool) -> None:
        super().__init__(source)
        self.infra = infra
        self.holds_for: Active | Failed | None = None
        """The present output of the source, if another one is held in its place."""
        self.reports: tuple[MetadataNode, ...] = ()

    @property
    def metadata(self) -> Metadata | None:
        """The source's metadata, with a note if an earlier output is held."""
        found = self.source.metadata if isinstance(self.source, ComponentNode) else None
        update: Activity | None
        match self.holds_for:
            case None:
                return found
            case Active(activity):
                update, note = activity, "an earlier result"
            case Failed(message):
                update, note = None, f"an earlier result, as now it is: {message}"
        return Metadata(None if found is None else found.job_id, update, note)

    def recompute(self, graph: NodeGraph) -> bool:
        source = self.source
        held = self._to_hold_for(source.absent)
        was_held, self.holds_for = self.holds_for, held
        if held is not was_held:
            for report in self.reports:
                graph.push(report)
        if held is not None:
            return self._mute_is_over()
        if source.absent is not None:
            return (
                self.publish(None, source.absent)
                if was_held is None
                else self.become_absent(source.absent)
            )
        # The new value may be equal to the one that was held meanwhile.
        if was_held is None:
            return self.publish(source.value, None)
        return self.accept(graph, source.value)

    def _mute_is_over(self) -> bool:
        """Have a failure that it holds muted no longer, if that has ended; True if it has."""
        if isinstance(self.absent, Muted) and self.absent.mute.is_over:
            return self.become_absent(self.absent.failed)
        return False

    def _to_hold_for(self, absent: Absent | None) -> Active | Failed | None:
        match absent:
            case Active() if self.absent is None or isinstance(self.absent, Failed):
                return absent
            case Failed(kind=FailureKind.INFRA) if self.infra and self.absent is None:
                return absent
            case _:
                return None
