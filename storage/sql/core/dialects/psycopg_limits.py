"""psycopg's connection, which waits for an answer only so long."""

import time
from collections.abc import Generator
from typing import Any

import psycopg

__all__ = ["LimitedConnection"]


class LimitedConnection(psycopg.Connection[Any]):
    """A connection whose waits have an end: by itself psycopg waits for ever for a server that vanished.

    Attributes:
        answer_seconds: How long an answer may take; None for no limit.
    """

    answer_seconds: float | None = None

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        """Wait for what is asked of the server.

        Raises:
            OperationalError: It took too long. The connection is of no use any more: whose answer would come next?
        """
        if self.answer_seconds is None:
            return super().wait(gen, *args, **kwargs)
        return super().wait(self._limited(gen, time.monotonic() + self.answer_seconds), *args, **kwargs)

    def _limited(self, gen: Any, ends_at: float) -> Generator[Any, Any, Any]:
        """Do as the generator does, which yields what it waits for and is told, now and then, that nothing came."""
        try:
            wanted = next(gen)
            while True:
                came = yield wanted
                if not came and time.monotonic() > ends_at:
                    self.pgconn.finish()
                    raise psycopg.OperationalError("the server did not answer in time")
                wanted = gen.send(came)
        except StopIteration as end:
            return end.value
