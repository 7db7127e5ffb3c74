"""`rigforge-doctor tune`: how fast a GPU trains at which power, and the limit that goes with it."""
