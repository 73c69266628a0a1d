"""Hostile requests, made by hypothesis, and a client that sends them byte by byte."""

import asyncio
import json
import re
from dataclasses import dataclass, field
from urllib.parse import quote, quote_from_bytes

from hypothesis import strategies as st
from tornado.web import Application, RequestHandler

METHODS = ["GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "G" * 300]
#: Names that a handler or a proxy may look for, in addresses, forms, bodies and cookies.
NAMES = [
    *(
        "code",
        "state",
        "appid",
        "redirect_uri",
        "scope",
        "lang",
        "next",
        "cursor",
        "before",
        "q",
        "by",
        "match",
        "name",
    ),
    *("minimum_seconds", "refused", "sort", "order", "status", "snapshot", "errcode", "authorized_from", "used_to"),
    *("ends_to", "from", "to", "operator", "action", "result", "openid", "user", "filter", "whom"),
    *("password", "current", "new", "again", "role", "id", "span", "timestamp", "nonce", "signature", "msg_signature"),
    *("confirmation", "echostr", "encrypt_type", "nonce", "v", "Encrypt", "ToUserName"),
]
HEADERS = [
    *("Accept-Language", "Authorization", "Content-Type", "Cookie", "Forwarded", "Host", "If-Modified-Since"),
    *(
        "If-None-Match",
        "Origin",
        "Range",
        "Referer",
        "Sec-Fetch-Dest",
        "Sec-Fetch-Mode",
        "Sec-Fetch-Site",
        "User-Agent",
    ),
    *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "X-Requested-With"),
    *("Access-Control-Request-Headers", "Access-Control-Request-Method", "Content-Encoding", "Expect"),
    *("X-Xsrftoken", "Upgrade"),
]
COOKIES = ["wechat_openid", "wechat_openid_session", "wechat_openid_notice", "wechat_openid_visitor"]
COOKIES += ["wechat_openid_language", "wechat_openid_known_browser", "wechat_openid_state_x", "__Host-wechat_openid"]
TYPES = [
    *(
        "application/json",
        "application/x-www-form-urlencoded",
        "text/plain",
        "text/xml",
        "multipart/form-data; boundary=b",
    ),
    *("application/json; charset=utf-16", "application/json; charset=nothing", "multipart/form-data", ";;", ""),
]
HOSTILE = [
    *(
        "",
        "0",
        "-1",
        "1e999",
        "NaN",
        "true",
        "null",
        "[]",
        "{}",
        "\0",
        "a\0b",
        "'",
        '"',
        "\\",
        "%",
        "%00",
        "%s%n",
        "{0}",
    ),
    *(
        "%1000000000d",
        "../" * 40,
        "//evil.example",
        "javascript:alert(1)",
        "\r\nX-Evil: 1",
        "9" * 5000,
        "-" + "9" * 5000,
    ),
    *(
        "9223372036854775808",
        "-9223372036854775809",
        "2|1:0|10:0|1:a|1:b|c",
        "=?utf-8?q?x?=",
        "9999-12-31",
        "0000-00-00",
    ),
    *(
        "\ud800",
        "\udfff\ud800",
        "\u202e\u2028",
        "😀" * 50,
        "é" * 300,
        "[" * 20_000,
        '{"a":' * 3000,
        "a" * 8000,
        "<" * 900,
    ),
    *(
        "W1tbW1tbW1tb" * 200,
        "eyJhIjoxfQ==",
        "٣",
        "1_000",
        "+1",
        " 1",
        "1 ",
        "0x10",
        "1;2",
        "🏴" * 9,
        "<!DOCTYPE a [",
        "::1%eth0",
    ),
]

words = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=30))
#: What stands in an address: hostile words, any bytes, percent-encoded or, now and then, as they are.
encoded = st.one_of(
    words.map(lambda word: quote(word.encode("utf-8", "surrogatepass"), safe="")),
    st.binary(max_size=20).map(quote_from_bytes),
    st.sampled_from(["%", "%zz", "%ed%a0%80", "%ff%fe", "%2e%2e%2f", "%00", "..", "a%2fb", "\xff\xfe", "|^{}"]),
)


def _bytes_of(word: str) -> bytes:
    return word.encode("utf-8", "surrogatepass")


