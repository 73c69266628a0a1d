"""`make test-clusters`: engines of several servers, with what was seen put into docs/reliability.md where asked for.

Usage: python -m tests.clusters.table [--only quick] [--write]
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.reliability.page import write_figures

__all__ = ["figures_of"]

#: The columns, by what `Trial` calls them.
COLUMNS = ("acknowledged", "lost", "seconds", "twice")


def figures_of(report: str) -> dict[str, list[str | None]]:
    """Return the figures that a report of pytest holds in JUnit's form, by what was tried."""
    rows: dict[str, list[str | None]] = {}
    for noted in ET.fromstring(report).iter("property"):
        if noted.get("name") != "figures":
            continue
        what, found = json.loads(noted.get("value", ""))
        row = rows.setdefault(what, [None] * len(COLUMNS))
        row[:] = [f"{found[name]:,}" if name in found else old for name, old in zip(COLUMNS, row, strict=True)]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", choices=["", "quick"], help="the tests with this mark")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/reliability.md and its twin")
    asked = parser.parse_args()
    marks = f"clusters and {asked.only}" if asked.only else "clusters"
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        # The form of the report that holds what tests record.
        options = ["-rP", "-q", f"--junitxml={report}", "--override-ini=junit_family=xunit1"]
        pytest = [sys.executable, "-m", "pytest", "-m", marks, *options]
        status = subprocess.run(pytest, check=False).returncode
        if asked.write and status == 0:
            write_figures(figures_of(report.read_text(encoding="utf-8")))
    sys.exit(status)


if __name__ == "__main__":
    main()
