"""The triage page: where a person looks at what was found and decides.

`create_app` takes what gives the `WebServices` of the moment and makes the ASGI application;
`hash_password` and `new_totp_secret` prepare local accounts.
"""

from scanner.web.services import Explained, RevealResult, WebServices
from scanner.web.session import hash_password, new_totp_secret
from scanner.web.urls import create_app

__all__ = ["Explained", "RevealResult", "WebServices", "create_app", "hash_password", "new_totp_secret"]
