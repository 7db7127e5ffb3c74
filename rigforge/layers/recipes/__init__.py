"""One module a layer; each has `build(root)`, which changes the mounted root to what the layer is."""
