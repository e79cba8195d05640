"""A made-up Microsoft 365 tenant behind a real HTTPS server on loopback, for `mailwarden demo` and the tests.

`tenant` holds users, folders and mails, `faults` what goes wrong and when, `limits` what Microsoft allows, `sign_in` is Entra, `server`
Graph, `listener` the connections, `exchange` one request with its answer.
"""
