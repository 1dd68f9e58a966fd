"""Projections: rows folded from facts, and how they are built anew."""
