"""The tasks: they parse, call the package and report.

Standard output carries results only; what is said on the way goes to standard error. The package is
imported inside the tasks, so that a listing need not wait for it.
"""
