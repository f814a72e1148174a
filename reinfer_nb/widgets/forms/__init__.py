"""Forms that create, update and delete a source, and the login."""
