"""The parts of docs/ that are generated from the code's own tables, so that the two cannot differ."""
