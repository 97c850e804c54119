"""Operations, and the cache of their results."""

from typing import TYPE_CHECKING

from pycurrent.cache.cache import OperationPrimitive, ResultCache, Results, results
from pycurrent.cache.cause import CAUSES, Asked, Cause, ResultLost, because, cause_name, cause_of
from pycurrent.cache.codec import (
    Codec,
    UnreadableValue,
    UnstableType,
    UnstableValue,
    codec_for,
    digest,
)
from pycurrent.cache.decorator import builder, publisher
from pycurrent.cache.handle import Handle
from pycurrent.cache.instance import Instance
from pycurrent.cache.operation import Builder, Operation, Publisher
from pycurrent.cache.operation_type import AnyOperation, OperationType
from pycurrent.cache.retry import Retry
from pycurrent.cache.use import Use
from pycurrent.deferred import deferred

if TYPE_CHECKING:
    from pycurrent.cache.firings import Fired
    from pycurrent.cache.inputs import Input, Inputs, InputState, NoSuchInput
    from pycurrent.cache.of_engine import OfEngine, OfStage
    from pycurrent.cache.schedule import Schedule, check_schedule
    from pycurrent.cache.triggers import NoSuchTrigger, Trigger, Triggers, TriggerState
    from pycurrent.cache.verify import NothingToVerify, Verifier
else:
    __getattr__ = deferred(
        __name__,
        {
            "pycurrent.cache.firings": ["Fired"],
            "pycurrent.cache.inputs": ["Input", "Inputs", "InputState", "NoSuchInput"],
            "pycurrent.cache.of_engine": ["OfEngine", "OfStage"],
            "pycurrent.cache.schedule": ["Schedule", "check_schedule"],
            "pycurrent.cache.triggers": ["NoSuchTrigger", "Trigger", "Triggers", "TriggerState"],
            "pycurrent.cache.verify": ["NothingToVerify", "Verifier"],
        },
    )

__all__ = [
    "CAUSES",
    "AnyOperation",
    "Asked",
    "Builder",
    "Cause",
    "Codec",
    "Fired",
    "Handle",
    "Input",
    "InputState",
    "Inputs",
    "Instance",
    "NoSuchInput",
    "NoSuchTrigger",
    "NothingToVerify",
    "OfEngine",
    "OfStage",
    "Operation",
    "OperationPrimitive",
    "OperationType",
    "Publisher",
    "ResultCache",
    "ResultLost",
    "Results",
    "Retry",
    "Schedule",
    "Trigger",
    "TriggerState",
    "Triggers",
    "UnreadableValue",
    "UnstableType",
    "UnstableValue",
    "Use",
    "Verifier",
    "because",
    "builder",
    "cause_name",
    "cause_of",
    "check_schedule",
    "codec_for",
    "digest",
    "publisher",
    "results",
]
