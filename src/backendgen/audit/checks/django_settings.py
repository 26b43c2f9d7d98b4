"""Django's settings as production has them: debug mode, hosts, cookies, HTTPS, middleware, password rules, limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from backendgen.audit.registry import Context, check
from backendgen.code.settings import Settings
from backendgen.code.settings_reading import ABSENT, Value
from backendgen.findings.finding import Hit, Location
from backendgen.rules import Confidence, Severity

MIDDLEWARE = "MIDDLEWARE"
SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
CSRF = re.compile(r"csrf", re.IGNORECASE)
SECURITY = re.compile(r"\.SecurityMiddleware$|\.CSPMiddleware$|secure", re.IGNORECASE)
FRAMES = re.compile(r"XFrameOptions|csp", re.IGNORECASE)


def _hit(
    settings: Settings, value: Value, name: str, message: str, fix: str, confidence: Confidence | None = None
) -> Hit:
    """A finding where a setting is written, or where it is missing."""
    place = Location(value.path, value.line)
    if value.value is ABSENT:
        place = Location(settings.module.file.path, settings.line)
    return Hit(place, f"{name} {message}", fix, name, confidence=confidence)


def _confidence(settings: Settings, value: Value) -> Confidence:
    """Sure of what is written for production; less of a default, least of a module that may not be production's."""
    is_left = value.value is ABSENT or value.is_default
    if not settings.is_sure:
        return Confidence.LOW if is_left else Confidence.MEDIUM
    return Confidence.MEDIUM if is_left or settings.is_open else Confidence.HIGH


def _off(settings: Settings, name: str) -> Value | None:
    """The setting when it is surely off or missing."""
    one = settings.only(name)
    return one if one is not None and (one.value is ABSENT or one.is_false) else None


def _how(value: Value, off: str = "is off") -> str:
    if value.value is ABSENT:
        return "is not set"
    return f"{off} unless the environment says otherwise" if value.is_default else off


@check("BG410")
def debug_on(context: Context) -> Iterator[Hit]:
    """DEBUG that is on in production, or on unless the environment says otherwise."""
    for settings in context.configuration.django:
        one = settings.only("DEBUG")
        if one is not None and one.is_true:
            sure = settings.is_sure and not one.is_default
            message = f"{_how(one, 'is on')}: errors answer with code, settings and queries"
            fix = 'DEBUG = os.environ.get("DEBUG") == "1"'
            yield _hit(settings, one, "DEBUG", message, fix, None if sure else Confidence.MEDIUM)


@check("BG411")
def any_host(context: Context) -> Iterator[Hit]:
    """ALLOWED_HOSTS that lets any host name through."""
    for settings in context.configuration.django:
        found = settings.of("ALLOWED_HOSTS")
        if all(_holds_star(one) for one in found):
            message = f"{_how(found[0], 'lets any Host header through')}: links in mails, and caches, are made from it"
            fix = 'ALLOWED_HOSTS = ["shop.example.org"]'
            yield _hit(settings, found[0], "ALLOWED_HOSTS", message, fix, _confidence(settings, found[0]))


def _holds_star(one: Value) -> bool:
    return one.value == "*" or (
        isinstance(one.value, list) and any(isinstance(item, str) and item == "*" for item in one.value)
    )


@check("BG412")
def cookie_flags(context: Context) -> Iterator[Hit]:
    """Session and CSRF cookies that are sent without TLS, or that scripts can read."""
    for settings in context.configuration.django:
        middleware, _ = settings.texts(MIDDLEWARE)
        for name, is_used in (
            ("SESSION_COOKIE_SECURE", SESSIONS in middleware),
            ("CSRF_COOKIE_SECURE", any(map(CSRF.search, middleware))),
        ):
            one = _off(settings, name) if is_used else None
            if one is not None:
                message = f"{_how(one)}: the cookie is sent without TLS too, where anyone on the way reads it"
                yield _hit(settings, one, name, message, f"{name} = True", _confidence(settings, one))
        one = settings.only("SESSION_COOKIE_HTTPONLY")
        if one is not None and one.value is False:
            message = "is off: a script that gets into a page takes the session along"
            yield _hit(settings, one, "SESSION_COOKIE_HTTPONLY", message, "SESSION_COOKIE_HTTPONLY = True")


