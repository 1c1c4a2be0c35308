"""Where an app is looked for, and which app a changed file concerns."""

import os
from pathlib import Path

import pytest

from causeway_cli.apps.target import AppError, describe, find_target
from causeway_cli.dev.changes import Watched, concerned
from causeway_cli.dev.stack import StackError, find_apps, processes_of

APP = 'from causeway_logic import App\nprint("noise", end="")\napp = App("{name}", version="1.2.3")\n'


def test_a_module_of_the_current_folder_is_found_there(tmp_path: Path) -> None:
    (tmp_path / "shop.py").touch()
    assert find_target("shop:app", tmp_path) == ("shop:app", tmp_path)


def test_a_project_of_that_name_beside_us_is_found_from_above_it(tmp_path: Path) -> None:
    """`causeway new shop && causeway dev --app shop:app` needs no `cd`."""
    (tmp_path / "shop" / "shop").mkdir(parents=True)
    (tmp_path / "shop" / "shop" / "__init__.py").touch()
    assert find_target("shop:app", tmp_path) == ("shop:app", tmp_path / "shop")
    assert find_target("shop:app", tmp_path / "shop") == ("shop:app", tmp_path / "shop")
    assert find_target("../shop/shop:app", tmp_path / "shop") == ("shop:app", tmp_path / "shop")


def test_what_is_installed_stays_where_it_is(tmp_path: Path) -> None:
    assert find_target("apps.chat:app", tmp_path) == ("apps.chat:app", tmp_path)


def test_an_app_tells_its_name_and_source_whatever_it_prints_at_its_import(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text(APP.format(name="shop"))
    (tmp_path / "one.py").write_text(APP.format(name="one"))
    shop, one = (describe(f"{name}:app", tmp_path, os.environ) for name in ("shop", "one"))
    assert (shop.name, shop.version, shop.source) == ("shop", "1.2.3", tmp_path / "shop")
    assert (one.name, one.source) == ("one", tmp_path / "one.py")


def test_an_app_that_cannot_be_had_is_told_in_one_line_with_the_place(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("\nboom()\n")
    with pytest.raises(AppError, match=r"^bad cannot be imported: NameError: name 'boom' is not defined \(.*bad.py, line 2\)$"):
        describe("bad:app", tmp_path, os.environ)
    with pytest.raises(AppError, match=r"^os:sep is a str, it must be an App"):
        describe("os:sep", tmp_path, os.environ)
    (tmp_path / "leaves.py").write_text("import os\nos._exit(7)\n")
    with pytest.raises(AppError, match="ended with exit code 7"):
        describe("leaves:app", tmp_path, os.environ)


def test_two_versions_of_an_app_run_beside_each_other_and_the_same_one_twice_does_not(tmp_path: Path) -> None:
    """A canary on one machine: the folder of the next version beside the folder of this one."""
    for folder, version in (("now", "1.2.3"), ("next", "1.3.0"), ("again", "1.2.3")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "shop.py").write_text(APP.format(name="shop").replace("1.2.3", version))
    apps = find_apps(["shop:app", "../next/shop:app"], tmp_path / "now", os.environ)
    assert [(app.target, app.version, app.source) for app in apps] == [
        ("shop:app", "1.2.3", tmp_path / "now" / "shop.py"),
        ("shop:app", "1.3.0", tmp_path / "next" / "shop.py"),
    ]
    assert processes_of(apps) == ["logic-shop", "logic-shop-1.3.0"]
    with pytest.raises(StackError, match=r"same name and version: shop 1\.2\.3"):
        find_apps(["now/shop:app", "again/shop:app"], tmp_path, os.environ)
    with pytest.raises(AppError, match="there is no folder"):
        find_apps(["nowhere/shop:app"], tmp_path, os.environ)


HERE = Path("/here")
TEA = Watched("logic-tea", HERE / "tea", HERE)
CAKE = Watched("logic-cake", HERE / "cake.py", HERE)
AWAY = Watched("logic-away", Path("/lib/away"), HERE / "sub")


def test_an_apps_own_file_concerns_it_alone() -> None:
    assert concerned([HERE / "tea" / "deep" / "rules.py"], [TEA, CAKE, AWAY]) == ["logic-tea"]
    assert concerned([HERE / "cake.py"], [TEA, CAKE, AWAY]) == ["logic-cake"]
    assert concerned([Path("/lib/away/x.py")], [TEA, CAKE, AWAY]) == ["logic-away"]


def test_a_file_of_no_app_concerns_all_that_are_imported_from_there() -> None:
    assert concerned([HERE / "shared.py"], [TEA, CAKE, AWAY]) == ["logic-tea", "logic-cake"]
    assert concerned([HERE / "sub" / "shared.py"], [TEA, CAKE, AWAY]) == ["logic-tea", "logic-cake", "logic-away"]
