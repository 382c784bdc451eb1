"""The data dictionary: one file per family of kinds, and the registry of all of them."""
