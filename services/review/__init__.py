"""Decides targets, draws, corrections, inquiries asked for, suspensions, approvals and rejections, without knowing the applicant.

Listens to intake and inquiry. Emits target.*, draw.*, assignment.refused, correction.requested, inquiry.requested, case.*.
"""
