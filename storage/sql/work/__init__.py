"""Processes, and the jobs they work on."""
