"""Sealed personal data: the vault, its keys, tracking codes, documents."""
