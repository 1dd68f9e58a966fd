"""What leaves the house: e-mail by a real SMTP server, and one trace from the request to the notification."""

from __future__ import annotations

import gzip
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from deploy.demo.person import Person
from deploy.demo.plan import Applicant, Plan
from deploy.demo.walk import Walk
from deploy.demo.week import national_code
from deploy.local.processes import service_urls
from deploy.local.subprocesses import free_port
from tests.eventing.harness import eventually
from tests.journeys.stack import Stack

APPLICANT = Applicant(national_code(456_123_789), "پیام‌گیر نمونه", "09134445566", "reader@example.org")

UNKNOWN = Applicant(national_code(456_123_780), "نشانی‌نادرست نمونه", "09134445577", "nobody@example.org")
"""The mail server knows no such mailbox."""


@dataclass
class Outside:
    """A mail server and a trace collector, both real enough to be spoken to over the network."""

    mails: list[bytes] = field(default_factory=list)
    spans: list[tuple[str, str, str]] = field(default_factory=list)
    """Trace id, service, span name."""
    exported: list[bytes] = field(default_factory=list)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        if address == UNKNOWN.email:
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.mails.append(envelope.content)
        return "250 OK"

    def collect(self, body: bytes) -> None:
        self.exported.append(body)
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            service = next(a.value.string_value for a in resource.resource.attributes if a.key == "service.name")
            for scope in resource.scope_spans:
                self.spans += [(span.trace_id.hex(), service.removeprefix("parvandeh-"), span.name) for span in scope.spans]


@pytest.fixture(scope="module")
def outside() -> Iterator[tuple[Outside, dict[str, str]]]:
    found = Outside()

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            found.collect(body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the test reads what was collected."""

    collector = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    smtp = Controller(found, hostname="127.0.0.1", port=free_port())
    smtp.start()
    settings = {
        "PARVANDEH_SMTP": f"127.0.0.1:{smtp.port}",
        "PARVANDEH_OTLP": f"http://127.0.0.1:{collector.server_address[1]}",
        "PARVANDEH_AGENDA_APART": "review",  # the trace leads through both forms of an agenda
    }
    yield found, settings
    smtp.stop()
    collector.shutdown()


async def test_the_citizen_gets_e_mail_in_persian_and_one_trace_leads_from_the_request_to_it(
    houses: Callable[..., Stack], outside: tuple[Outside, dict[str, str]]
) -> None:
    found, settings = outside
    house = houses(**settings)
    await house.walk([Plan("no_violation", 4, "office2", APPLICANT)])
    await house.settled()
    mails = [message_from_bytes(content, policy=policy.default) for content in found.mails]
    texts = [mail.get_content() for mail in mails]
    assert any("درخواست شما ثبت شد" in text for text in texts)
    assert any("گواهی شما صادر شد" in text for text in texts)
    assert len({mail["Message-ID"] for mail in mails}) == len(mails)

    wanted = {
        ("intake", "POST /new/{kind}"), ("intake", "handle SubmitCase"), ("review", "apply cases case.submitted"),
        ("notify", "apply agenda case.submitted"), ("notify", "agenda send_email"), ("notify", "handle RecordSent"),
        ("review-agenda", "agenda set_target"), ("intake", "apply cases message.sent"),
    }  # fmt: skip

    async def one_trace() -> bool:
        traces = {trace for trace, service, name in found.spans if (service, name) == ("intake", "POST /new/{kind}")}
        return any(wanted <= {(s, n) for t, s, n in found.spans if t == trace} for trace in traces)

    await eventually(one_trace, 40)
    everything = b"".join(found.exported)
    for needle in (APPLICANT.national_code, APPLICANT.name, APPLICANT.mobile, APPLICANT.email):
        assert needle.encode() not in everything


async def test_a_message_that_no_mailbox_takes_is_said_to_the_office_the_applicant_and_the_desk_and_the_others_arrive(
    houses: Callable[..., Stack], outside: tuple[Outside, dict[str, str]]
) -> None:
    house = houses(**outside[1])
    walk = Walk(service_urls(), house.var / "outbox")
    office = await walk.staff("intake", "office2")
    case, _ = await walk.file(office, Plan("no_violation", 4, "office2", UNKNOWN))
    await house.settled()
    auditor = await walk.staff("audit", "auditor1")
    line = (await auditor.get(f"/cases/{case}/timeline.json", accept="application/json")).json()["facts"]
    failed = [fact["body"] for fact in line if fact["type"].startswith("message.failed")]
    assert [(each["channel"], each["recipient"], each["reason"]) for each in failed] == [
        ("email", "applicant", "address_refused")
    ]
    for reader in (office, await walk.citizen(UNKNOWN)):
        page = (await reader.get(f"/cases/{case}")).text
        ways = page.partition("<h2>آنچه گفته شد" if reader is office else "<h2>آنچه به شما")[2].partition("<h2>")[0]
        assert ways.count("نرسید") == 1
        assert re.search(r"ایمیل\s*<span class=\"mark stop\">نرسید</span>", ways)
        assert "درگاه" in ways
        assert "پیامک" in ways
    for language, refused, sent in (
        ("fa", "این نشانی پذیرفته نشد.", "فرستاده"),
        ("en", "This address was not accepted.", "sent"),
    ):
        operator = await Person(service_urls()["notify"], language).sign_in("operator1", "operator1-demo")
        desk = (await operator.get("/")).text
        assert desk.count(refused) == 1
        assert sent in desk
        assert "address_refused" not in desk
        for needle in (UNKNOWN.email, UNKNOWN.mobile, UNKNOWN.name, UNKNOWN.national_code):
            assert needle not in desk
    await walk.close()
