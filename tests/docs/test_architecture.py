"""Who may import whom, and that the page on architecture tells of every module."""

import ast
import re
from pathlib import Path

import pytest

from tests.docs.markdown_text import ROOT, read, section, table_rows

PAGE = ROOT / "docs" / "architecture.md"
PACKAGES = ("admin", "service", "storage")


def is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def modules_of(root: Path) -> dict[str, ast.Module]:
    """Return the modules of our packages by their dotted names."""
    found = {}
    for path in sorted(path for package in PACKAGES for path in (root / package).rglob("*.py")):
        name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


def imports_of(tree: ast.Module, known: set[str]) -> set[str]:
    """Return what a module imports anywhere in it, by dotted names; those of our modules in full."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                found.add(submodule if submodule in known else str(node.module))
    return found


def graph_of(root: Path) -> dict[str, set[str]]:
    modules = modules_of(root)
    return {name: imports_of(tree, set(modules)) for name, tree in modules.items()}


def find_cycle(graph: dict[str, set[str]]) -> list[str]:
    """Return modules that import each other in a ring; empty when there are none."""
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        for imported in sorted(graph[module] & graph.keys()):
            if ring := visit(imported, [*path, module]):
                return ring
        done.add(module)
        return []

    return next((ring for module in sorted(graph) if (ring := visit(module, []))), [])


GRAPH = graph_of(ROOT)

#: From the top down, as the page tells them: the packages and modules of each floor.
FLOORS = [re.findall(r"`([\w.]+)`", row[1]) for row in table_rows(section(read(PAGE), "The floors of the house"))]


def violations(importer: str, imported: str, *, except_for: tuple[str, ...] = ()) -> list[str]:
    """Return the imports that modules within `importer` make of something within `imported`."""
    return [
        f"{module} imports {name}"
        for module, names in GRAPH.items()
        if is_within(module, importer)
        for name in sorted(names)
        if is_within(name, imported) and not any(is_within(name, allowed) for allowed in except_for)
    ]


def test_the_modules_of_the_tree_are_found():
    assert {
        "storage.store",
        "service.tokens.manager",
        "service.wechat.client",
        "service.simulator.wechat",
    } <= GRAPH.keys()
    assert "storage.grants" in GRAPH["storage.store"]
    assert "service.http.handlers.h5" in GRAPH["service.runtime.app"]


def test_imports_inside_functions_and_of_submodules_are_seen(tmp_path):
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "__init__.py").touch()
    (tmp_path / "service" / "one.py").write_text("def late():\n    from service import two\n")
    (tmp_path / "service" / "two.py").write_text("import service.one\nimport tornado.web\n")
    graph = graph_of(tmp_path)
    assert graph == {"service": set(), "service.one": {"service.two"}, "service.two": {"service.one", "tornado.web"}}
    assert find_cycle(graph) == ["service.one", "service.two", "service.one"]


@pytest.mark.parametrize("outside", ["service", "admin", "tornado", "requests"])
def test_storage_knows_nothing_of_what_stands_on_it(outside):
    assert violations("storage", outside) == []


def test_the_dashboard_knows_storage_only():
    assert violations("admin", "service") == []


def test_the_gateway_to_wechat_knows_nothing_of_the_service_but_redaction():
    assert (
        violations("service.wechat", "service", except_for=("service.wechat", "service.observability.redaction")) == []
    )
    assert violations("service.wechat", "storage") == []


def test_redaction_stands_on_nothing_of_ours():
    assert [name for package in PACKAGES for name in violations("service.observability.redaction", package)] == []


def test_the_simulator_shares_no_code_with_the_service():
    assert violations("service.simulator", "service", except_for=("service.simulator",)) == []


def test_handlers_are_imported_by_composition_and_commands_only():
    importers = {
        module for module, names in GRAPH.items() if any(is_within(name, "service.http.handlers") for name in names)
    }
    allowed = ("service.runtime", "service.commands", "service.http.handlers")
    assert [module for module in sorted(importers) if not any(is_within(module, place) for place in allowed)] == []


def test_commands_are_loaded_by_the_command_line_only():
    importers = [
        module
        for module, names in GRAPH.items()
        if not is_within(module, "service.commands") and any(is_within(name, "service.commands") for name in names)
    ]
    assert importers == ["service.__main__"]  # the command line loads them by name, each when it is typed


def floor_of(module: str) -> int:
    """Return the number of a module's floor, 0 at the top: the one that names most of it."""
    named = [(place, number) for number, floor in enumerate(FLOORS) for place in floor if is_within(module, place)]
    assert named, f"{module} stands on no floor"
    return max(named, key=lambda one: len(one[0]))[1]


def upward_imports(graph: dict[str, set[str]]) -> list[str]:
    """Return the imports of modules that stand on a higher floor than the one that imports them."""
    return [
        f"{module} imports {name}"
        for module, names in graph.items()
        for name in sorted(names & GRAPH.keys())
        if floor_of(name) < floor_of(module)
    ]


def test_every_module_stands_on_a_floor():
    assert len(FLOORS) >= 10
    for module in GRAPH:
        floor_of(module)


