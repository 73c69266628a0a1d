"""The database: connections, dialects, tables, migrations."""
