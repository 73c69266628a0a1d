"""WeChat's scopes as the service writes them."""

import re
from typing import Final

__all__ = ["BASE_SCOPE", "LOGIN_SCOPE", "WIDE_SCOPE", "canonical_scope", "reads_profile"]

#: The scope of a silent authorization, which gives the openid only.
BASE_SCOPE: Final = "snsapi_base"
#: The scope that asks the user and opens the profile.
WIDE_SCOPE: Final = "snsapi_userinfo"
#: The scope of website applications (网站应用), whose users scan a QR code. It gives the profile too.
LOGIN_SCOPE: Final = "snsapi_login"

_NAME: Final = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_SEPARATORS: Final = re.compile(r"[\s,]+")


def canonical_scope(scope: str) -> str:
    """Return a scope as it is stored and compared: its names once each, sorted, joined by a comma.

    WeChat's scope is a set. Recorded are single names and lists with a comma at their end
    (`snsapi_base,snsapi_userinfo,`); names are split at commas and white space. What is not a name is left out.
    """
    names = {name for name in _SEPARATORS.split(scope) if _NAME.fullmatch(name)}
    return ",".join(sorted(names))


def reads_profile(scope: str) -> bool:
    """Return whether the tokens of a grant read the profile of their user (`sns/userinfo`)."""
    return not {WIDE_SCOPE, LOGIN_SCOPE}.isdisjoint(_SEPARATORS.split(scope))
