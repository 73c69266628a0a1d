"""WeChat's scopes as the service writes them."""

import re
from typing import Final

__all__ = ["BASE_SCOPE", "canonical_scope"]

#: The scope of a silent authorization, which gives the openid only.
BASE_SCOPE: Final = "snsapi_base"

_NAME: Final = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_SEPARATORS: Final = re.compile(r"[\s,]+")


def canonical_scope(scope: str) -> str:
    """Return a scope as it is stored and compared: its names once each, sorted, joined by a comma.

    WeChat's scope is a set. Recorded are single names and lists with a comma at their end
    (`snsapi_base,snsapi_userinfo,`); names are split at commas and white space. What is not a name is left out.
    """
    names = {name for name in _SEPARATORS.split(scope) if _NAME.fullmatch(name)}
    return ",".join(sorted(names))
