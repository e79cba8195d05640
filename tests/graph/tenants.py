"""Small tenants for the tests: invented people, reserved domains."""

from __future__ import annotations

from email.message import EmailMessage
from functools import cache

from connectors.faketenant.tenant import FakeUser, Tenant

JO, SAM = "jo.reed@elt.example", "sam.hale@elt.example"


@cache  # boundaries are random: the same call gives the same bytes
def mail(
    number: int,
    *,
    sender: str = JO,
    to: str = "pat@outside.example",
    bcc: str = "",
    html: str = "",
    attached: bytes = b"",
    inline: bool = False,
    on_behalf_of: str = "",
) -> bytes:
    message = EmailMessage()
    message["From"] = f"Jo Reed <{on_behalf_of or sender}>"
    if on_behalf_of:
        message["Sender"] = sender
    message["To"] = to
    if bcc:
        message["Bcc"] = bcc
    message["Subject"] = f"Letter {number} – café"
    message["Message-ID"] = f"<{number}@elt.example>"
    message["Date"] = "Mon, 02 Nov 2026 09:15:00 +0100"
    message.set_content(f"Dear Pat,\n\nletter {number}.\n")
    if html:
        message.add_alternative(html, subtype="html")
    if inline:
        message.get_payload()[1].add_related(b"\x89PNG\r\n", maintype="image", subtype="png", cid="<logo@elt.example>")
    if attached:
        message.add_attachment(attached, maintype="text", subtype="csv", filename="list.csv")
    return message.as_bytes()


def two_mailboxes(mails: int = 3) -> Tenant:
    """Two staff with the standard folders; each has `mails` received and one sent."""
    tenant = Tenant("Example Learning Trust", ("elt.example", "northfield.elt.example"))
    tenant.add_user(FakeUser(JO, "Jo Reed", job_title="Teacher", office="Northfield Academy", manager=SAM))
    tenant.add_user(FakeUser(SAM, "Sam Hale", job_title="Headteacher", office="Northfield Academy"))
    for address in (JO, SAM):
        for number in range(mails):
            tenant.deliver(address, "inbox", mail(number, sender="pat@outside.example", to=address))
        tenant.deliver(address, "sentitems", mail(100, sender=address))
    return tenant
