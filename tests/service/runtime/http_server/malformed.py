"""Requests that two servers in a row could read differently, or that are no requests: the table of what is refused."""

#: Behind each of them stands a second request, which nobody must see.
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"

_LINE = b"POST /seen HTTP/1.1\r\n"
_HOST = b"Host: x\r\n"
_LENGTH = b"Content-Length: 3\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_CHUNKS = b"3\r\nabc\r\n0\r\n\r\n"


def _posted(*headers, body=b"abc"):
    return _LINE + _HOST + b"".join(headers) + b"\r\n" + body


def _chunked(body):
    return _posted(_CHUNKED, body=body)


def _asked(line, *headers):
    return line + b"\r\n" + b"".join(headers or (_HOST,)) + b"\r\n"


#: What both servers refuse, and the status by which llhttp's does; Tornado's knows 400, or closes without a word.
REFUSED = {
    # where a body ends
    "length and chunks": (_posted(_LENGTH, _CHUNKED, body=_CHUNKS), 400),
    "chunks and length": (_posted(_CHUNKED, _LENGTH, body=_CHUNKS), 400),
    "two lengths": (_posted(_LENGTH, b"Content-Length: 4\r\n"), 400),
    "two lengths in one": (_posted(b"Content-Length: 3, 4\r\n"), 400),
    "a length with a sign": (_posted(b"Content-Length: +3\r\n"), 400),
    "a negative length": (_posted(b"Content-Length: -3\r\n"), 400),
    "a length in hexadecimal": (_posted(b"Content-Length: 0x3\r\n"), 400),
    "a length with an underscore": (_posted(b"Content-Length: 1_0\r\n"), 400),
    "a length in foreign digits": (_posted("Content-Length: ٣\r\n".encode()), 400),
    "a length with a space inside": (_posted(b"Content-Length: 1 0\r\n"), 400),
    "a length with a fraction": (_posted(b"Content-Length: 3.0\r\n"), 400),
    "an empty length": (_posted(b"Content-Length:\r\n"), 400),
    "a length beyond all numbers": (_posted(b"Content-Length: " + b"9" * 30 + b"\r\n"), 400),
    "a length beyond the limit": (_posted(b"Content-Length: 99999999\r\n"), 413),
    "chunks within another encoding": (_posted(b"Transfer-Encoding: gzip, chunked\r\n", body=_CHUNKS), 400),
    "chunks twice": (_posted(b"Transfer-Encoding: chunked, chunked\r\n", body=_CHUNKS), 400),
    "chunks in two headers": (_posted(_CHUNKED, _CHUNKED, body=_CHUNKS), 400),
    "an encoding behind chunks": (_posted(b"Transfer-Encoding: chunked, identity\r\n", body=_CHUNKS), 400),
    "an unknown encoding": (_posted(b"Transfer-Encoding: cow\r\n", body=_CHUNKS), 400),
    "no encoding at all": (_posted(b"Transfer-Encoding: identity\r\n"), 400),
    "an empty encoding": (_posted(b"Transfer-Encoding:\r\n", body=_CHUNKS), 400),
    "a quoted encoding": (_posted(b'Transfer-Encoding: "chunked"\r\n', body=_CHUNKS), 400),
    "a vertical tab before chunked": (_posted(b"Transfer-Encoding: \x0bchunked\r\n", body=_CHUNKS), 400),
    # chunks
    "a chunk size with a sign": (_chunked(b"+3\r\nabc\r\n0\r\n\r\n"), 400),
    "a chunk size with a prefix": (_chunked(b"0x3\r\nabc\r\n0\r\n\r\n"), 400),
    "a chunk size with an underscore": (_chunked(b"0_3\r\nabc\r\n0\r\n\r\n"), 400),
    "a chunk size with a space": (_chunked(b"3 \r\nabc\r\n0\r\n\r\n"), 400),
    "an empty chunk size": (_chunked(b"\r\nabc\r\n0\r\n\r\n"), 400),
    "a chunk extension": (_chunked(b"3;a=b\r\nabc\r\n0\r\n\r\n"), 400),
    "a chunk longer than it says": (_chunked(b"2\r\nabc\r\n0\r\n\r\n"), 400),
    "a chunk without its line end": (_chunked(b"3\r\nabc0\r\n\r\n"), 400),
    "a line feed behind a chunk": (_chunked(b"3\r\nabc\n0\r\n\r\n"), 400),
    "trailers": (_chunked(b"3\r\nabc\r\n0\r\nX-A: b\r\n\r\n"), 400),
    "a chunk beyond the limit": (_chunked(b"ffffffff\r\nabc\r\n0\r\n\r\n"), 413),
    "a chunk beyond all numbers": (_chunked(b"f" * 40 + b"\r\nabc\r\n0\r\n\r\n"), 400),
    # headers
    "a space before a colon": (_posted(_LENGTH, b"X-A : b\r\n"), 400),
    "a space before the colon of a length": (_posted(b"Content-Length : 3\r\n"), 400),
    "a tab before the colon of chunks": (_posted(b"Transfer-Encoding\t: chunked\r\n", body=_CHUNKS), 400),
    "a folded header": (_posted(_LENGTH, b"X-A: b\r\n c\r\n"), 400),
    "a folded length": (_posted(b"Content-Length:\r\n 3\r\n"), 400),
    "a space before the first header": (_LINE + b" " + _HOST + _LENGTH + b"\r\nabc", 400),
    "a header without a colon": (_posted(_LENGTH, b"X-A\r\n"), 400),
    "a header without a name": (_posted(_LENGTH, b": b\r\n"), 400),
    "a name that is no token": (_posted(_LENGTH, b"X(A): b\r\n"), 400),
    "a NUL in a value": (_posted(_LENGTH, b"X-A: b\0c\r\n"), 400),
    "a NUL in a name": (_posted(_LENGTH, b"X\0A: b\r\n"), 400),
    "a control character in a value": (_posted(_LENGTH, b"X-A: b\x01c\r\n"), 400),
    "a delete in a value": (_posted(_LENGTH, b"X-A: b\x7fc\r\n"), 400),
    "a carriage return in a value": (_posted(_LENGTH, b"X-A: b\rc: d\r\n"), 400),
    "a carriage return before a length": (_posted(b"X-A: b\rContent-Length: 3\r\n", body=b""), 400),
    "headers beyond the limit": (_asked(b"GET /seen HTTP/1.1", _HOST, b"X-A: " + b"a" * 70_000 + b"\r\n"), 431),
    # whom it is for
    "no host": (_asked(b"GET /seen HTTP/1.1", b"X-A: b\r\n"), 400),
    "two hosts": (_asked(b"GET /seen HTTP/1.1", _HOST, b"Host: y\r\n"), 400),
    "two hosts in one": (_asked(b"GET /seen HTTP/1.1", b"Host: x, y\r\n"), 400),
    "a host with a space": (_asked(b"GET /seen HTTP/1.1", b"Host: x y\r\n"), 400),
    "a host with a path": (_asked(b"GET /seen HTTP/1.1", b"Host: x/y\r\n"), 400),
    "a host with a user": (_asked(b"GET /seen HTTP/1.1", b"Host: a@x\r\n"), 400),
    # the request line
    "two spaces behind the method": (_asked(b"GET  /seen HTTP/1.1"), 400),
    "two spaces behind the target": (_asked(b"GET /seen  HTTP/1.1"), 400),
    "a space behind the version": (_asked(b"GET /seen HTTP/1.1 "), 400),
    "a tab in place of a space": (_asked(b"GET\t/seen HTTP/1.1"), 400),
    "a space in the target": (_asked(b"GET /seen /x HTTP/1.1"), 400),
    "a NUL in the target": (_asked(b"GET /seen\0 HTTP/1.1"), 400),
    "a carriage return in the target": (_asked(b"GET /seen\rX HTTP/1.1"), 400),
    "no version": (_asked(b"GET /seen"), 400),
    "a version of one number": (_asked(b"GET /seen HTTP/1"), 400),
    "a version in small letters": (_asked(b"GET /seen http/1.1"), 400),
    "a version of two digits": (_asked(b"GET /seen HTTP/1.10"), 400),
    "no method": (_asked(b" /seen HTTP/1.1"), 400),
    "a method that is no token": (_asked(b"G@T /seen HTTP/1.1"), 400),
    "a space before the method": (_asked(b" GET /seen HTTP/1.1"), 400),
    "another protocol": (_asked(b"GET /seen RTSP/1.0"), 400),
    "the beginning of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "something else": (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n", 400),
}

