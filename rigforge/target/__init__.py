"""What runs on the machine that is installed: Python 3.10 or later and PyYAML, nothing of the builder."""
