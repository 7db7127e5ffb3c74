"""What the rooms of the builder hand to each other; imports nothing of them."""
