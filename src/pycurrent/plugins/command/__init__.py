"""Commands in checkouts of commits."""

from pycurrent.plugins.command.output import output
from pycurrent.plugins.command.run import run

__all__ = ["output", "run"]
