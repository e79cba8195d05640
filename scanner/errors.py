"""The errors a person is meant to read. Each names the place and what would be right."""

from __future__ import annotations


class MailwardenError(Exception):
    """Base of every error that the command line prints as one sentence and turns into exit status 2."""


class ConfigError(MailwardenError):
    """A setting, rule, pack, people file or argument is wrong.

    `place` is a file with a line (`rules/detect/iban.yml:7`), a setting's name or an argument.
    """

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place = place
        self.message = message


class ConfigErrors(MailwardenError):
    """Several configuration errors at once, so that one run shows them all."""

    def __init__(self, errors: list[ConfigError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = errors


class ConnectorError(MailwardenError):
    """The tenant, mail host or disk did not do what was asked.

    `permanent` is the one bit that decides a retry: True means that asking again cannot help.
    `status` and `code` are the HTTP status and the service's own error code where there is one.
    """

    def __init__(self, message: str, *, permanent: bool, status: int | None = None, code: str = "") -> None:
        super().__init__(message)
        self.permanent = permanent
        self.status = status
        self.code = code


class UnreadablePart(MailwardenError):
    """A part could not be read, or not to its end; becomes a `Problem` and never an exception for the caller.

    `kind` is one of `scanner.model.ProblemKind`; `detail` must hold no content of the part.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail


# By the name of an exception's class or of one it is made from, the first that fits: libraries have classes of their own, which are
# not imported for this.
_FAULTS = (
    ("BadZipFile", "its list of files does not fit its bytes"),
    ("ParseError", "it is no well-formed XML"),
    ("DefusedXmlException", "its XML uses what attackers use"),
    ("NotImplementedError", "it is packed in a way that this version does not know"),
    ("RecursionError", "it is nested too deep"),
    ("MemoryError", "it asks for more memory than it may have"),
    ("EOFError", "it ends too early"),
    ("UnicodeError", "its letters are in no encoding that fits"),
    ("KeyError", "something that it refers to is not there"),
    ("IndexError", "it points to a place outside itself"),
    ("OSError", "its bytes do not fit together"),
)


def fault_of(error: BaseException) -> str:
    """In plain words what is wrong with a file that made a reader fail; never the exception's own, which may quote the file."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return next((words for name, words in _FAULTS if name in names), "its structure makes no sense")
