"""A made-up Microsoft 365 tenant behind a real HTTPS server on loopback, for `mailwarden demo` and the tests.

`tenant` holds users, folders and mails, `faults` what goes wrong and when, `server` speaks the sign-in and Graph protocols.
"""
