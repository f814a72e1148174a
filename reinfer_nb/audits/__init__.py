"""Audit rules and the report of their findings."""
