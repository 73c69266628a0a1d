"""The SQL token store, and the search over its users."""
