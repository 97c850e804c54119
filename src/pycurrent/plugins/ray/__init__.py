"""Jobs on the nodes of a Ray cluster."""

from pycurrent.plugins.ray.cluster import Cluster, RayPool
from pycurrent.plugins.ray.connection import Tls

__all__ = ["Cluster", "RayPool", "Tls"]
