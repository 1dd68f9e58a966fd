"""The dependencies of inquiry's pages and tasks."""

from __future__ import annotations

from chassis.runtime.container import Container
from chassis.runtime.deps import Deps, deps_of
from services.inquiry.commands import InquiryCommand
from services.inquiry.decide import DECIDER, State
from services.inquiry.read import Inquiries


class InquiryDeps(Deps[Inquiries, InquiryCommand, State]):
    """Inquiry's queries and its command handler, on its container."""


def open_deps(container: Container) -> InquiryDeps:
    """The dependencies of a process of inquiry."""
    return InquiryDeps(container, Inquiries(container.db, container.log), container.handler(DECIDER))


deps = deps_of(InquiryDeps)
