"""Other machines on which jobs run their commands: what is the same whatever leads there."""

from pycurrent.places.pool import PlacePool
from pycurrent.places.transport import (
    ConnectedPlace,
    agent_arguments,
    program_words,
    relay_by,
    serve_words,
    start_words,
)

__all__ = [
    "ConnectedPlace",
    "PlacePool",
    "agent_arguments",
    "program_words",
    "relay_by",
    "serve_words",
    "start_words",
]
