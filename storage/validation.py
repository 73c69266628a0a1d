"""What every store refuses, so that a record is stored everywhere or nowhere."""

from collections.abc import Iterable
from dataclasses import fields

from storage.base.errors import InvalidRecord
from storage.grants import Grant
from storage.leases import Outcome
from storage.users import Profile

__all__ = ["LARGEST", "require_storable", "require_unicode"]

#: The largest number that databases keep.
LARGEST = 2**63 - 1


def require_storable(records: Iterable[Grant | Outcome | Profile], largest: int = LARGEST) -> None:
    """Refuse text that is not Unicode, numbers beyond 64 bits, and users whose names end in a space.

    Args:
        records: What is going to be stored, all or nothing.
        largest: The largest number that this store keeps, if it keeps less.

    Raises:
        InvalidRecord: One of them cannot be stored. The text names the field and holds no value.
    """
    for record in records:
        for name in (one.name for one in fields(record)):
            value = getattr(record, name)
            if isinstance(value, str):
                require_unicode(name, value)
            if isinstance(value, int) and abs(value) > largest:
                raise InvalidRecord(f"{name} is out of range.")
        if isinstance(record, Grant) and (record.appid.endswith(" ") or record.openid.endswith(" ")):
            raise InvalidRecord("The name of the account or of the user ends in a space.")


def require_unicode(name: str, text: str | None) -> None:
    """Refuse a text that cannot be encoded.

    Raises:
        InvalidRecord: It is none of Unicode. The text names the field and holds no value.
    """
    if text is not None and not _is_unicode(text):
        raise InvalidRecord(f"{name} is not valid Unicode.")


def _is_unicode(text: str) -> bool:
    """Return whether a text can be encoded: half of a surrogate pair, as JSON may bring it, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
