"""The accounts of the audit desk."""

from __future__ import annotations

from typing import Final

from chassis.accounts.registration import Registration

AUDITOR: Final = "auditor"
CONSUMER: Final = "consumer"
"""A program that reads the feed; it never signs in through an issuer."""
REGISTRATION: Final = Registration((AUDITOR, CONSUMER))
"""The staff of this desk (domain.md, Who acts), and the systems outside that read its feed."""
