"""An account's own credentials: its basic access token, and the tickets that are had with it."""
