"""Jobs on the nodes of a Slurm cluster."""

from pycurrent.plugins.slurm.partition import Partition

__all__ = ["Partition"]
