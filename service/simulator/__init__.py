"""A stand-in for WeChat, for developing and testing without an account. It shares no code with the service."""
