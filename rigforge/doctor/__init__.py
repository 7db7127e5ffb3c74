"""`rigforge-doctor`: what is right and what is wrong with a GPU machine, seen from the machine itself."""
