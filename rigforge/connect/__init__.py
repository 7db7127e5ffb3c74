"""The way from a laptop to a machine's JupyterLab: `rigforge connect`, or `python -m rigforge.connect` alone.

Linux, macOS and Windows have what this needs, OpenSSH and Python: the package imports Python's own library and
`rigforge.errors` and `rigforge.plain` only.
"""
