"""Which pages may use the service, and to which addresses it may send a browser."""

import pytest

from service.http.origins import AllowedOrigins, is_same_site, origin_of, parse_origin

ALLOWED = AllowedOrigins.of(("https://h5.example.com", "http://localhost:5173"), "https://api.example.com/wechat")

ATTACKS = [
    # another host that begins, ends or looks like the allowed one
    "https://h5.example.com.evil.com/",
    "https://h5.example.comevil.com/",
    "https://evil.com/h5.example.com",
    "https://evil.com/https://h5.example.com/",
    "https://evil.com?h5.example.com",
    "https://evil.com#h5.example.com",
    "https://xh5.example.com/",
    "https://x.h5.example.com/",
    "https://example.com/",
    "https://h5-example.com/",
    "https://h5.example.co/",
    "https://h5.example.com./",
    "https://.h5.example.com/",
    "https://h5..example.com/",
    "https://*.example.com/",
    # user names
    "https://h5.example.com@evil.com/",
    "https://h5.example.com:443@evil.com/",
    "https://h5.example.com%40evil.com/",
    "https://h5.example.com%2f@evil.com/",
    "https://user@h5.example.com/",
    "https://user:password@h5.example.com/",
    "https://@h5.example.com/",
    "https://evil.com@h5.example.com/",
    # backslashes, which browsers read as slashes
    "https://evil.com\\@h5.example.com/",
    "https://h5.example.com\\@evil.com/",
    "https://h5.example.com\\.evil.com/",
    "https:\\\\h5.example.com/",
    "https:/\\evil.com/",
    "https://h5.example.com/\\evil.com",
    "\\\\evil.com/",
    "/\\evil.com",
    # relative and protocol-relative
    "//evil.com/",
    "//h5.example.com/",
    "///evil.com/",
    "////evil.com/",
    "/path",
    "path",
    ".",
    "?redirect=1",
    "#hash",
    # encoded forms
    "https%3A%2F%2Fh5.example.com%2F",
    "https%3A%2F%2Fevil.com%2F",
    "%2F%2Fevil.com",
    "https://h5.example.com%2eevil.com/",
    "https://h5.example.com%00.evil.com/",
    "https://%68%35.example.com/",
    "https://h5%2Eexample%2Ecom/",
    "https:%2f%2fh5.example.com/",
    # other schemes, ports and letters
    "http://h5.example.com/",
    "https://h5.example.com:8443/",
    "https://h5.example.com:443/",
    "https://h5.example.com:/",
    "https://h5.example.com:0443/",
    "https://h5.example.com:99999999/",
    "http://localhost/",
    "http://localhost:51730/",
    "HTTPS://H5.EXAMPLE.COM/",
    "https://H5.example.com/",
    "https://h5.exаmple.com/",  # with a Cyrillic letter
    "https://h5。example.com/",
    "https://h5．example．com/",
    "javascript:alert(1)",
    "javascript://h5.example.com/%0aalert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "file:///etc/passwd",
    "ftp://h5.example.com/",
    "blob:https://h5.example.com/1",
    "https:h5.example.com",
    "https:/h5.example.com/",
    "https:///h5.example.com/",
    "https:////evil.com/",
    "https://",
    "http://2130706433/",
    "http://127.1/",
    "https://[::1]/",
    "https://[h5.example.com]/",
    # white space, control characters, and what splits a header
    " https://h5.example.com/",
    "https://h5.example.com/ ",
    "\thttps://h5.example.com/",
    "https://h5.example.com/\n",
    "https://h5.example.com\n.evil.com/",
    "https://h5.example.com\t/",
    "https://h5.example.com/\r\nLocation: https://evil.com",
    "https://h5.example.com/\x00",
    "https://h5.exa\u00admple.com/",
    "https://h5.example.com\u2028/",
    "java\nscript:alert(1)",
    "https://h5.example.com/<script>",
    'https://h5.example.com/"onload="',
    "https://h5.example.com;evil.com/",
    "https://h5.example.com,evil.com/",
    "https://h5.example.com&evil.com/",
    "https://h5.example.com/" + "x" * 3000,
    "",
    "null",
]


