"""A request's body, taken out of what a client sends: so many bytes, or chunks."""

import re
from typing import Final, Protocol

from service.runtime.http_server.request_head import Refused

__all__ = ["Body", "ChunkedBody", "SizedBody"]

_CHUNK_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,16}")
_LINE_END: Final = b"\r\n"


class Body(Protocol):
    """What becomes of a body as it comes in."""

    is_complete: bool

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Return what of the data belongs to the body, and what is left for later.

        Raises:
            Refused: It is malformed or too large.
        """
        ...


class SizedBody:
    """A body of so many bytes."""

    def __init__(self, size: int) -> None:
        self._missing = size
        self.is_complete = not size

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Return what of the data belongs to the body, and what follows it."""
        content, rest = data[: self._missing], data[self._missing :]
        self._missing -= len(content)
        self.is_complete = not self._missing
        return content, rest


class ChunkedBody:
    """A body in chunks, without what hardly anybody uses and others read differently: extensions and trailers.

    Args:
        most: How many bytes it may have.
    """

    def __init__(self, most: int) -> None:
        self._left = most
        self._missing = 0  # of the current chunk and of the line end behind it
        self.is_complete = False

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Return what of the data belongs to the body, and what must be seen again when more has come."""
        contents = []
        place = 0
        while not self.is_complete:
            if self._missing > len(_LINE_END):
                content = data[place : place + self._missing - len(_LINE_END)]
                if not content:
                    break
                contents.append(content)
                place += len(content)
                self._missing -= len(content)
            elif self._missing:
                if not _LINE_END.startswith(data[place : place + 2]):
                    raise Refused(400, "a chunk does not end where it should")
                if len(data) < place + 2:
                    break
                place += 2
                self._missing = 0
            else:
                end = self._take_size(data, place)
                if end < 0:
                    break
                place = end
        return b"".join(contents), data[place:]

    def _take_size(self, data: bytes, place: int) -> int:
        """Read the size of the next chunk; return where its content begins, or -1 if not all of it is there."""
        size = _CHUNK_SIZE.match(data, place)
        end = size.end() if size else place
        line_end = data[end : end + 2]
        if not _LINE_END.startswith(line_end) or (size is None and line_end):
            raise Refused(400, "the size of a chunk is malformed")
        if len(line_end) < len(_LINE_END) or size is None:
            return -1
        self._missing = int(size[0], 16) + len(_LINE_END)
        self._left -= self._missing - len(_LINE_END)
        if self._left < 0:
            raise Refused(413, "the body is too large")
        if self._missing > len(_LINE_END):
            return end + 2
        last = data[end + 2 : end + 4]
        if not _LINE_END.startswith(last):
            raise Refused(400, "trailers are not taken")
        if len(last) < len(_LINE_END):
            self._missing = 0
            return -1
        self.is_complete = True
        return end + 4
