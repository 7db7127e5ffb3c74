"""The report of a build: one HTML page with versions, sizes, times, digests and the results of the tests."""
