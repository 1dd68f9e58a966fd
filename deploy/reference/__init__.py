"""The parts of docs/ that are made from the code's own tables, so that they cannot differ from it."""
