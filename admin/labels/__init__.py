"""What the pages call values that are stored as words. In English, marked for translation."""
