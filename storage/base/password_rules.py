"""Which passwords are refused: short ones, common ones, the operator's own name."""

import threading
from enum import StrEnum
from importlib import import_module

from storage.base.errors import InvalidRecord
from storage.base.passwords import LONGEST_PASSWORD, SHORTEST_PASSWORD

__all__ = ["PasswordFault", "PasswordRules"]

#: A password that is found within so many guesses is common, as zxcvbn counts guesses.
_FEWEST_GUESSES = 10**9
#: So much of a password is looked at: a longer one takes seconds if it is made for that.
_LOOKED_AT = 24
#: Without a name and the digits and signs around it, so many letters must be left.
_LETTERS_BESIDE_NAME = 6
#: Common here, though in no list of English: what the service is about, and what Chinese passwords are made of.
_COMMON_WORDS = ("wechat", "weixin", "openid", "wechatopenid", "dashboard", "woaini", "5201314", "1314520")


class PasswordFault(StrEnum):
    """What is wrong with a password, as a sentence."""

    LENGTH = f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters."
    NAME = "A password must not be made of the user name."
    COMMON = "This password is too easy to guess: choose one that is not made of common words, digits or patterns."


class PasswordRules:
    """Judges passwords by length, by the name, and by zxcvbn's lists of common ones and their variations.

    Blocking, some tens of milliseconds and less than a second in any case. The lists take 13 MB: they are loaded when
    the first password is judged, so a process that judges none does without.
    """

    def __init__(self) -> None:
        # The library keeps the words of one call in a place that all calls share.
        self._one_at_a_time = threading.Lock()

    def fault_of(self, password: str, name: str) -> PasswordFault | None:
        """Return what is wrong with a password of the operator with this name; None for a good one."""
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            return PasswordFault.LENGTH
        name = name.casefold()
        beside_name = password.casefold().replace(name, "").replace(name[::-1], "") if name else password
        if beside_name != password.casefold() and sum(map(str.isalpha, beside_name)) < _LETTERS_BESIDE_NAME:
            return PasswordFault.NAME
        return PasswordFault.COMMON if self._guesses(password[:_LOOKED_AT], name) < _FEWEST_GUESSES else None

    def require_good(self, password: str, name: str) -> None:
        """Refuse a bad password.

        Raises:
            InvalidRecord: It is one; the text says why.
        """
        fault = self.fault_of(password, name)
        if fault is not None:
            raise InvalidRecord(fault)

    def _guesses(self, password: str, name: str) -> int:
        with self._one_at_a_time:
            zxcvbn = import_module("zxcvbn").zxcvbn
            return int(zxcvbn(password, user_inputs=[name, *_COMMON_WORDS])["guesses"])
