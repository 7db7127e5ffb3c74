"""Which layers a stack has, and what makes a layer be built anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rigforge import closure
from rigforge.errors import RigforgeError
from rigforge.layers import recipes
from rigforge.layers.plan import Layer, plan, recipe_digest, recipe_sources, with_pool
from rigforge.lock.model import Lock
from rigforge.records.archive import LockedArchive
from rigforge.records.file import LockedFile
from rigforge.stack.load import load
from rigforge.stack.model import Stack


def locked(layer: str, name: str, sha256: str = "0" * 64) -> LockedFile:
    return LockedFile(layer, "deb", name, "1", f"debian:pool/{name}_1_all.deb", 1, sha256)


def lock(*files: LockedFile) -> Lock:
    versions = {"kernel": "6.1.0-56-amd64", "kernel_package_version": "6.1.192-2", "driver": "535.309.01"}
    return Lock("debian-12", "", 1_700_000_000, versions, (), files)


SMALL = lock(locked("base", "apt"), locked("host", "linux-image"))
WHOLE = lock(
    *(locked(layer, f"of-{layer}") for layer in ("base", "cuda", "python", "devel", "module", "host")),
    LockedFile("base", "deb", "python3", "3.11.2-1+b1", "debian:pool/python3_3.11.2-1+b1_amd64.deb", 1, "0" * 64),
    locked("doctor", "binutils"),
)


@pytest.fixture
def stack() -> Stack:
    return load("debian-12")


def keys(layers: tuple[Layer, ...]) -> dict[str, str]:
    return {layer.name: layer.key for layer in layers}


def test_a_layer_without_files_is_left_out(stack: Stack) -> None:
    assert [layer.name for layer in plan(stack, SMALL)] == ["base", "host", "boot", "medium"]


def test_layers_stand_on_each_other_in_order(stack: Stack) -> None:
    host = next(layer for layer in plan(stack, WHOLE) if layer.name == "host")
    assert [layer.name for layer in host.chain()] == ["base", "cuda", "python", "devel", "host"]
    assert [layer.name for layer in host.uses] == ["doctor", "module"]


def test_the_mediums_pool_is_a_layer_on_the_machines_and_rebuilds_no_other(stack: Stack) -> None:
    layers = plan(stack, WHOLE)
    first, other = (with_pool(layers, iso, "Types: deb\n") for iso in ("1" * 64, "2" * 64))
    names = [layer.name for layer in first if layer.shipped]
    assert names == ["base", "cuda", "python", "devel", "host", "pool", "medium"]
    assert {name for name, key in keys(first).items() if keys(other)[name] != key} == {"pool"}
    assert keys(layers).items() < keys(first).items()


def test_what_only_serves_the_build_is_not_shipped(stack: Stack) -> None:
    assert [layer.name for layer in plan(stack, WHOLE) if not layer.shipped] == ["doctor", "module", "boot"]


@pytest.mark.parametrize(
    "setting", ["hostname=other", "user=ada", "machine.locale=de_DE.UTF-8", "disk=/dev/sda", "jupyter.listen=lan"]
)
def test_no_value_of_the_site_rebuilds_a_layer(stack: Stack, setting: str) -> None:
    assert keys(plan(load("debian-12", sets=[setting]), WHOLE)) == keys(plan(stack, WHOLE))


def test_how_many_cards_are_expected_is_of_the_machines_layer_alone(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "rig.toml").write_text('extends = "debian-12"\n[gpu]\nexpect = 4\n')
    before, after = plan(stack, WHOLE), plan(load(str(tmp_path / "rig.toml")), WHOLE)
    assert [layer.name for layer in after if layer.options_by_name.get("expect")] == ["host"]
    changed = [name for name, key in keys(before).items() if keys(after)[name] != key]
    assert changed == ["host", "boot", "medium"]


def test_a_lock_of_another_day_rebuilds_nothing_before_the_next_point_release(stack: Stack) -> None:
    release = LockedArchive("debian", "bookworm", "Sat, 05 Sep 2026 09:00:00 UTC", "")
    security = LockedArchive("debian-security", "bookworm-security", "Sun, 22 Nov 2026 02:09:05 UTC", "")
    later = replace(security, date="Mon, 23 Nov 2026 02:09:05 UTC")
    monday = plan(stack, replace(WHOLE, archives=(release, security), source_date_epoch=1_795_313_345))
    tuesday = plan(stack, replace(WHOLE, archives=(release, later), source_date_epoch=1_795_399_745))
    assert keys(monday) == keys(tuesday)
    moved = replace(release, date="Sat, 09 Jan 2027 09:00:00 UTC")
    assert keys(monday) != keys(plan(stack, replace(WHOLE, archives=(moved, later))))


def test_another_file_rebuilds_its_layer_and_those_above_only(stack: Stack) -> None:
    changed = replace(WHOLE, files=tuple(replace(f, sha256="1" * 64) if f.layer == "devel" else f for f in WHOLE.files))
    before, after = keys(plan(stack, WHOLE)), keys(plan(stack, changed))
    assert [name for name in before if before[name] != after[name]] == ["devel", "module", "host", "boot", "medium"]


def test_another_doctor_rebuilds_the_host_and_nothing_that_images_share(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keys(plan(stack, WHOLE))
    digest = recipe_digest
    monkeypatch.setattr(
        "rigforge.layers.plan.recipe_digest", lambda name: "changed" if name == "doctor" else digest(name)
    )
    after = keys(plan(stack, WHOLE))
    assert [name for name in before if before[name] != after[name]] == ["doctor", "host", "boot", "medium"]


RECIPES = sorted(file.stem for file in Path(recipes.__file__).parent.glob("*.py") if "Options" in file.read_text())


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_change_of_any_file_that_decides_what_a_layer_becomes_is_another_key(
    recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = recipe_digest(recipe)
    read = Path.read_bytes
    for changed in recipe_sources(recipe):
        monkeypatch.setattr(Path, "read_bytes", lambda file, changed=changed: read(file) + b"#" * (file == changed))
        assert recipe_digest(recipe) != before, changed
    monkeypatch.setattr(Path, "read_bytes", read)
    assert recipe_digest(recipe) == before


def test_a_recipe_imports_few_files_and_no_words_for_people() -> None:
    """What it imports is part of its key: a message that is put better must not build gigabytes anew."""
    imported = {name: closure.files(f"{recipes.__name__}.{name}") for name in RECIPES}
    names = {name: [str(file.relative_to(closure.PACKAGE)) for file in files] for name, files in imported.items()}
    print(*(f"{name} {len(files)}: {' '.join(files)}" for name, files in names.items()), sep="\n")
    assert len(RECIPES) == 10
    assert [name for name, files in imported.items() if len(files) > 12] == []
    assert [name for name, files in names.items() if {"console.py", "plain.py", "report"} & {*files}] == []


@pytest.mark.parametrize(
    ("recipe", "file"),
    [
        ("cuda", "records/conda.py"),
        ("cuda", "layers/conda_prefix.py"),
        ("base", "process.py"),
        ("python", "layers/conda_names.toml"),
        ("doctor", "doctor/checks/driver.py"),
        ("doctor", "compat/gpus.toml"),
        ("host", "machine/libraries.py"),
        ("host", "machine/units/rigforge-cdi.service"),
        ("medium", "installer/section.py"),
        ("medium", "guest.py"),
    ],
)
def test_what_decides_is_found_however_far_off(recipe: str, file: str) -> None:
    assert closure.PACKAGE / file in recipe_sources(recipe)


def test_installer_and_machine_do_not_rebuild_each_other() -> None:
    rooms = {name: {file.relative_to(closure.PACKAGE).parts[0] for file in recipe_sources(name)} for name in RECIPES}
    assert [name for name in RECIPES if "installer" in rooms[name]] == ["medium"]
    assert "machine" not in rooms["medium"]


def test_the_doctor_is_packed_with_the_distributions_own_python(stack: Stack) -> None:
    (doctor,) = (layer for layer in plan(stack, WHOLE) if layer.name == "doctor")
    assert [layer.name for layer in doctor.chain()] == ["base", "doctor"]
    assert doctor.options_by_name["site_packages"] == "/opt/doctor/lib/python3.11/site-packages"


def test_the_owners_key_rebuilds_the_module_and_what_holds_it(stack: Stack, tmp_path: Path) -> None:
    for name in ("mok.key", "mok.pem"):
        (tmp_path / name).write_text(name)
    settings = [f"secure_boot.key={tmp_path / 'mok.key'}", f"secure_boot.certificate={tmp_path / 'mok.pem'}"]
    before, after = keys(plan(stack, WHOLE)), keys(plan(load("debian-12", sets=settings), WHOLE))
    assert [name for name in before if before[name] != after[name]] == ["module", "host", "boot", "medium"]


def test_a_missing_owners_key_is_named(tmp_path: Path) -> None:
    settings = [f"secure_boot.key={tmp_path / 'no.key'}", f"secure_boot.certificate={tmp_path / 'no.pem'}"]
    with pytest.raises(RigforgeError, match=r"no\.key"):
        plan(load("debian-12", sets=settings), WHOLE)
