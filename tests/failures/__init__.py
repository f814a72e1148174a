"""One test for each case in `cases.md`."""
