"""The sources of a UiPath Communications Mining tenant as pandas DataFrames, in Jupyter."""
