"""Charts of listings, comments, findings and changes."""

from reinfer_nb.charts.plots import activity, changes, findings, freshness, projects, timeline

__all__ = ["activity", "changes", "findings", "freshness", "projects", "timeline"]
