"""What a user's type checker and editor see; checked by mypy, never run."""
