"""Bulk jobs: their pages, and what works on them in the background."""
