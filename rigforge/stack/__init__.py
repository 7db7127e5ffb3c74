"""The stack: what a machine is to be, read from one TOML file."""
