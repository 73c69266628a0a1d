"""Authorizations in a relational database: SQLite, PostgreSQL, MySQL and MariaDB."""
