"""Decides what a citizen or counter office may file, answer and withdraw, and whose papers are right.
Listens to review's decisions and corrections, and to the end of each case.
Emits case.*, identity.*, document.released, correction.answered, papers.opened, certificate.issued, office.*.
"""
