"""Decides when an agency was asked and what it answered.

Listens to review. Emits inquiry.opened, inquiry.answered, inquiry.overdue, question.opened, agency.registered.
"""
