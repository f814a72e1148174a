"""Turn an edited listing into a plan, apply it with a journal, and undo it."""