def test_imports_go_down_the_floors():
    assert upward_imports(GRAPH) == []


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("service.tokens.manager", "service.authorization.exchange"),
        ("service.settings", "service.http.clients"),
        ("admin.users", "service.http.errors"),
        ("admin.services", "admin.web.handler"),
        ("admin.web.inputs", "admin.users.filters"),
        ("admin.users.list_page", "admin.jobs.pages"),
        ("service.webhooks.crypto", "service.http.handlers.events"),
        ("storage.vault", "service.settings"),
        ("storage.base.clock", "storage.grants"),
        ("storage.sql.core.engine", "storage.sql.work.jobs"),
        ("service.wechat.client", "service.tokens.breaker"),
    ],
)
def test_an_import_that_goes_up_is_noticed(module, imported):
    assert upward_imports({**GRAPH, module: GRAPH.get(module, set()) | {imported}}) == [f"{module} imports {imported}"]


def test_the_rooms_of_the_service_are_few():
    entries = [entry for entry in (ROOT / "service").iterdir() if entry.name != "__pycache__"]
    assert len(entries) <= 12


def test_modules_are_short_but_for_tables():
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    long = {str(path.relative_to(ROOT)) for path in paths if len(read(path).splitlines()) > 350}
    assert long <= {"service/settings/table.py", "service/wechat/errcodes.py", "storage/sql/core/schema.py"}


def test_no_modules_import_each_other_in_a_ring():
    assert find_cycle(GRAPH) == []


@pytest.mark.parametrize(
    ("library", "door"),
    [
        ("alembic", "storage.sql"),
        ("authlib", "admin.operators.provider"),
        ("brotli", "service.wechat.reply_body"),
        ("sqlalchemy", "storage.sql"),
        ("cryptography.hazmat.primitives.ciphers.aead", "storage.sealing"),
        ("cryptography.hazmat.primitives.ciphers.modes", "service.webhooks.crypto"),
        ("fido2", "admin.operators.factors"),
        ("joserfc", "admin.operators.provider"),
        ("pycurl", "service.wechat.transports"),
        ("redis", "storage.redis"),
        ("requests", "service.wechat.transports"),
    ],
)
def test_a_library_has_one_door(library, door):
    users = {
        module
        for module, names in GRAPH.items()
        # The simulator has its own door: it shares no code with the service.
        if not is_within(module, "service.simulator") and any(is_within(name, library) for name in names)
    }
    assert users
    assert [module for module in sorted(users) if not is_within(module, door)] == []


def names_taken_from(tree: ast.Module) -> set[tuple[str, str]]:
    """Return the modules that a module imports names from, with the names."""
    return {
        (str(node.module), alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_a_name_is_imported_from_the_module_that_defines_it():
    trees = modules_of(ROOT)
    packages = {name for name in trees if (ROOT / name.replace(".", "/")).is_dir()}
    borrowed = {name: {taken for _, taken in names_taken_from(tree)} for name, tree in trees.items()}
    paths = [
        path
        for path in (ROOT / "tests").rglob("*.py")
        if not {".venv", "node_modules"} & {*path.relative_to(ROOT).parts}
    ]
    tests = {str(path): ast.parse(path.read_text(encoding="utf-8")) for path in paths}
    assert [
        f"{importer} takes {taken} from {module}"
        for importer, tree in {**trees, **tests}.items()
        for module, taken in sorted(names_taken_from(tree))
        if module in trees.keys() - packages and taken in borrowed[module]
    ] == []


def test_files_of_tests_are_told_apart_by_their_names():
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py") if ".venv" not in path.parts]
    assert len(names) > 100
    assert [name for name in sorted(set(names)) if names.count(name) > 1] == []


def test_the_folder_of_migrations_is_no_package():
    assert (ROOT / "alembic" / "env.py").exists()
    assert not list((ROOT / "alembic").rglob("__init__.py"))


def test_migrations_import_nothing_of_ours():
    for version in (ROOT / "alembic" / "versions").glob("*.py"):
        names = imports_of(ast.parse(version.read_text(encoding="utf-8")), set())
        ours = [name for name in names if any(is_within(name, package) for package in PACKAGES)]
        assert (version.name, ours) == (version.name, [])


def documented_modules() -> list[str]:
    rows = table_rows(section(read(PAGE), "The modules"))
    return [name for row in rows for name in re.findall(r"`([\w.]+)`", row[0])]


def holds_code(tree: ast.Module) -> bool:
    """Tell whether a module is more than a docstring."""
    return any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in tree.body)


def test_every_module_is_on_the_page():
    present = {name for name, tree in modules_of(ROOT).items() if holds_code(tree)}
    assert sorted(present - set(documented_modules())) == []


def test_every_module_on_the_page_exists_and_stands_there_once():
    documented = documented_modules()
    assert [name for name in documented if name not in GRAPH] == []
    assert len(documented) == len(set(documented))


def test_every_place_in_the_table_of_floors_exists():
    assert [place for floor in FLOORS for place in floor if place not in GRAPH] == []


def test_the_pictures_name_classes_that_exist():
    classes = {
        node.name for tree in modules_of(ROOT).values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    }
    pictures = " ".join(re.findall(r"```mermaid\n(.*?)```", read(PAGE), re.DOTALL))
    named = set(re.findall(r"\b(?:[A-Z][a-z]+){2,}\b", pictures)) - {"WeChat"}
    assert len(named) >= 4
    assert named <= classes
