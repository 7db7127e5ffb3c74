"""The installer: what runs on the medium alone, on Python 3.10 or later and PyYAML, nothing of the builder."""
