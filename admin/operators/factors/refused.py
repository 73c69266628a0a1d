"""`PasskeyRefused`: the error of passkeys, apart from the library that checks them, which is imported late."""

__all__ = ["PasskeyRefused"]


class PasskeyRefused(Exception):
    """What a browser brings is no passkey of ours, or not for this moment. The text is for the log."""
