"""The authorize page, which users open in a browser."""
