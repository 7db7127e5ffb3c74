"""What was run for real: parts of the tests, records of their runs, and README's table of them."""
