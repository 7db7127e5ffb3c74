"""How layers are made, one module a layer: its typed options, what of this package goes into it, and `build`."""
