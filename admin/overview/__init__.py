"""The overview page, its charts and its cached figures."""
