"""Second factors: codes of an authenticator app, passkeys, recovery codes; their set-up, and signing in by them."""
