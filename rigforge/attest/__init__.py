"""What is said of a build so that others can check it: what is in it, what it was made of, and who vouches for it."""
