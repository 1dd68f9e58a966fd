"""How Parvandeh is run: the embedded stack, and the files for given servers."""
