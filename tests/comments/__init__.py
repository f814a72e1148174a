"""Tests of `reinfer_nb.comments`."""
