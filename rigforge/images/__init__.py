"""What is made of layers: install media."""
