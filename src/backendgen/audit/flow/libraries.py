"""What the engine knows of libraries: which types calls return, what passes text on, what a request holds."""

from __future__ import annotations

import re

from backendgen.code.symbols import External

HOSTS = frozenset({"hostname", "netloc", "host", "scheme_and_host"})
WEAK_RANDOM = frozenset({
    "random", "randint", "randrange", "choice", "choices", "sample", "getrandbits", "randbytes", "uniform", "shuffle",
    "triangular", "betavariate", "expovariate", "gammavariate", "gauss", "lognormvariate", "normalvariate",
    "vonmisesvariate", "paretovariate", "weibullvariate", "binomialvariate",
})  # fmt: skip
DECODES = frozenset({
    "base64.b64decode", "base64.urlsafe_b64decode", "base64.standard_b64decode", "base64.b32decode", "base64.b16decode",
    "urllib.parse.unquote", "urllib.parse.unquote_plus", "html.unescape", "binascii.unhexlify", "bytes.fromhex",
    "codecs.decode", "xml.sax.saxutils.unescape", "binascii.a2b_base64",
})  # fmt: skip
TRACES = frozenset({"traceback.format_exc", "traceback.format_exception", "traceback.format_tb", "sys.exc_info"})
DOWNLOADS = ("requests.", "httpx.", "urllib.request.", "urllib3.")
FETCHES = frozenset({"get", "post", "request", "urlopen"})
KEEPS_ONLY = re.compile(r"\[\^(?:\\[wd]|[A-Za-z0-9_ -])+\]\+?|\\W\+?|\\D\+?")
SAFE_CHECKS = frozenset(
    {"url_has_allowed_host_and_scheme", "is_safe_url"}
)  # of Django, and of packages that took it over
ADDRESS_TESTS = frozenset({"is_private", "is_global", "is_loopback", "is_link_local", "is_reserved"})
CONNECTS_THROUGH = {
    "httpx.Client": "transport", "httpx.AsyncClient": "transport", "aiohttp.ClientSession": "connector",
    "aiohttp.TCPConnector": "resolver",
}  # fmt: skip

RETURNS = {
    "sqlite3.connect": "sqlite3.Connection",
    "sqlite3.Connection.cursor": "sqlite3.Cursor",
    "sqlite3.Connection.execute": "sqlite3.Cursor",
    "urllib3.connection_from_url": "urllib3.PoolManager",
    "psycopg.connect": "psycopg.Connection",
    "psycopg.Connection.connect": "psycopg.Connection",
    "psycopg.AsyncConnection.connect": "psycopg.AsyncConnection",
    "psycopg.Connection.cursor": "psycopg.Cursor",
    "psycopg.AsyncConnection.cursor": "psycopg.AsyncCursor",
    "psycopg2.connect": "psycopg2.extensions.connection",
    "psycopg2.extensions.connection.cursor": "psycopg2.extensions.cursor",
    "asyncpg.connect": "asyncpg.Connection",
    "aiosqlite.connect": "aiosqlite.Connection",
    "aiosqlite.Connection.cursor": "aiosqlite.Cursor",
    "pymysql.connect": "pymysql.connections.Connection",
    "pymysql.connections.Connection.cursor": "pymysql.cursors.Cursor",
    "sqlalchemy.create_engine": "sqlalchemy.engine.Engine",
    "sqlalchemy.engine.Engine.connect": "sqlalchemy.engine.Connection",
    "sqlalchemy.engine.Engine.begin": "sqlalchemy.engine.Connection",
    "sqlalchemy.orm.Session": "sqlalchemy.orm.Session",
    "sqlmodel.Session": "sqlmodel.Session",
    "httpx.Client": "httpx.Client",
    "httpx.AsyncClient": "httpx.AsyncClient",
    "requests.Session": "requests.Session",
    "requests.session": "requests.Session",
    "aiohttp.ClientSession": "aiohttp.ClientSession",
    "pathlib.Path": "pathlib.Path",
    "lxml.etree.parse": "lxml.etree._ElementTree",
    "lxml.etree.fromstring": "lxml.etree._Element",
    "lxml.etree.XML": "lxml.etree._Element",
    "lxml.etree._ElementTree.getroot": "lxml.etree._Element",
    "lxml.html.fromstring": "lxml.etree._Element",
    "xml.etree.ElementTree.parse": "xml.etree.ElementTree.ElementTree",
    "xml.etree.ElementTree.ElementTree.getroot": "xml.etree.ElementTree.Element",
    "xml.etree.ElementTree.fromstring": "xml.etree.ElementTree.Element",
    "xml.etree.ElementTree.XML": "xml.etree.ElementTree.Element",
    "defusedxml.ElementTree.parse": "xml.etree.ElementTree.ElementTree",
    "defusedxml.ElementTree.fromstring": "xml.etree.ElementTree.Element",
    "xml.sax.make_parser": "xml.sax.xmlreader.XMLReader",
    "defusedxml.lxml.fromstring": "lxml.etree._Element",
    "ldap.initialize": "ldap.ldapobject.LDAPObject",
    "ldap3.Connection": "ldap3.Connection",
    "django.db.connection.cursor": "django.db.backends.utils.CursorWrapper",
    "logging.getLogger": "logging.Logger",
    "csv.writer": "csv.writer",
    "tarfile.open": "tarfile.TarFile",
    "tarfile.TarFile": "tarfile.TarFile",
    "tarfile.TarFile.open": "tarfile.TarFile",
    "zipfile.ZipFile": "zipfile.ZipFile",
    "redis.from_url": "redis.Redis",
    "redis.Redis.from_url": "redis.Redis",
}

