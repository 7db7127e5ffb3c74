"""What the rooms of the builder hand to each other: locked files and archives, forms of values, lists of sha256."""
