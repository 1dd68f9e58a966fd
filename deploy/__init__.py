"""Running Parvandeh: the embedded stack, and the files for external servers."""
