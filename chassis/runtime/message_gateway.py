"""Outgoing text messages and e-mail, through a file outbox and SMTP. Every retry carries the same key."""

from __future__ import annotations

import os
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path
from typing import Final

import aiosmtplib
import orjson

from chassis.eventing.agenda.worker import RetryLater
from chassis.refusal import Refusal

SENDER: Final = "parvandeh@localhost"
SECONDS: Final = 10.0


class ChannelAway(RetryLater):
    """The channel does not answer; tried again with the same key."""


class ChannelRefused(Refusal):
    """The channel permanently refuses this address."""

    code = "address_refused"


class MessageGateway:
    """Sends through what the settings name: a directory, an SMTP server, both, or neither."""

    def __init__(self, directory: Path | None, smtp: str) -> None:
        self._directory, self._smtp = directory, smtp

    async def sms(self, mobile: str, text: str, key: str) -> None:
        """Hand over a text message. A repeat of the same key writes the same file again: it is seen once."""
        self._write("sms", key, {"to": mobile, "text": text})

    async def email(self, address: str, subject: str, text: str, key: str) -> None:
        """Hand over an e-mail; its Message-ID is the key, so that a mail server can drop a repeat.

        Raises ChannelAway (try again), ChannelRefused.
        """
        self._write("email", key, {"to": address, "subject": subject, "text": text})
        if not self._smtp:
            return
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = SENDER, address, subject
        message["Message-ID"] = f"<{key}@parvandeh>"
        message.set_content(text)
        host, _, port = self._smtp.rpartition(":")
        try:
            await aiosmtplib.send(message, hostname=host, port=int(port), timeout=SECONDS, start_tls=None)
        except aiosmtplib.SMTPRecipientsRefused:
            raise ChannelRefused from None
        except aiosmtplib.SMTPResponseException as error:
            raise (ChannelRefused() if error.code >= 500 else ChannelAway(str(error.code))) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise ChannelAway(type(error).__name__) from None

    async def one_time_code(self, mobile: str, code: str, language: str) -> None:
        """Send a one-time code."""
        text = f"رمز ورود پرونده: {code}" if language == "fa" else f"Your Parvandeh code: {code}"
        await self.sms(mobile, text, make_msgid(domain="code").strip("<>").partition("@")[0])

    def _write(self, channel: str, key: str, content: dict[str, str]) -> None:
        if self._directory is None:
            return
        directory = self._directory / channel
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = directory / f".{key}.part"
        part.write_bytes(orjson.dumps(content))
        os.replace(part, directory / f"{key}.json")
