"""Charts of listings, findings and changes."""

from reinfer_nb.charts.plots import changes, findings, freshness, projects, timeline

__all__ = ["changes", "findings", "freshness", "projects", "timeline"]
