"""Tells an author's code of the outputs of a current."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pycurrent.engine import Effect, Listeners, Problem, Problems, Step
from pycurrent.errors import WrongKind
from pycurrent.incr import UNSET
from pycurrent.term import Current, Output, located, shown, unmuted

if TYPE_CHECKING:
    from pycurrent.engine import OpenEngine

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Observing(Generic[T]):
    """Tells `listener` of each new output of a current, from the end of the next step on."""

    def __init__(
        self,
        current: Current[T],
        listener: Callable[[Output[T]], object],
        problems: Problems,
        opened: Callable[[], OpenEngine | None],
    ) -> None:
        if not isinstance(current, Current):
            raise WrongKind(f"engine.observe: expected a current, not {shown(current)}")
        if not callable(listener) or inspect.iscoroutinefunction(listener):
            raise WrongKind(
                f"engine.observe: the listener has to be a plain function, not {shown(listener)}"
            )
        self._current = current
        self._listener = listener
        self._problems = problems
        self._opened = opened
        self._last: tuple[Any, object] | None = None

    def begin(self, listeners: Listeners) -> Callable[[], None]:
        """Tell it until what is returned is called; calling that twice is fine."""
        forget = listeners.add(self._stepped)

        def stop() -> None:
            forget()
            self._problems.clear(self._topic)

        if (opened := self._opened()) is not None and not opened.is_closed:
            opened.request_step()
        return stop

    def _stepped(self, step: Step) -> None:
        opened = self._opened()
        node = None if opened is None else opened.live.nodes.get(self._current)
        if opened is None or node is None or node.absent is UNSET:
            return
        now = node.absent, node.value
        if self._last is not None and self._last[0] == now[0] and self._last[1] is now[1]:
            return
        self._last = now
        try:
            self._listener(unmuted(opened.live.output(node)))
        except Exception as error:
            _log.error("a listener of engine.observe failed", exc_info=error)
            message = f"a listener of engine.observe failed: {located(error)}"
            self._problems.report(self._topic, Problem("a listener fails", message, Effect.TOLD))
        else:
            self._problems.clear(self._topic)

    @property
    def _topic(self) -> str:
        return f"observe {id(self)}"