@check("BG413")
def https_not_enforced(context: Context) -> Iterator[Hit]:
    """Neither a redirect to HTTPS nor Strict-Transport-Security."""
    for settings in context.configuration.django:
        redirect, strict = _off(settings, "SECURE_SSL_REDIRECT"), _off(settings, "SECURE_HSTS_SECONDS")
        if redirect is not None and strict is not None:
            message = "is not on, nor is SECURE_HSTS_SECONDS: browsers may come without TLS"
            fix = "SECURE_SSL_REDIRECT = True\nSECURE_HSTS_SECONDS = 31536000"
            yield _hit(settings, redirect, "SECURE_SSL_REDIRECT", message, fix)


def _stated(settings: Settings) -> Value:
    """Where the middleware is listed first; conditions may add to it further down."""
    return min(settings.of(MIDDLEWARE), key=lambda one: (one.path != settings.module.file.path, one.line))


@check("BG414")
def no_csrf_protection(context: Context) -> Iterator[Hit]:
    """Sessions in cookies without the middleware that tells foreign forms apart."""
    for settings in context.configuration.django:
        middleware, is_whole = settings.texts(MIDDLEWARE)
        if is_whole and SESSIONS in middleware and not any(map(CSRF.search, middleware)):
            message = "has sessions and no CsrfViewMiddleware: any website can send forms in a user's name"
            fix = 'MIDDLEWARE = [..., "django.middleware.csrf.CsrfViewMiddleware"]'
            confidence = None if settings.is_sure else Confidence.MEDIUM
            yield _hit(settings, _stated(settings), MIDDLEWARE, message, fix, confidence)


@check("BG415")
def no_security_middleware(context: Context) -> Iterator[Hit]:
    """Headers that Django would set, were its middleware there."""
    for settings in context.configuration.django:
        middleware, is_whole = settings.texts(MIDDLEWARE)
        if not middleware or not is_whole:
            continue
        missing = [] if any(map(SECURITY.search, middleware)) else ["django.middleware.security.SecurityMiddleware"]
        if SESSIONS in middleware and not any(map(FRAMES.search, middleware)):
            missing.append("django.middleware.clickjacking.XFrameOptionsMiddleware")
        if missing:
            names = " and ".join(name.rpartition(".")[2] for name in missing)
            fix = "\n".join(f'"{name}",' for name in missing)
            message = f"lacks {names}: pages go out without the headers that it sets"
            yield _hit(settings, _stated(settings), MIDDLEWARE, message, fix)


@check("BG416")
def no_password_rules(context: Context) -> Iterator[Hit]:
    """AUTH_PASSWORD_VALIDATORS that let any password through."""
    name = "AUTH_PASSWORD_VALIDATORS"
    for settings in context.configuration.django:
        apps, _ = settings.texts("INSTALLED_APPS")
        one = settings.only(name)
        if "django.contrib.auth" in apps and one is not None and one.value in (ABSENT, [], ()):
            fix = f'{name} = [{{"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"}}, ...]'
            confidence = min(_confidence(settings, one), Confidence.MEDIUM)
            yield _hit(settings, one, name, f"{_how(one, 'is empty')}: `1` is a password", fix, confidence)


@check("BG445")
def unlimited_upload(context: Context) -> Iterator[Hit]:
    """Limits of a request's size that are switched off."""
    for settings in context.configuration.django:
        for name, what, limit in (
            ("DATA_UPLOAD_MAX_MEMORY_SIZE", "a body may be as large", "10_000_000"),
            ("DATA_UPLOAD_MAX_NUMBER_FIELDS", "a form may have as many fields", "5_000"),
        ):
            one = settings.only(name)
            if one is not None and one.value is None:
                message = f"is None: {what} as a caller likes, and all of it is read into memory"
                hit = _hit(settings, one, name, message, f"{name} = {limit}")
                yield hit if "SIZE" in name else replace(hit, severity=Severity.LOW)


@check("BG446")
def any_origin_with_credentials(context: Context) -> Iterator[Hit]:
    """django-cors-headers that lets every website call with cookies."""
    for settings in context.configuration.django:
        with_cookies = settings.only("CORS_ALLOW_CREDENTIALS")
        for name in ("CORS_ALLOW_ALL_ORIGINS", "CORS_ORIGIN_ALLOW_ALL"):
            one = settings.only(name)
            if one is not None and one.is_true and with_cookies is not None and with_cookies.is_true:
                message = "and CORS_ALLOW_CREDENTIALS are on: any website reads answers with a user's cookies"
                fix = 'CORS_ALLOWED_ORIGINS = ["https://shop.example.org"]'
                yield _hit(settings, one, name, message, fix, _confidence(settings, one))
