"""Prints the packages of the Python environment as scanners find them: by their metadata, without importing any."""

import json
import sysconfig
from importlib.metadata import distributions

found = list(distributions(path=[sysconfig.get_path("purelib")]))
print(
    json.dumps(
        {
            "versions": [[one.metadata["Name"], one.version] for one in found],
            "without_record": [one.metadata["Name"] for one in found if not one.files],
            "missing_files": sorted(
                str(file) for one in found for file in one.files or () if not file.locate().exists()
            ),
        }
    )
)
