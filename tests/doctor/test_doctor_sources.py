"""What is packed into the program: all that it imports, or a layer in the cache would not notice a change of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from rigforge import closure
from rigforge.doctor.build import DATA, MODULES

#: What packs the program, and what Pythons of others run.
UNPACKED = {*closure.files("rigforge.doctor.build", "rigforge.compat.probe", "rigforge.doctor.workload.worker")}

#: Imports the whole program but what only the builder runs.
_EVERYTHING = """
import json, pkgutil, sys
from importlib import import_module
import rigforge.compat.diagnosis, rigforge.doctor
for module in pkgutil.walk_packages(rigforge.doctor.__path__, "rigforge.doctor."):
    import_module(module.name)
print(json.dumps([m.__file__ for name, m in sys.modules.items() if name.partition(".")[0] == "rigforge"]))
"""


def test_every_module_that_the_program_imports_is_among_its_sources() -> None:
    done = subprocess.run([sys.executable, "-c", _EVERYTHING], check=True, stdout=subprocess.PIPE, text=True)
    imported = {Path(file) for file in json.loads(done.stdout)}
    assert len(imported) > 20
    assert imported <= {*closure.with_folders(closure.files(*MODULES)), *UNPACKED}


def test_every_pattern_of_data_names_a_file_of_the_package() -> None:
    assert [pattern for pattern in DATA if not any(closure.PACKAGE.glob(pattern))] == []
