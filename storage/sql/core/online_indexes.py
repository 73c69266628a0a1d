"""`op.create_index_online`, `op.drop_index_online`, `op.restrict_index_online`: for migrations of tables in use.

On PostgreSQL a plain CREATE INDEX blocks all writes until it is done, for minutes where there are many
rows. CREATE INDEX CONCURRENTLY does not, but it cannot be part of a transaction, and one that is broken off leaves an
index behind that is not valid. MySQL and MariaDB (InnoDB) build an index beside the writers by themselves; SQLite
builds it under its write lock.

Each operation commits what its migration did before, so it should be alone in its migration.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from alembic.operations import MigrateOperation, Operations
from sqlalchemy import text

from storage.sql.core.dialects import dialect_named
from storage.sql.core.dialects.base import PATIENT

__all__ = ["CreateIndexOnline", "DropIndexOnline", "RestrictIndexOnline"]


@Operations.register_operation("create_index_online")
class CreateIndexOnline(MigrateOperation):
    """Makes an index while the table is in use. Running it again after it broke off makes it anew."""

    def __init__(self, name: str, table: str, columns: Sequence[str], options: Mapping[str, Any]) -> None:
        self.name = name
        self.table = table
        self.columns = list(columns)
        self.options = options

    @classmethod
    def create_index_online(
        cls, operations: Operations, name: str, table: str, columns: Sequence[str], **options: Any
    ) -> Any:
        """Make an index of a table's columns; the options are those of `op.create_index`."""
        return operations.invoke(cls(name, table, columns, options))


@Operations.register_operation("drop_index_online")
class DropIndexOnline(MigrateOperation):
    """Drops an index while the table is in use."""

    def __init__(self, name: str, table: str) -> None:
        self.name = name
        self.table = table

    @classmethod
    def drop_index_online(cls, operations: Operations, name: str, table: str) -> Any:
        """Drop an index of a table."""
        return operations.invoke(cls(name, table))


@Operations.register_operation("restrict_index_online")
class RestrictIndexOnline(MigrateOperation):
    """Has an index hold some rows instead of all, or all again, where databases can: MySQL and MariaDB keep it whole.

    There is an index at any time. Running it again after it broke off makes it anew.
    """

    def __init__(self, name: str, table: str, columns: Sequence[str], where: str | None) -> None:
        self.name = name
        self.table = table
        self.columns = list(columns)
        self.where = where

    @classmethod
    def restrict_index_online(
        cls, operations: Operations, name: str, table: str, columns: Sequence[str], where: str | None
    ) -> Any:
        """Have an index of a table's columns hold the rows of a condition; None is all of them."""
        return operations.invoke(cls(name, table, columns, where))


@Operations.implementation_for(CreateIndexOnline)
def _create(operations: Operations, wanted: CreateIndexOnline) -> None:
    if not _is_postgresql(operations):
        operations.create_index(wanted.name, wanted.table, wanted.columns, **wanted.options)
        return
    with _beside_writers(operations):
        operations.drop_index(wanted.name, postgresql_concurrently=True, if_exists=True)
        operations.create_index(
            wanted.name, wanted.table, wanted.columns, postgresql_concurrently=True, **wanted.options
        )


@Operations.implementation_for(DropIndexOnline)
def _drop(operations: Operations, wanted: DropIndexOnline) -> None:
    if not _is_postgresql(operations):
        operations.drop_index(wanted.name, wanted.table)
        return
    with _beside_writers(operations):
        operations.drop_index(wanted.name, postgresql_concurrently=True, if_exists=True)


@Operations.implementation_for(RestrictIndexOnline)
def _restrict(operations: Operations, wanted: RestrictIndexOnline) -> None:
    dialect = operations.get_context().dialect.name
    where: dict[str, Any] = {} if wanted.where is None else {f"{dialect}_where": text(wanted.where)}
    if dialect == "sqlite":
        operations.drop_index(wanted.name, wanted.table)
        operations.create_index(wanted.name, wanted.table, wanted.columns, **where)
    if dialect == "postgresql":
        successor = f"{wanted.name}_new"
        with _beside_writers(operations):
            operations.drop_index(successor, postgresql_concurrently=True, if_exists=True)
            operations.create_index(successor, wanted.table, wanted.columns, postgresql_concurrently=True, **where)
            operations.drop_index(wanted.name, postgresql_concurrently=True, if_exists=True)
            operations.execute(f"ALTER INDEX {successor} RENAME TO {wanted.name}")


def _is_postgresql(operations: Operations) -> bool:
    return operations.get_context().dialect.name == "postgresql"


@contextmanager
def _beside_writers(operations: Operations) -> Iterator[None]:
    """Leave the transaction, and be patient.

    A concurrent build waits, without blocking other sessions, until all transactions that began before it have
    ended.
    """
    lock_timeout_sql = dialect_named("postgresql").lock_timeout_sql
    with operations.get_context().autocommit_block():
        operations.execute(lock_timeout_sql(0))
        yield
        operations.execute(lock_timeout_sql(PATIENT.table_lock_seconds))
