"""Other machines on which jobs run their commands: what is the same whatever leads there."""

from pycurrent.places.pool import PlacePool
from pycurrent.places.transport import relay_by, start_words

__all__ = ["PlacePool", "relay_by", "start_words"]
