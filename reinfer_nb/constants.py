"""Constants that several packages share. This module imports nothing of the package."""

from __future__ import annotations

# Hatch reads it from here.
VERSION = "0.1.0"

# The environment variables of a tenant.
ENDPOINT, TOKEN, CONTEXT = "REINFER_ENDPOINT", "REINFER_TOKEN", "REINFER_CONTEXT"
LOOPBACK = "127.0.0.1"
# The severities of findings, the most severe first.
SEVERITIES = ("error", "warning", "info")
# What a text that a person types may name as a listing.
LISTING_PLACES = (
    "a CSV or Excel file (sources.csv) or a folder with a history (audits/), optionally at a past "
    "time (audits/@2026-03-01)"
)
