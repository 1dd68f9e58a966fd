"""Faults under load: a recorder of what was asked, a nemesis that strikes by a seed, a checker of what is left."""
