"""Tries every token store with the tests of the contract, and prints a table of them all: `make contract`."""

import sys
from collections import Counter, defaultdict

import pytest

PASSED, LEFT_OUT, FAILED = "passed", "skipped", "failed"


def is_of_the_contract(item):
    # By name: importing the class here would keep pytest from rewriting its assertions.
    bases = item.cls.__mro__ if getattr(item, "cls", None) else ()
    return any(base.__name__ == "TokenStoreContract" for base in bases)


def name_of(store):
    return store.__name__.removeprefix("Test").removeprefix("On")


class ContractTable:
    """Keeps only the contract's tests, and counts how they end."""

    def __init__(self):
        self._places = {}
        self._cells = defaultdict(Counter)
        self._parts = {}

    def pytest_collection_modifyitems(self, config, items):
        chosen = [item for item in items if is_of_the_contract(item)]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen
        for item in chosen:
            test = item.originalname
            self._places[item.nodeid] = (test, name_of(item.cls))
            part = next(base for base in reversed(item.cls.__mro__) if test in vars(base))
            self._parts.setdefault(test, part)

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.outcome != PASSED:
            self._cells[self._places[report.nodeid]][report.outcome] += 1

    def pytest_terminal_summary(self, terminalreporter):
        stores = sorted({store for _, store in self._places.values()})
        widths = [max(len(test) for test in self._parts), *(max(len(store), 3) for store in stores)]

        def line(*cells):
            padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
            terminalreporter.write_line(f"| {' | '.join(padded)} |")

        terminalreporter.section("the contract of token stores")
        line("", *stores)
        line(*("-" * width for width in widths))
        for part in sorted(set(self._parts.values()), key=lambda part: part.__module__):
            line(f"**{part.__name__}**", *("" for _ in stores))
            for test in (test for test in self._parts if self._parts[test] is part):
                line(test, *(written(self._cells[test, store]) for store in stores))
        for outcome in (PASSED, LEFT_OUT, FAILED):
            counts = [sum(self._cells[test, store][outcome] for test in self._parts) for store in stores]
            line(f"**{'left out' if outcome == LEFT_OUT else outcome}**", *map(str, counts))


def written(cell):
    """Write how the cases of one test ended on one store."""
    if cell[FAILED]:
        return f"✗ {cell[FAILED]}"
    if cell[PASSED]:
        return "✓" if cell[PASSED] == 1 else f"✓ {cell[PASSED]}"
    return "–" if cell[LEFT_OUT] else ""


if __name__ == "__main__":
    sys.exit(pytest.main(["-q", "--no-header", "-r", "fE", "tests/storage", *sys.argv[1:]], [ContractTable()]))
