"""A serving process: composition, start, and orderly end."""
