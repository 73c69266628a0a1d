"""Operators and backends: who may come in, and what they did."""
