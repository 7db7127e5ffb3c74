"""Facts that stay fresh, for maintainers: the tables of rigforge.compat against the places that can be asked."""
