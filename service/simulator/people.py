"""Who takes part in the simulation: accounts, website apps, and the people who use them, with their identifiers."""

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = [
    "DEFAULT_ACCOUNT",
    "DEFAULT_PEOPLE",
    "DEFAULT_WEBSITE",
    "LOGIN_SCOPES",
    "SCOPES",
    "SNAPSHOT_NICKNAME",
    "Account",
    "Identity",
    "Person",
    "index_people",
    "openid_of",
    "snapshot_openid_of",
    "snapshot_unionid_of",
    "unionid_of",
]

#: The scopes of web authorization: silent, and with the user's consent.
SCOPES = frozenset({"snsapi_base", "snsapi_userinfo"})

#: What website apps (网站应用) ask for, and nothing else does.
LOGIN_SCOPES = frozenset({"snsapi_login"})

#: What every snapshot user is called.
SNAPSHOT_NICKNAME = "微信用户"

_PERSON_ID = re.compile(r"[a-z0-9-]{1,64}")
_ACCOUNT_PART = re.compile(r"[0-9A-Za-z_-]{1,128}")
_DOMAIN = re.compile(r"[0-9a-z.-]{1,253}|[0-9a-f:]{2,45}")


def _digest(*parts: str) -> str:
    """Return 43 URL-safe characters that depend on nothing but the parts."""
    return base64.urlsafe_b64encode(hashlib.sha256("|".join(parts).encode()).digest()).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class Account:
    """An Official Account, or a website app.

    Attributes:
        domains: Its authorization domains: hosts without scheme, port or path. Empty accepts every host.
        scopes: What it may ask for; a subscription account, for instance, may ask for nothing. A website app has
            `LOGIN_SCOPES`.
        in_open_platform: Whether it is bound to an Open Platform account; without that there are no unionids.

    Raises:
        ValueError: A part is not of its form; the text does not hold the secret.
    """

    appid: str
    secret: str = field(repr=False)
    domains: frozenset[str] = frozenset()
    scopes: frozenset[str] = SCOPES
    in_open_platform: bool = True

    def __post_init__(self) -> None:
        if not _ACCOUNT_PART.fullmatch(self.appid) or not _ACCOUNT_PART.fullmatch(self.secret):
            raise ValueError("an appid and its secret are letters, digits, '_' and '-'")
        for domain in self.domains:
            if not _DOMAIN.fullmatch(domain):
                raise ValueError(f"domain: {domain!r} is not a host in lower case, without scheme, port and path")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who uses WeChat.

    Attributes:
        id: What the simulator calls them; lower-case letters, digits and hyphens.
        headimgurl: Address of their picture; empty for none, None for one of the usual form.

    Raises:
        ValueError: The id is not of its form.
    """

    id: str
    nickname: str
    headimgurl: str | None = None

    def __post_init__(self) -> None:
        if not _PERSON_ID.fullmatch(self.id):
            raise ValueError("id: expected 1 to 64 lower-case letters, digits and hyphens")

    @property
    def picture(self) -> str:
        """The `headimgurl` of their profile."""
        if self.headimgurl is not None:
            return self.headimgurl
        return f"https://thirdwx.qlogo.cn/mmopen/vi_32/{_digest('picture', self.id)}/132"


def openid_of(person: Person, appid: str) -> str:
    """Return who a person is to an account: 28 characters, the same at every start."""
    return "o" + _digest("openid", appid, person.id)[:27]


def unionid_of(person: Person) -> str:
    """Return who a person is to all accounts of one Open Platform account."""
    return "o" + _digest("unionid", person.id)[:27]


def snapshot_openid_of(person: Person, appid: str) -> str:
    """Return the virtual openid that stands in for a person's own on a snapshot page."""
    return "o" + _digest("snapshot openid", appid, person.id)[:27]


def snapshot_unionid_of(appid: str) -> str:
    """Return the virtual unionid of snapshot users. Everybody has the same: virtual unionids collide."""
    return "o" + _digest("snapshot unionid", appid)[:27]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a person is to an account, and the profile shown there. A snapshot page has a virtual identity."""

    openid: str
    unionid: str
    profile: Person

    @classmethod
    def of(cls, person: Person, appid: str, *, is_snapshotuser: bool) -> "Identity":
        """Return the identity by which an account comes to know a person."""
        if is_snapshotuser:
            profile = Person(person.id, SNAPSHOT_NICKNAME, headimgurl="")
            return cls(snapshot_openid_of(person, appid), snapshot_unionid_of(appid), profile)
        return cls(openid_of(person, appid), unionid_of(person), person)


def index_people(people: Iterable[Person]) -> dict[str, Person]:
    """Return people by id.

    Raises:
        ValueError: There is nobody, or two of one id.
    """
    by_id: dict[str, Person] = {}
    for person in people:
        if person.id in by_id:
            raise ValueError(f"id: {person.id!r} is taken")
        by_id[person.id] = person
    if not by_id:
        raise ValueError("the simulation needs at least one person")
    return by_id


DEFAULT_ACCOUNT = Account(
    appid="wx51a7ed0000000001",
    secret="51a7ed00c0ffee0051a7ed00c0ffee00",  # noqa: S106 - published: it opens nothing but this simulation
)

DEFAULT_WEBSITE = Account(
    appid="wx51a7ed0000000002",
    secret="51a7ed00c0ffee0151a7ed00c0ffee01",  # noqa: S106 - published: it opens nothing but this simulation
    scopes=LOGIN_SCOPES,
)

#: Nicknames as they come: with emoji, with markup that must be escaped, and one person without a picture.
DEFAULT_PEOPLE = (
    Person("xiao-ming", "小明🐼"),
    Person("li-na", "李娜😀"),
    Person("wang-fang", "王芳·🌸🌸"),
    Person("lao-zhang", "<b>老张</b> & \"小张\" '👨‍👩‍👧'"),
    Person("a-qiang", "阿强", headimgurl=""),
)
