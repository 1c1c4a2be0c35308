"""A double of Stripe's API on loopback, as Stripe's own client calls it: payment intents, refunds, idempotency keys, its errors.

After https://docs.stripe.com/api: form-encoded requests, JSON answers, `Authorization: Bearer`, `Idempotency-Key` with replays of the first answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web

from support.peers import Peer

API_KEY = "sk_test_0123456789abcdefghijklmnop"
WEBHOOK_SECRET = "whsec_stripe_peer_secret"


@dataclass
class _First:
    """The first answer to a key, and what was asked."""

    asked: tuple[str, str]
    status: int
    answer: dict[str, Any]


class StripePeer(Peer):
    """The API. `effects` is what really happened; `fail_next` answers the next requests with these statuses, before any effect.

    Whoever asks for the payment `hangs` waits for ever.
    """

    def __init__(self, webhook_url: str = "") -> None:
        super().__init__()
        self.webhook_url = webhook_url
        self.intents: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.effects: list[str] = []
        self.requests: list[tuple[str, str, str]] = []
        self.fail_next: list[int] = []
        self.hangs = "pi_hangs"
        self.released = asyncio.Event()
        self._keys: dict[str, _First] = {}

    def routes(self) -> list[web.RouteDef]:
        """As the class says."""
        return [web.route("*", "/v1/{path:.*}", self._handle)]

    async def stop(self) -> None:
        """Listen no more."""
        self.released.set()
        await super().stop()

    async def _handle(self, request: web.Request) -> web.Response:
        key = request.headers.get("Idempotency-Key", "")
        self.requests.append((request.method, request.path, key))
        if request.headers.get("Authorization") != f"Bearer {API_KEY}":
            return _error(401, "invalid_request_error", "Invalid API Key provided: sk_test_****mnop")
        if request.path.endswith(f"/{self.hangs}"):
            await self.released.wait()
        if self.fail_next:
            status = self.fail_next.pop(0)
            return _error(status, "rate_limit_error" if status == 429 else "api_error", "try again", headers={"Retry-After": "7"})
        body = (await request.read()).decode()
        asked = (request.path, body)
        if request.method == "POST" and key in self._keys:
            first = self._keys[key]
            if first.asked != asked:
                return _error(400, "idempotency_error", "Keys for idempotent requests can only be used with the same parameters.")
            return web.json_response(first.answer, status=first.status, headers={"Idempotent-Replayed": "true"})
        response, answer = await self._done(request, body)
        if request.method == "POST" and key:
            self._keys[key] = _First(asked, response, answer)
        return web.json_response(answer, status=response)

    async def _done(self, request: web.Request, body: str) -> tuple[int, dict[str, Any]]:
        form = dict(parse_qsl(body, keep_blank_values=True))
        parts = request.path.removeprefix("/v1/").split("/")
        match [request.method, *parts]:
            case ["POST", "payment_intents"]:
                return self._create(form)
            case ["GET", "payment_intents", id]:
                return (200, self.intents[id]) if id in self.intents else _missing()
            case ["POST", "payment_intents", id, "confirm"]:
                return await self._confirm(id, form)
            case ["POST", "payment_intents", id, "cancel"]:
                return self._cancel(id)
            case ["POST", "refunds"]:
                return self._refund(form)
            case _:
                return 404, _fault("invalid_request_error", "Unrecognized request URL")

    def _create(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if int(form["amount"]) < 50:
            return 400, _fault("invalid_request_error", "Amount must be at least 50", code="amount_too_small")
        name = f"pi_{len(self.intents) + 1:04d}"
        self.intents[name] = {
            "id": name,
            "object": "payment_intent",
            "amount": int(form["amount"]),
            "amount_received": 0,
            "currency": form["currency"],
            "metadata": _metadata(form),
            "status": "requires_payment_method",
            "client_secret": f"{name}_secret",
        }
        self.effects.append(f"create {name}")
        return 200, self.intents[name]

    async def _confirm(self, id: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if id not in self.intents:
            return _missing()
        intent = self.intents[id]
        if form.get("payment_method") == "pm_card_declined":
            return 402, _fault("card_error", "Your card was declined.", code="card_declined")
        if intent["status"] == "canceled":
            return 400, _fault("invalid_request_error", "it is canceled", code="payment_intent_unexpected_state")
        intent |= {"status": "succeeded", "amount_received": intent["amount"]}
        self.effects.append(f"confirm {id}")
        if self.webhook_url:
            await self.tell("payment_intent.succeeded", intent)
        return 200, intent

    def _cancel(self, id: str) -> tuple[int, dict[str, Any]]:
        if id not in self.intents:
            return _missing()
        if self.intents[id]["status"] == "succeeded":
            return 400, _fault("invalid_request_error", "it has succeeded", code="payment_intent_unexpected_state")
        self.intents[id]["status"] = "canceled"
        self.effects.append(f"cancel {id}")
        return 200, self.intents[id]

    def _refund(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        intent = self.intents.get(form["payment_intent"])
        if intent is None:
            return _missing()
        given = sum(each["amount"] for each in self.refunds.values() if each["payment_intent"] == intent["id"])
        amount = int(form.get("amount", intent["amount_received"] - given))
        if not 0 < amount <= intent["amount_received"] - given:
            return 400, _fault("invalid_request_error", "greater than unrefunded amount", code="charge_already_refunded")
        name = f"re_{len(self.refunds) + 1:04d}"
        self.refunds[name] = {
            "id": name,
            "object": "refund",
            "amount": amount,
            "currency": intent["currency"],
            "payment_intent": intent["id"],
            "status": "succeeded",
            "metadata": _metadata(form),
        }
        self.effects.append(f"refund {name}")
        return 200, self.refunds[name]

    def stray(self, *, metadata: dict[str, str], amount: int) -> dict[str, Any]:
        """A payment that nobody asked for here, and that was paid."""
        name = f"pi_stray_{len(self.intents) + 1:04d}"
        self.intents[name] = {
            "id": name,
            "object": "payment_intent",
            "amount": amount,
            "amount_received": amount,
            "currency": "eur",
            "metadata": metadata,
            "status": "succeeded",
            "client_secret": f"{name}_secret",
        }
        return self.intents[name]

    async def tell(self, type: str, told: dict[str, Any], *, id: str = "") -> int:
        """Send a signed event; the status that came back."""
        event = {
            "id": id or f"evt_{type}_{told['id']}",
            "object": "event",
            "type": type,
            "created": int(time.time()),
            "data": {"object": told},
        }
        body = json.dumps(event).encode()
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.webhook_url, data=body, headers=signed(body)) as response,
        ):
            return response.status


def signed(body: bytes, *, secret: str = WEBHOOK_SECRET, at: int | None = None) -> dict[str, str]:
    """The headers of a webhook after Stripe's scheme."""
    seconds = int(time.time()) if at is None else at
    signature = hmac.new(secret.encode(), b"%d.%b" % (seconds, body), hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", "Stripe-Signature": f"t={seconds},v1={signature}"}


def _fault(type: str, message: str, code: str = "") -> dict[str, Any]:
    return {"error": {"type": type, "message": message, **({"code": code} if code else {})}}


def _metadata(form: dict[str, str]) -> dict[str, str]:
    return {key[len("metadata[") : -1]: value for key, value in form.items() if key.startswith("metadata[")}


def _missing() -> tuple[int, dict[str, Any]]:
    return 404, _fault("invalid_request_error", "No such payment_intent", code="resource_missing")


def _error(status: int, type: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(_fault(type, message), status=status, headers=headers)
