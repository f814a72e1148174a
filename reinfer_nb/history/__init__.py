"""Snapshots of listings over time, as Parquet files."""

from reinfer_nb.history.history import History
from reinfer_nb.snapshots.snapshot_table import Snapshot

__all__ = ["History", "Snapshot"]