#: What Tornado's server still reads, and llhttp's does not.
REFUSED_BY_LLHTTP = {
    "line feeds alone": (b"POST /seen HTTP/1.1\nHost: x\nContent-Length: 3\n\nabc", 400),
    "a line feed behind a header": (_LINE + b"Host: x\n" + _LENGTH + b"\r\nabc", 400),
    "a line feed before the body": (_LINE + _HOST + b"Content-Length: 3\r\n\nabc", 400),
    "the same length twice": (_posted(_LENGTH, _LENGTH), 400),
    "the same length twice in one": (_posted(b"Content-Length: 3, 3\r\n"), 400),
    "chunks in HTTP/1.0": (b"POST /seen HTTP/1.0\r\n" + _CHUNKED + b"\r\n" + _CHUNKS, 400),
    "a future version": (_asked(b"GET /seen HTTP/1.2"), 400),
    "another version": (_asked(b"GET /seen HTTP/2.0"), 400),
    "an older version": (_asked(b"GET /seen HTTP/0.9"), 400),
    "an address of a proxy": (_asked(b"GET http://y/seen HTTP/1.1"), 400),
    "an address without a host": (_asked(b"GET seen HTTP/1.1"), 400),
    "a tunnel": (_asked(b"CONNECT y:443 HTTP/1.1"), 400),
    "everything": (_asked(b"GET * HTTP/1.1"), 400),
    "a method in small letters": (_asked(b"get /seen HTTP/1.1"), 400),
    "an unknown method": (_asked(b"SMUGGLE /seen HTTP/1.1"), 400),
    "a target beyond ASCII": (_asked("GET /sеen HTTP/1.1".encode()), 400),
    "a long request line": (_asked(b"GET /seen?" + b"a" * 20_000 + b" HTTP/1.1"), 414),
    "many headers": (_asked(b"GET /seen HTTP/1.1", _HOST, *[b"X-A: b\r\n"] * 100), 431),
}
