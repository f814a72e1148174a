"""An edited listing to a plan, its steps carried out, a journal, and the way back."""
