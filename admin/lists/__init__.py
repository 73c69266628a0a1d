"""What lists of entries share: ranges of time that narrow them, and pages."""
