"""A witness: signs each draw commitment once, after following the log (docs/design.md section 6)."""
