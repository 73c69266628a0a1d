"""Lists what tests try against the service, for SECURITY.md: `make attacks` writes the table there.

A test, or all tests of a module by `pytestmark`, says by the marker `attack` what it tries: against which asset, who
would, how, and what comes of it. Tests that say the same share a row. The tests are read, not run; that they pass is
for the suite to tell.
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "SECURITY.md"
HEAD = "| Against | By | Attempt | Outcome | Tests |\n|---|---|---|---|---|\n"

Attack = tuple[str, str, str, str]


def attacks_of(module: ast.Module) -> Iterator[Attack]:
    """Give what each marker in a module says.

    Raises:
        ValueError: A marker has other arguments than four texts.
    """
    for node in ast.walk(module):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="mark"), attr="attack"), args=args, keywords=[]):
                words = tuple(arg.value for arg in args if isinstance(arg, ast.Constant) and isinstance(arg.value, str))
                if len(words) != 4 or len(args) != 4:
                    raise ValueError(f"line {node.lineno}: attack takes asset, attacker, attempt and outcome")
                yield words


def table() -> str:
    """Return the table, by asset and attempt."""
    places: dict[Attack, set[str]] = defaultdict(set)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for attack in attacks_of(ast.parse(path.read_text(encoding="utf-8"))):
            places[attack].add(path.relative_to(ROOT).as_posix())
    rows = (
        f"| {' | '.join(attack)} | {', '.join(f'[{Path(path).stem}]({path})' for path in sorted(places[attack]))} |\n"
        for attack in sorted(places, key=lambda attack: (attack[0].lower(), attack[2].lower()))
    )
    return HEAD + "".join(rows)


def with_table(text: str) -> str:
    """Return the text of the page with the table as it is now: from its head to the next empty line."""
    before, head, rest = text.partition(HEAD)
    if not head:
        raise ValueError(f"{PAGE.name} has no place for the table")
    _, gap, after = rest.partition("\n\n")
    return f"{before}{table()}{gap[1:]}{after}"


def with_table_left_out(text: str) -> str:
    """Return the text of a page without the table, if it has one."""
    before, head, rest = text.partition(HEAD)
    return before + rest.partition("\n\n")[2] if head else text


def main() -> None:
    text = with_table(PAGE.read_text(encoding="utf-8"))
    if "--write" in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(table(), end="")


if __name__ == "__main__":
    main()
