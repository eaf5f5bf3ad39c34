"""Where many independent pieces of work run: in this process, on this machine, or on Ray.

A piece is a module-level function, named by its import path, with arguments that can be written
as JSON; its result is a few NumPy arrays. Nothing else travels: no closures, no pickles of ours.
"""

from equipoise.engine.here import Here
from equipoise.engine.local import Local
from equipoise.engine.pieces import Engine, engine_named, run
from equipoise.engine.ray_cluster import Ray
from equipoise.engine.store import ChunkStore
from equipoise.engine.worker import PieceFailed

__all__ = ["ChunkStore", "Engine", "Here", "Local", "PieceFailed", "Ray", "engine_named", "run"]
