"""Operations, and the cache of their results."""

from pycurrent.cache.cache import Cache, Wanted
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
from pycurrent.cache.operation import Builder, CachedWork, Operation, Publisher
from pycurrent.cache.schedule import Schedule
from pycurrent.cache.spec import Spec

__all__ = [
    "Builder",
    "Cache",
    "CachedWork",
    "Codec",
    "Handle",
    "Instance",
    "Operation",
    "Publisher",
    "Schedule",
    "Spec",
    "UnreadableValue",
    "UnstableType",
    "UnstableValue",
    "Wanted",
    "builder",
    "codec_for",
    "digest",
    "publisher",
]
