"""What changed from one lock to another: packages, versions, the layers that are built anew, and the text of it."""
