"""What operators sign in with beside a password: codes of an app, passkeys, recovery codes."""
