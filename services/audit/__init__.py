"""Decides nothing: the auditors' desk reads the log itself.

Listens to case.submitted, to find a case by its tracking code. Emits nothing.
"""
