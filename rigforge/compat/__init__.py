"""Facts about what works with what, each with its source."""