@dataclass
class Request:
    """What is sent, before it becomes bytes."""

    method: str
    target: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def to_bytes(self, standing: dict[str, str]) -> bytes:
        """Return the request with headers that every one has unless it brings its own."""
        own = {name.lower() for name, _ in self.headers}
        head = [(name, value) for name, value in standing.items() if name.lower() not in own] + self.headers
        if self.body or self.method in {"POST", "PUT", "PATCH"}:
            head.append(("Content-Length", str(len(self.body))))
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in head)]
        return "\r\n".join(lines).encode("utf-8", "surrogatepass") + b"\r\n\r\n" + self.body


def routes_of(application: Application) -> list[tuple[str, list[str]]]:
    """Return the pattern of each route of an application, and the methods that it has."""
    unknown = RequestHandler._unimplemented_method
    return [
        (
            rule.matcher.regex.pattern,
            [name for name in METHODS[:7] if getattr(rule.target, name.lower()) is not unknown],
        )
        for rule in application.wildcard_router.rules
    ]


@st.composite
def targets(draw, pattern: str, known: list[str]) -> str:
    """Give addresses that lead to a route, or almost, with hostile words in every place."""

    def place(match: re.Match) -> str:
        choices = re.fullmatch(r"\(([\w|]+)\)", match[0])
        if choices and draw(st.integers(0, 4)):
            return draw(st.sampled_from(choices[1].split("|")))
        return draw(st.one_of(st.sampled_from(known), encoded) if known else encoded)

    optional = r"\1" if draw(st.booleans()) else ""
    path = re.sub(r"\(\?:([^)]*)\)\?", optional, pattern.rstrip("$"))
    path = re.sub(r"\([^)]*\)|\.\*", place, path).replace("\\", "")
    pairs = draw(st.lists(st.tuples(st.sampled_from(NAMES), encoded), max_size=4))
    query = "&".join(f"{name}={value}" for name, value in pairs)
    target = f"{path}?{query}" if query else path
    return target.replace(" ", "%20").replace("\r", "").replace("\n", "")[:60_000]


@st.composite
def bodies(draw, fields: dict[str, str]) -> tuple[str, bytes]:
    """Give bodies with their content types: forms, JSON, several parts, XML, any bytes."""
    pairs = draw(st.lists(st.tuples(st.sampled_from(NAMES), words), max_size=5))
    match draw(st.integers(0, 4)):
        case 0:
            form = "&".join(f"{name}={value}" for name, value in fields.items())
            hostile = "&".join(f"{name}={draw(encoded)}" for name, _ in pairs)
            return "application/x-www-form-urlencoded", f"{form}&{hostile}".encode("latin-1", "replace")
        case 1:
            values = st.recursive(
                st.one_of(words, st.integers(), st.floats(), st.none(), st.booleans()), st.lists, max_leaves=5
            )
            content = {name: draw(values) for name, _ in pairs}
            return "application/json", json.dumps(content).encode()[:60_000]
        case 2:
            parts = "".join(f'--b\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in pairs)
            return "multipart/form-data; boundary=b", f"{parts}--b--\r\n".encode("utf-8", "surrogatepass")[:60_000]
        case 3:
            word = draw(words)
            return "text/xml", f"<xml><ToUserName>{word}</ToUserName><Encrypt>{word}</Encrypt></xml>".encode(
                "utf-8", "surrogatepass"
            )[:60_000]
        case _:
            return draw(st.sampled_from(TYPES)), draw(st.one_of(st.binary(max_size=200), words.map(_bytes_of)))


@st.composite
def requests(draw, pattern: str, methods: list[str], known: list[str], fields: dict[str, str]) -> Request:
    """Give requests to a route: mostly of a form that reaches its code, with something hostile in it.

    Args:
        pattern: The route's.
        methods: Those that it has.
        known: Good values of its places.
        fields: What a form needs to be taken at all.
    """
    method = draw(st.sampled_from(methods * 12 + METHODS))
    request = Request(method, draw(targets(pattern, known)))
    if method in {"POST", "PUT", "PATCH"}:
        content_type, request.body = draw(bodies(fields))
        request.headers.append(("Content-Type", content_type))
    for name in draw(st.lists(st.sampled_from(HEADERS), max_size=2)):
        value = draw(words)
        if name == "Cookie":
            value = f"{draw(st.sampled_from(COOKIES))}={value}"
        request.headers.append((name, value.replace("\r", "").replace("\n", "")[:8000]))
    return request


async def status_of(url: str, sent: bytes) -> int | None:
    """Return the status of the answer; None where the server closed the connection without one."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(sent)
        line = await reader.readline()
        await reader.read()
    except ConnectionError:
        return None
    finally:
        writer.close()
    return int(line.split(b" ", 2)[1]) if line.startswith(b"HTTP/") else None