def test_there_are_at_least_sixty_attacks():
    assert len(set(ATTACKS)) >= 60


@pytest.mark.attack(
    "where a browser is sent",
    "any client",
    "return addresses that browsers and servers read differently",
    "refused: an origin is compared as a whole",
)
def test_an_address_that_is_not_plainly_of_an_allowed_origin_is_refused(subtests):
    for address in ATTACKS:
        with subtests.test(address=address):
            assert not ALLOWED.admits(address)


def test_a_page_of_an_allowed_origin_is_admitted(subtests):
    for address in [
        "https://h5.example.com",
        "https://h5.example.com/",
        "https://h5.example.com?a=1",
        "https://h5.example.com#/route",
        "https://h5.example.com/shop/?id=7&next=https://other.example/#/cart?x=1",
        "https://h5.example.com/%E4%B8%AD%E6%96%87",
        "https://h5.example.com/@user",
        "http://localhost:5173/",
        "https://api.example.com/demo",
        "https://h5.example.com/a|b?utm={campaign}&x=a^b|c`#/{route}",
        "https://h5.example.com/?path=C:\\temp#\\x",
    ]:
        with subtests.test(address=address):
            assert ALLOWED.admits(address)


def test_nothing_is_admitted_where_nothing_is_allowed():
    assert not AllowedOrigins.of((), "").admits("https://h5.example.com/")
    assert not AllowedOrigins.of((), "")


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://h5.example.com", "https://h5.example.com"),
        ("HTTPS://H5.Example.com:443", "https://h5.example.com"),
        ("http://localhost:80", "http://localhost"),
        ("http://[::1]:5173", "http://[::1]:5173"),
    ],
)
def test_origins_are_read_as_browsers_write_them(text, origin):
    assert parse_origin(text) == origin


def test_what_is_not_one_origin_is_refused(subtests):
    for text in [
        "*",
        "null",
        "https://*.example.com",
        "https://h5.example.com/",
        "h5.example.com",
        "https://a@b.com",
        "ftp://a.com",
    ]:
        with subtests.test(text=text), pytest.raises(ValueError, match="origin"):
            parse_origin(text)


def test_the_origin_of_an_address_is_read_only_from_a_plain_one():
    assert origin_of("https://h5.example.com:8443/path?x#y") == "https://h5.example.com:8443"
    assert origin_of("https://h5.example.com:x/") is None
    assert origin_of("https://user@h5.example.com/") is None


def test_sites_are_told_apart_as_browsers_do(subtests):
    for origin, other, same in [
        ("https://api.example.com", "https://h5.example.com", True),
        ("https://api.example.com", "https://example.com:8443", True),
        ("https://api.example.com", "https://h5.example.org", False),
        ("https://api.example.com", "http://h5.example.com", False),
        ("https://api.shop.com.cn", "https://h5.shop.com.cn", True),
        ("https://api.shop.com.cn", "https://h5.other.com.cn", False),
        ("https://api.shop.cn", "https://h5.shop.cn", True),
        ("https://127.0.0.1:1", "https://127.0.0.1:2", True),
        ("https://10.0.0.1", "https://11.0.0.1", False),
        ("https://localhost", "https://127.0.0.1", False),
        ("https://[::1]", "https://[::2]", False),
        ("https://a.github.io", "https://b.github.io", False),
        ("https://x.a.github.io", "https://a.github.io", True),
        ("https://github.io", "https://a.github.io", False),
        ("https://one.vercel.app", "https://two.vercel.app", False),
        ("https://a.ne.jp", "https://b.ne.jp", False),
        ("https://api.shop.ne.jp", "https://h5.shop.ne.jp", True),
        ("https://shop.bj.cn", "https://other.bj.cn", False),
        ("https://api.shop.bj.cn", "https://h5.shop.bj.cn", True),
        ("https://api.xn--fsq.xn--fiqs8s", "https://h5.xn--fsq.xn--fiqs8s", True),
        ("https://a.b", "https://b.b", False),
    ]:
        with subtests.test(origin=origin, other=other, same=same):
            assert is_same_site(origin, other) is same
