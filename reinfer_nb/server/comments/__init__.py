"""The comments of the practice tenant: samples that are made when asked for, and stored ones."""