HOLDS = {  # attributes of outside objects whose type matters
    "flask.Flask.logger": "logging.Logger",
    "quart.Quart.logger": "logging.Logger",
}

NUMBERS_AND_SUCH = frozenset({
    "int", "float", "bool", "complex", "decimal.Decimal", "uuid.UUID", "datetime.datetime", "datetime.date",
    "datetime.time", "datetime.timedelta", "ipaddress.IPv4Address", "ipaddress.IPv6Address", "ipaddress.ip_address",
    "pydantic.UUID1", "pydantic.UUID4", "pydantic.UUID3", "pydantic.UUID5", "pydantic.PositiveInt",
    "pydantic.NonNegativeInt", "pydantic.conint", "pydantic.PositiveFloat", "pydantic.AwareDatetime",
    "pydantic.NaiveDatetime", "pydantic.IPvAnyAddress", "pydantic.UUID7", "pydantic.StrictInt", "pydantic.StrictBool",
    "pydantic.PastDate", "pydantic.FutureDate", "pydantic.PastDatetime", "pydantic.FutureDatetime", "typing.Literal",
    "typing_extensions.Literal",
})  # fmt: skip
VALIDATING = NUMBERS_AND_SUCH - {"bool", "typing.Literal", "typing_extensions.Literal"}
NEUTRAL = frozenset({
    "len", "bool", "hash", "id", "isinstance", "issubclass", "callable", "ord", "sum", "round", "abs", "range", "hasattr",
    "type", "hex", "oct", "bin", "chr",
})  # fmt: skip
PASSES_ON = (
    "str", "repr", "format", "bytes", "bytearray", "list", "tuple", "set", "frozenset", "dict", "sorted", "reversed",
    "iter", "next", "enumerate", "zip", "map", "filter", "min", "max", "getattr", "vars", "ascii", "json.", "base64.",
    "urllib.parse.", "os.path.", "os.fspath", "pathlib.", "html.", "codecs.", "itertools.", "copy.", "textwrap.",
    "string.", "io.", "collections.", "posixpath.", "ntpath.", "functools.reduce", "re.sub", "typing.cast", "orjson.",
    "ujson.", "binascii.", "unicodedata.", "operator.", "fastapi.encoders.", "dataclasses.", "markupsafe.Markup", "six.",
    "django.utils.encoding.", "tarfile.", "zipfile.", "shlex.split", "shlex.join", "gzip.decompress", "zlib.decompress",
    "lxml.etree.fromstring", "lxml.etree.XML", "lxml.etree.parse", "lxml.objectify.fromstring", "lxml.html.fromstring",
    "xml.etree.ElementTree.fromstring", "xml.etree.ElementTree.XML", "xml.etree.ElementTree.parse",
    "defusedxml.ElementTree.fromstring", "xmltodict.parse",
)  # fmt: skip


PASSING_MODULES = tuple(name for name in PASSES_ON if name.endswith("."))
PASSING_NAMES = frozenset(PASSES_ON) - frozenset(PASSING_MODULES)


def returned(name: str) -> External | None:
    """The type that calling an outside function returns, when it is known."""
    kind = RETURNS.get(name)
    return External(kind) if kind else None


def is_plain(text: str) -> bool:
    """Is this text of letters, digits, underscores and hyphens only?"""
    return all(each.isalnum() or each in "_-" for each in text)


def passes_on(name: str) -> bool:
    """Does the result hold what is given?"""
    return name in PASSING_NAMES or name.startswith(PASSING_MODULES)
