"""What people at the clinic and their patients do in HighLevel itself, without any request of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.highlevel.contacts import full_name
from sandbox.highlevel.naming import iso, key_from_name
from sandbox.highlevel.opportunities import store_opportunity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.control import Control
    from sandbox.highlevel.account import Account
    from sandbox.highlevel.search_index import Document

VERBS = frozenset(
    {
        "add_contact_field",
        "add_pipeline",
        "add_opportunity",
        "add_conversation",
        "add_submission",
        "add_payment",
        "add_order",
        "add_invoice",
        "close_channel",
    }
)


class Staff:
    """Adds what only people add; every reader shows it at once, the log stays silent."""

    def __init__(self, account: Account, control: Control) -> None:
        """Take the data and the clock."""
        self._account = account
        self._control = control

    def add_contact_field(self, name: str, kind: str, **settings: Any) -> Document:
        """Make a custom field of contacts by hand: of another type, with other options or for one file only."""
        account = self._account
        row: Document = {
            "id": account.next_id("contact_field"),
            "fieldKey": f"contact.{key_from_name(name)}",
            "name": name,
            "dataType": kind,
            "model": "contact",
            "locationId": account.id,
            "picklistOptions": [],
            "isAllowedCustomOption": False,
            "position": 0,
            "placeholder": "",
            **(
                {"isMultiFileAllowed": False, "maxFileLimit": 1, "acceptedFormat": []}
                if kind == "FILE_UPLOAD"
                else {}
            ),
            **settings,
        }
        account.contact_fields[row["id"]] = row
        return row

    def close_channel(self, contact: str, channel: str = "SMS") -> Document:
        """Let a patient text STOP: the channel is closed for good."""
        account = self._account
        before = account.contacts[contact]
        closed = {"status": "permanent", "message": "STOP", "code": "STOP"}
        row = {**before, "dndSettings": {**before.get("dndSettings", {}), channel: closed}}
        account.put_contact(row, self._control.now())
        return row

    def add_pipeline(self, name: str, stages: Sequence[str]) -> Document:
        """Make a pipeline with these stages, in this order."""
        account = self._account
        row: Document = {
            "id": account.next_id("pipeline"),
            "name": name,
            "stages": [
                {"id": account.next_id("stage"), "name": stage, "position": place}
                for place, stage in enumerate(stages)
            ],
            "showInFunnel": True,
            "showInPieChart": True,
            "locationId": account.id,
        }
        account.pipelines[row["id"]] = row
        return row

    def add_opportunity(self, contact: str, **fields: Any) -> Document:
        """Give a contact an opportunity, in the first stage of the first pipeline unless told."""
        account = self._account
        if not account.pipelines:
            self.add_pipeline("Sales", ("New", "Won"))
        pipeline = account.pipelines[str(fields.get("pipelineId") or next(iter(account.pipelines)))]
        body = {
            "name": full_name(account.contacts[contact]),
            "status": "open",
            "pipelineId": pipeline["id"],
            "pipelineStageId": pipeline["stages"][0]["id"],
            **fields,
            "contactId": contact,
        }
        return store_opportunity(account, body, self._control.now(), visible_at=0)

    def add_conversation(self, contact: str, **fields: Any) -> Document:
        """Let a contact have exchanged a message with the clinic."""
        row = {
            "id": self._account.next_id("conversation"),
            "contactId": contact,
            "locationId": self._account.id,
            "lastMessageBody": "Thanks, see you on Tuesday",
            "lastMessageType": "TYPE_SMS",
            "type": "TYPE_PHONE",
            "unreadCount": 1,
            **fields,
        }
        return self._kept("conversations", row)

    def add_submission(self, contact: str, **fields: Any) -> Document:
        """Let a contact have filled in a form on the clinic's website."""
        person = self._account.contacts[contact]
        row = {
            "id": self._account.next_id("submission"),
            "contactId": contact,
            "createdAt": self._now(),
            "formId": "website-enquiry",
            "name": full_name(person),
            "email": person.get("email", ""),
            "others": {},
            **fields,
        }
        return self._kept("submissions", row)

    def add_payment(self, contact: str, amount: float = 80, **fields: Any) -> Document:
        """Let a contact have paid through HighLevel."""
        row = {
            **self._money("transaction", contact, amount),
            "status": "succeeded",
            "entityType": "invoice",
            "entitySourceType": "invoice",
            "amountRefunded": 0,
            "fulfilledAt": self._now(),
            **fields,
        }
        return self._kept("transactions", row)

    def add_order(self, contact: str, amount: float = 80, **fields: Any) -> Document:
        """Let a contact have ordered something."""
        row = {**self._money("order", contact, amount), "status": "completed", "sourceType": "form", **fields}
        return self._kept("orders", row)

    def add_invoice(self, contact: str, amount: float = 80, **fields: Any) -> Document:
        """Let the clinic have written an invoice in HighLevel itself."""
        now = self._now()
        money = self._money("invoice", contact, amount)
        row = {
            **{name: money[name] for name in money if name not in {"contactName", "amount"}},
            "status": "sent",
            "amountPaid": 0,
            "amountDue": amount,
            "total": amount,
            "name": "Consultation",
            "title": "INVOICE",
            "businessDetails": {"name": self._account.name},
            "contactDetails": {"id": contact, "name": money["contactName"]},
            "invoiceNumber": len(self._account.invoices) + 1,
            "issueDate": now[:10],
            "dueDate": now[:10],
            "invoiceItems": [],
            "totalSummary": {"subTotal": amount, "discount": 0, "tax": 0},
            **fields,
        }
        return self._kept("invoices", row)

    def _money(self, kind: str, contact: str, amount: float) -> Document:
        account, now = self._account, self._now()
        return {
            "_id": account.next_id(kind),
            "altId": account.id,
            "altType": "location",
            "contactId": contact,
            "contactName": full_name(account.contacts[contact]),
            "currency": "AUD",
            "amount": amount,
            "liveMode": True,
            "createdAt": now,
            "updatedAt": now,
        }

    def _kept(self, table: str, row: Document) -> Document:
        rows: dict[str, Document] = getattr(self._account, table)
        rows[row.get("id") or row["_id"]] = row
        return row

    def apply(self, change: Mapping[str, Any]) -> Document:
        """Do what a JSON object says: `{"do": "add_opportunity", "id": "<contact>", …}`."""
        arguments = dict(change)
        verb, whose = arguments.pop("do"), arguments.pop("id")
        done: Document = getattr(self, verb)(whose, **arguments)
        return done

    def _now(self) -> str:
        return iso(self._control.now())
