"""Work for a GPU, done by the Python that has PyTorch: the doctor itself is one file without it."""
