"""The autoinstall document: made from a stack, and put on a volume of its own."""
