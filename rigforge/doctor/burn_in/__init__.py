"""`rigforge-doctor burn-in`: every GPU at full load, with everything it computes and remembers checked."""
