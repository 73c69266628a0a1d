"""Live tokens: when they are refreshed, by whom, and when not to ask."""
