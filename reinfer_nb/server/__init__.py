"""The practice tenant as a server. It does not import the client."""
