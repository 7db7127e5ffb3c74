"""The store: every downloaded file once, named by its sha256."""
