"""The interface of operations of all kinds to the cache."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from pycurrent.cache.declared import check_class
from pycurrent.engine import Job


class AnyOperation(ABC):
    """A builder, a publisher, or an operation of the general form. Authors derive from those."""

    id: ClassVar[str]
    """Names the operation in the database: never give it to another operation or change it."""
    auto_cancel: ClassVar[bool] = False
    """True to cancel a running job as soon as nobody needs its result."""
    latched: ClassVar[bool] = False
    """True to report the last outcome while a new value is being set."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_class(cls)

    @abstractmethod
    async def work(self, job: Job, key: Any, value: Any) -> Any:
        """Run it. `value` is None for an operation that has none."""

    @abstractmethod
    def title(self, key: Any, value: Any) -> str:
        """The work in a line, as people see it."""

    @classmethod
    @abstractmethod
    def types(cls) -> tuple[object, object | None, object]:
        """The types of key, value (None for no value), and outcome."""
