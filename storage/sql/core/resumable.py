"""Migrations of MySQL and MariaDB that can be run again after they broke off.

These databases commit each change of a table by itself, so a migration that ends in the middle (a kill, a lost
connection) has done a part of its steps, and nothing says which. Here each step looks first: what is there already and
as it should be is left, what is there and otherwise is told, and the rest is done. The other databases take a migration
back as a whole.

Statements that a migration gives to `op.execute` are not looked at; their author makes sure that they can be
repeated.
"""

from collections.abc import Callable
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.ddl.mysql import MariaDBImpl, MySQLImpl
from alembic.migration import MigrationContext
from sqlalchemy import Column, Constraint, Index, Inspector, Table, UniqueConstraint, inspect

from storage.base.errors import StorageError

__all__ = ["ResumableMariaDB", "ResumableMySQL"]


class _Resumable(MySQLImpl):
    """Looks before each step. When statements are only written out, there is nothing to look at."""

    def version_table_impl(self, **options: Any) -> Table:
        """Keep the revision in a table of transactions, too, whatever the server's default is."""
        table = super().version_table_impl(**options)
        for name in ("mysql", "mariadb"):
            table.dialect_options[name]["engine"] = "InnoDB"
        return table

    def create_table(self, table: Table, **options: Any) -> None:
        """Make a table, or only those of its indexes that are missing."""
        if not self._has_table(table.name):
            super().create_table(table, **options)
            return
        self._require(not self._differences(table), f"the table {table.name}")
        for index in table.indexes:
            self.create_index(index)

    def drop_table(self, table: Table, **options: Any) -> None:
        """Drop a table that is there."""
        if self._looks_first and not self._has_table(table.name):
            return
        super().drop_table(table, **options)

    def rename_table(self, old_table_name: str, new_table_name: Any, schema: Any = None) -> None:
        """Rename a table that has its old name still."""
        if self._looks_first and not self._has_table(old_table_name) and self._has_table(new_table_name):
            return
        super().rename_table(old_table_name, new_table_name, schema)

    def create_index(self, index: Index, **options: Any) -> None:
        """Make an index that is not there."""
        there = self._named(Inspector.get_indexes, index.table, index.name)
        if there is None:
            super().create_index(index, **options)
            return
        same = there["column_names"] == [column.name for column in index.columns]
        self._require(same and bool(there["unique"]) == bool(index.unique), f"the index {index.name}")

    def drop_index(self, index: Index, **options: Any) -> None:
        """Drop an index that is there."""
        if self._looks_first and self._named(Inspector.get_indexes, index.table, index.name) is None:
            return
        super().drop_index(index, **options)

    def add_column(self, table_name: str, column: Column[Any], **options: Any) -> None:
        """Add a column that is not there."""
        there = self._columns(table_name).get(column.name)
        if there is None:
            super().add_column(table_name, column, **options)
            return
        found: Column[Any] = Column(column.name, there["type"], nullable=there["nullable"])
        same = not self.compare_type(found, column) and (found.nullable == column.nullable or column.primary_key)
        self._require(same, f"the column {table_name}.{column.name}")

    def drop_column(self, table_name: str, column: Column[Any], **options: Any) -> None:
        """Drop a column that is there."""
        if self._looks_first and column.name not in self._columns(table_name):
            return
        super().drop_column(table_name, column, **options)

    def alter_column(self, table_name: str, column_name: str, *, name: str | None = None, **options: Any) -> None:
        """Change a column, which may be done twice, unless it has its new name already."""
        columns = self._columns(table_name)
        if name is not None and column_name not in columns and name in columns:
            return
        super().alter_column(table_name, column_name, name=name, **options)

    def add_constraint(self, const: Constraint, **options: Any) -> None:
        """Add a constraint that is not there; those of several columns must be of the same ones."""
        there = self._named(_constraints, const.table, const.name)
        if there is None:
            super().add_constraint(const, **options)
            return
        wanted = [column.name for column in const.columns] if isinstance(const, UniqueConstraint) else None
        same = wanted is None or there.get("column_names") == wanted
        self._require(same, f"the constraint {const.name}")

    def drop_constraint(self, const: Constraint, **options: Any) -> None:
        """Drop a constraint that is there."""
        if self._looks_first and const.name and self._named(_constraints, const.table, const.name) is None:
            return
        super().drop_constraint(const, **options)

    @property
    def _looks_first(self) -> bool:
        return not self.as_sql and self.connection is not None

    def _inspector(self) -> Inspector:
        """Return one that has remembered nothing."""
        return inspect(self.connection)

    def _has_table(self, name: str) -> bool:
        return self._looks_first and self._inspector().has_table(name)

    def _columns(self, table: str) -> dict[str, Any]:
        if not self._has_table(table):
            return {}
        return {str(column["name"]): column for column in self._inspector().get_columns(table)}

    def _named(self, kind: Callable[[Inspector, str], Any], table: Table | None, name: Any) -> dict[str, Any] | None:
        """Return what is there of a name, among a table's indexes or constraints."""
        if table is None or not self._has_table(table.name):
            return None
        return next((one for one in kind(self._inspector(), table.name) if one["name"] == name), None)

    def _differences(self, table: Table) -> list[Any]:
        """Return what a table that is there lacks or has otherwise. What it has besides, later steps have added."""
        options = {
            "compare_type": True,
            "include_object": lambda _object, name, kind, *_: kind != "table" or name == table.name,
        }
        changes = compare_metadata(MigrationContext.configure(self.connection, opts=options), table.metadata)
        # Changes of one column come as a list. Indexes that are missing are made next.
        found = [one for one in changes if not str(one[0]).startswith(("remove_", "add_index"))]
        key = self._inspector().get_pk_constraint(table.name)["constrained_columns"]
        wanted = [column.name for column in table.primary_key.columns]
        return found if key == wanted else [*found, key]

    @staticmethod
    def _require(same: bool, what: str) -> None:
        if not same:
            raise StorageError(
                f"The migration was broken off, or the tables were changed by hand: {what} is there already, "
                "but is not as it should be. Put it right or drop it, and run the migration again."
            )


def _constraints(inspector: Inspector, table: str) -> list[Any]:
    checks = inspector.get_check_constraints(table)
    return [*inspector.get_unique_constraints(table), *inspector.get_foreign_keys(table), *checks]


class ResumableMySQL(_Resumable):
    """What Alembic uses for URLs of MySQL from here on."""

    __dialect__ = "mysql"


class ResumableMariaDB(_Resumable, MariaDBImpl):
    """What Alembic uses for URLs of MariaDB from here on."""

    __dialect__ = "mariadb"
