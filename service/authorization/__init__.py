"""From a code to a stored authorization, and the session that it opens."""
