"""Other machines on which jobs run their commands: what is the same whatever leads there."""

from pycurrent.places.pool import PlacePool
from pycurrent.places.transport import program_words, relay_by, start_words

__all__ = ["PlacePool", "program_words", "relay_by", "start_words"]
