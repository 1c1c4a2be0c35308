"""An OIDC issuer on loopback: discovery, authorization code with PKCE, tokens of a published key, refresh tokens, logout."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import urlencode

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from support.peers import Peer

CLIENT_ID = "causeway-web"
AUDIENCE = "causeway"
KID = "k1"
_READABLE = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}


class Issuer(Peer):
    """Whoever comes is the user `who`, once they press its button. Tokens live for `lives` seconds; `ended` refuses new ones."""

    def __init__(self, who: str = "ann", lives: int = 300) -> None:
        super().__init__()
        self.who, self.lives, self.ended = who, lives, False
        self.refreshes = 0
        self._private = ec.generate_private_key(ec.SECP256R1())
        self._codes: dict[str, dict[str, str]] = {}

    def routes(self) -> list[web.RouteDef]:
        """As the module says."""
        return [
            web.get("/.well-known/openid-configuration", self._discovery),
            web.get("/jwks", self._jwks),
            web.get("/authorize", self._authorize),
            web.post("/token", self._token),
            web.get("/logout", self._logout),
        ]

    async def _discovery(self, _: web.Request) -> web.Response:
        places = {name: f"{self.url}/{path}" for name, path in _PLACES.items()}
        return web.json_response({"issuer": self.url, **places, "response_types_supported": ["code"]}, headers=_READABLE)

    async def _jwks(self, _: web.Request) -> web.Response:
        key = json.loads(ECAlgorithm.to_jwk(self._private.public_key())) | {"kid": KID}
        return web.json_response({"keys": [key]}, headers=_READABLE)

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        if asked.get("client_id") != CLIENT_ID or asked.get("code_challenge_method") != "S256":
            return web.Response(status=400, text="unknown client, or no PKCE")
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        back = f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"
        page = f'<!doctype html><html lang="en"><title>Issuer</title><link rel="icon" href="data:,"><a href="{back}">Continue as {self.who}</a>'
        return web.Response(text=page, content_type="text/html")

    async def _token(self, request: web.Request) -> web.Response:
        form: Any = await request.post()
        if form["grant_type"] == "refresh_token":
            self.refreshes += 1
            good = not self.ended
        else:
            asked = self._codes.pop(str(form["code"]), None)
            digest = urlsafe_b64encode(hashlib.sha256(str(form["code_verifier"]).encode()).digest()).rstrip(b"=").decode()
            good = asked is not None and asked["code_challenge"] == digest and asked["redirect_uri"] == form["redirect_uri"]
        if not good:
            return web.json_response({"error": "invalid_grant"}, status=400, headers=_READABLE)
        tokens = {
            "access_token": self.token(AUDIENCE),
            "id_token": self.token(CLIENT_ID),
            "refresh_token": secrets.token_urlsafe(16),
        }
        return web.json_response({**tokens, "token_type": "Bearer", "expires_in": self.lives}, headers=_READABLE)

    async def _logout(self, request: web.Request) -> web.Response:
        raise web.HTTPFound(request.query["post_logout_redirect_uri"])

    def token(self, audience: str) -> str:
        """A token for the user, as it is now."""
        now = int(time.time())
        claims = {"iss": self.url, "aud": audience, "sub": self.who, "iat": now, "exp": now + self.lives}
        return jwt.encode(claims, self._private, "ES256", headers={"kid": KID})


_PLACES = {
    "authorization_endpoint": "authorize",
    "token_endpoint": "token",
    "jwks_uri": "jwks",
    "end_session_endpoint": "logout",
}
