"""`CookiePolicy`: names and attributes of the service's cookies."""

from dataclasses import dataclass

from service.http.origins import AllowedOrigins, is_same_site

__all__ = ["CookiePolicy"]

#: Browsers take a cookie of such a name from the host itself only, over https, and never from a sibling of its site.
_HOST_PREFIX = "__Host-"


@dataclass(frozen=True, slots=True)
class CookiePolicy:
    """The attributes of the service's cookies.

    Attributes:
        secure: Whether browsers send them over https only.
        samesite: `Lax`, or `None` where a page of another site is to send them, which browsers allow with https only.
    """

    secure: bool
    samesite: str

    @property
    def prefix(self) -> str:
        """The prefix of the cookies' names."""
        return _HOST_PREFIX if self.secure else ""

    def header(self, name: str, value: str, max_age: int) -> str:
        """Return the Set-Cookie header of a cookie; 0 seconds delete it. What is signed needs no quotes."""
        secure = "; Secure" if self.secure else ""
        return f"{name}={value}; Max-Age={max_age}; Path=/; HttpOnly{secure}; SameSite={self.samesite}"

    @classmethod
    def suiting(cls, public_url: str, origins: AllowedOrigins) -> "CookiePolicy":
        """Return the strictest policy that the allowed pages can work with."""
        if not public_url.startswith("https://"):
            return cls(secure=False, samesite="Lax")
        own, *others = origins.origins
        return cls(secure=True, samesite="Lax" if all(is_same_site(own, other) for other in others) else "None")
