"""PyMySQL's connection, able to send the statements of a transaction in one message with its commit."""

from typing import Any

from pymysql.connections import Connection
from pymysql.constants import CLIENT
from pymysql.cursors import Cursor

__all__ = ["BatchingConnection"]


class BatchingCursor(Cursor):  # type: ignore[misc] # the driver ships no types
    """Executes statements, or has them wait for the commit."""

    def execute(self, query: Any, args: Any = None) -> Any:
        """Execute a statement now, or with the others at the commit. `executemany` comes here, too."""
        waiting = self.connection.waiting
        if waiting is None:
            return super().execute(query, args)
        statement = self.mogrify(query, args)
        waiting.append(statement.encode(self.connection.encoding) if isinstance(statement, str) else bytes(statement))
        return 0


class BatchingConnection(Connection):  # type: ignore[misc] # the driver ships no types
    """A connection that saves round trips: after `batch`, statements wait and go out together with the commit.

    Attributes:
        waiting: The statements that wait; None while statements are executed as they come.
    """

    def __init__(self, **options: Any) -> None:
        self.waiting: list[bytes] | None = None
        self._is_clean = True
        # Values are written into statements by this driver, which escapes them, whether there is one statement or more.
        flags = options.pop("client_flag", 0) | CLIENT.MULTI_STATEMENTS
        super().__init__(**{"cursorclass": BatchingCursor, **options, "client_flag": flags})

    def batch(self) -> None:
        """Have the statements of this transaction wait for its commit. None of them may return anything."""
        self.waiting = []

    def query(self, sql: Any, unbuffered: bool = False) -> Any:
        """Send a statement; from now on there may be a transaction."""
        self._is_clean = False
        return super().query(sql, unbuffered=unbuffered)

    def commit(self) -> None:
        """Send what waits and the commit. The server stops at a statement that fails; the transaction stays open."""
        waiting, self.waiting = self.waiting, None
        if waiting is None:
            super().commit()
        else:
            with self.cursor() as cursor:
                cursor.execute(b";".join([*waiting, b"COMMIT"]))
                while cursor.nextset():
                    pass
        self._is_clean = True

    def rollback(self) -> None:
        """Roll back, unless nothing has happened since the last commit: pools roll back whatever they are given."""
        self.waiting = None
        if not self._is_clean:
            super().rollback()
            self._is_clean = True
