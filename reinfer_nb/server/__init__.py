"""The practice tenant as a server, which knows no client."""
