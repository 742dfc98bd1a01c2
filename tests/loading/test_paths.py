"""What a PATH argument means, and which files of a directory are the project's own."""

import os
from pathlib import Path

import pytest

from shapelint.loading.errors import LoadError
from shapelint.loading.paths import locate_module, python_files, resolve


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n")


def below(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in python_files(root))


def test_a_file_stands_for_itself(tmp_path: Path) -> None:
    write(tmp_path, "unet.py")
    (request,) = resolve(str(tmp_path / "unet.py"))
    assert request.path == tmp_path / "unet.py"
    assert request.expression is None
    assert request.named


def test_a_directory_stands_for_its_python_files_sorted_and_not_named(tmp_path: Path) -> None:
    write(tmp_path, "b.py", "a.py", "nets/c.py", "notes.txt")
    requests = resolve(str(tmp_path))
    assert [request.path.relative_to(tmp_path).as_posix() for request in requests] == ["a.py", "b.py", "nets/c.py"]
    assert not any(request.named for request in requests)


@pytest.mark.parametrize("expression", ["UNet", "UNet(3, 2)", "zoo.UNet(kind='a:b')"])
def test_after_a_colon_stands_a_name_or_a_call(tmp_path: Path, expression: str) -> None:
    write(tmp_path, "unet.py")
    (request,) = resolve(f"{tmp_path / 'unet.py'}:{expression}")
    assert (request.path, request.expression) == (tmp_path / "unet.py", expression)


def test_a_module_is_found_without_importing_its_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "src/nets/__init__.py", "src/nets/unet.py")
    (tmp_path / "src/nets/__init__.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.chdir(tmp_path)
    (request,) = resolve("nets.unet:UNet")
    assert request.path == tmp_path / "src/nets/unet.py"
    assert request.expression == "UNet"


def test_an_installed_package_is_its_init_file() -> None:
    (request,) = resolve("click:Command")
    assert request.path.parts[-2:] == ("click", "__init__.py")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("missing.py", "no such file or directory: missing.py"),
        ("missing.py:UNet", "no such file: missing.py"),
        ("no_such_package.nets:UNet", "no module named no_such_package.nets"),
        ("click.core", "for a module write package.module:NAME"),
    ],
)
def test_what_is_missing_is_named(argument: str, message: str) -> None:
    with pytest.raises(LoadError, match="SL906") as raised:
        resolve(argument)
    assert message in raised.value.message


def test_hidden_generated_and_installed_files_are_not_the_projects_own(tmp_path: Path) -> None:
    write(
        tmp_path,
        "unet.py",
        ".hidden/a.py",
        ".secret.py",
        "__pycache__/b.py",
        "node_modules/c.py",
        "build/lib/d.py",
        "my_env/lib/site-packages/e.py",
        "node_modules/f.py",
    )
    (tmp_path / "my_env" / "pyvenv.cfg").write_text("")
    assert below(tmp_path) == ["unet.py"]


def test_a_package_may_be_called_build(tmp_path: Path) -> None:
    write(tmp_path, "build/__init__.py", "build/net.py")
    assert below(tmp_path) == ["build/__init__.py", "build/net.py"]


def test_a_directory_that_is_asked_for_is_read_whatever_its_name(tmp_path: Path) -> None:
    write(tmp_path, "site-packages/unet.py")
    assert len(resolve(str(tmp_path / "site-packages"))) == 1


def test_links_that_lead_in_circles_end(tmp_path: Path) -> None:
    write(tmp_path, "nets/unet.py")
    os.symlink(tmp_path, tmp_path / "nets" / "again", target_is_directory=True)
    os.symlink(tmp_path / "nowhere", tmp_path / "dangling.py")
    assert below(tmp_path) == ["nets/unet.py"]


def test_namespace_packages_are_followed(tmp_path: Path) -> None:
    write(tmp_path, "one/space/a.py", "two/space/b.py")
    found = locate_module("space.b", [tmp_path / "one", tmp_path / "two"])
    assert found == tmp_path / "two/space/b.py"
