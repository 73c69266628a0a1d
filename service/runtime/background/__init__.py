"""Background work of a process: counts of activity, heartbeats, trimming of the audit log."""
