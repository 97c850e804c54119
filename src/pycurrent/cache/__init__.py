"""Operations, and the cache of their results."""

from pycurrent.cache.cache import Cache, OperationPrimitive
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
from pycurrent.cache.operation import AnyOperation, Builder, Operation, Publisher
from pycurrent.cache.operation_type import OperationType
from pycurrent.cache.schedule import Schedule

__all__ = [
    "AnyOperation",
    "Builder",
    "Cache",
    "Codec",
    "Handle",
    "Instance",
    "Operation",
    "OperationPrimitive",
    "OperationType",
    "Publisher",
    "Schedule",
    "UnreadableValue",
    "UnstableType",
    "UnstableValue",
    "builder",
    "codec_for",
    "digest",
    "publisher",
]
