"""`SignedQuery`: the query of a push, by which WeChat proves itself.

The words that are signed are joined without anything between them, so that another split of the same characters, or
the time and the nonce in each other's place, has the same signature. Only forms that WeChat sends are accepted.
"""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qs

from service.webhooks.crypto import is_signed

__all__ = ["LONGEST_AHEAD_SECONDS", "OLDEST_SECONDS", "InvalidSignature", "SignedQuery", "require_recent"]

#: A delivery may be a day late. What is older is a replay, or the clock is wrong.
OLDEST_SECONDS = 25 * 3600
#: How far WeChat's clock may be ahead of this one.
LONGEST_AHEAD_SECONDS = 3600

_FORMS = {
    "signature": re.compile(r"(?:[0-9a-f]{40})?"),
    "msg_signature": re.compile(r"(?:[0-9a-f]{40})?"),
    "timestamp": re.compile(r"[1-9][0-9]{9}"),
    "nonce": re.compile(r"[0-9A-Za-z]{1,64}"),
    "echostr": re.compile(r".*", re.DOTALL),
}
#: Parameters of a query; WeChat sends seven.
_MOST_PARAMETERS = 32


class InvalidSignature(Exception):
    """A push that WeChat has not signed, or not lately. The text is for people and quotes nothing."""


@dataclass(frozen=True, slots=True)
class SignedQuery:
    """The parameters of a query, which are not to be trusted before `require` has passed.

    Attributes:
        signature: Of token, timestamp and nonce.
        msg_signature: Of these and the encrypted message.
        echostr: What WeChat wants to get back when the address is entered in the console.
    """

    signature: str
    msg_signature: str
    timestamp: str
    nonce: str
    echostr: str

    @classmethod
    def parse(cls, query: str) -> Self:
        """Read a query. A signature that is absent is empty.

        Raises:
            InvalidSignature: A parameter is missing or there twice, or has a form that WeChat does not send.
        """
        try:
            found = parse_qs(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
        except ValueError:
            raise InvalidSignature("the query has too many parameters") from None
        values = {name: found.get(name, [""]) for name in _FORMS}
        for name, given in values.items():
            if len(given) > 1 or not _FORMS[name].fullmatch(given[0]):
                raise InvalidSignature(f"{name} is not of the form that WeChat sends")
        return cls(**{name: given[0] for name, given in values.items()})

    def require(self, token: str, now: int, *, encrypted: str | None = None) -> None:
        """Make sure that the query was signed lately.

        Args:
            token: The account's token.
            now: The time.
            encrypted: The encrypted message, which the signature then covers too.

        Raises:
            InvalidSignature: It was not.
        """
        signature = self.signature if encrypted is None else self.msg_signature
        words = [self.timestamp, self.nonce] if encrypted is None else [self.timestamp, self.nonce, encrypted]
        if not is_signed(signature, token, *words):
            raise InvalidSignature("the signature is not the account's")
        require_recent(self.timestamp, now)


def require_recent(moment: str, now: int) -> None:
    """Make sure that a moment, in seconds since the epoch, is as recent as WeChat's are.

    Raises:
        InvalidSignature: It is older, or in the future, or not such a moment.
    """
    is_moment = _FORMS["timestamp"].fullmatch(moment) is not None
    if not is_moment or not -LONGEST_AHEAD_SECONDS <= now - int(moment) <= OLDEST_SECONDS:
        raise InvalidSignature("the message is too old, or this server's clock is wrong")
