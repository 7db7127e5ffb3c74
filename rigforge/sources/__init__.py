"""Where packages come from: the archives and indices that this machine is configured to use."""
