"""The control API: what a test or a developer asks of the simulation itself."""
