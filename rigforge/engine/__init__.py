"""Running our images on this machine, with the container engine that it has."""
