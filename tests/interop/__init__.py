"""The vendor's own client on the sandbox; see README.md beside this file."""
