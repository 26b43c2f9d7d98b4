"""What code outside of a project refuses: exceptions and answers that stand for a status, decorators and calls that guard.

A name ends in `*` when all that begins with it is meant. This is the only place that knows libraries by their names.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache

ANSWERS: Mapping[str, int] = {
    "django.core.exceptions.PermissionDenied": 403,
    "rest_framework.exceptions.PermissionDenied": 403,
    "rest_framework.exceptions.NotAuthenticated": 401,
    "rest_framework.exceptions.AuthenticationFailed": 401,
    "rest_framework.exceptions.Throttled": 429,
    "django.http.HttpResponseForbidden": 403,
    "django.http.response.HttpResponseForbidden": 403,
    "ninja.errors.AuthenticationError": 401,
    "ninja.errors.AuthorizationError": 403,
    "ninja.errors.Throttled": 429,
    "werkzeug.exceptions.Unauthorized": 401,
    "werkzeug.exceptions.Forbidden": 403,
    "werkzeug.exceptions.TooManyRequests": 429,
    "quart.exceptions.Unauthorized": 401,
    "aiohttp.web.HTTPUnauthorized": 401,
    "aiohttp.web.HTTPForbidden": 403,
    "aiohttp.web.HTTPTooManyRequests": 429,
    "aiohttp.web_exceptions.HTTPUnauthorized": 401,
    "aiohttp.web_exceptions.HTTPForbidden": 403,
    "aiohttp.web_exceptions.HTTPTooManyRequests": 429,
    "flask_jwt_extended.exceptions.NoAuthorizationError": 401,
}

GUARDS: Mapping[str, frozenset[int]] = {
    name: frozenset(statuses)
    for statuses, names in {
        (401,): (
            "flask_login.login_required", "flask_login.fresh_login_required", "flask_login.utils.login_required",
            "flask_jwt_extended.jwt_required", "flask_jwt_extended.fresh_jwt_required",
            "flask_jwt_extended.jwt_refresh_token_required", "flask_jwt_extended.verify_jwt_in_request",
            "flask_jwt_extended.verify_fresh_jwt_in_request", "flask_jwt.jwt_required", "flask_praetorian.auth_required",
            "flask_security.login_required", "flask_security.auth_required", "flask_security.http_auth_required",
            "flask_security.auth_token_required", "flask_security.decorators.auth_required",
            "flask_httpauth.HTTPBasicAuth.login_required", "flask_httpauth.HTTPDigestAuth.login_required",
            "flask_httpauth.HTTPTokenAuth.login_required", "flask_httpauth.MultiAuth.login_required",
            "flask_oidc.OpenIDConnect.require_login", "flask_oidc.OpenIDConnect.accept_token",
            "authlib.integrations.flask_oauth2.ResourceProtector", "flask_pyoidc.OIDCAuthentication.oidc_auth",
            "flask_basicauth.BasicAuth.required", "apiflask.APIFlask.auth_required", "apiflask.APIBlueprint.auth_required",
            "quart_auth.login_required", "quart_jwt_extended.jwt_required",
            "aiohttp_security.check_authorized", "aiohttp_security.api.check_authorized", "aiohttp_security.login_required",
            "aiohttp_jwt.login_required",
        ),
        (401, 403): (
            "flask_security.roles_required", "flask_security.roles_accepted", "flask_security.permissions_required",
            "flask_security.permissions_accepted", "flask_principal.Permission.require", "flask_principal.Permission.test",
            "flask_praetorian.roles_required", "flask_praetorian.roles_accepted", "flask_user.roles_required",
            "flask_user.login_required", "flask_appbuilder.security.decorators.has_access",
            "flask_appbuilder.security.decorators.has_access_api", "flask_appbuilder.security.decorators.protect",
            "flask_appbuilder.has_access", "flask_appbuilder.has_access_api",
            "aiohttp_security.check_permission", "aiohttp_security.api.check_permission", "aiohttp_security.has_permission",
            "aiohttp_jwt.check_permissions", "flask_allows.Allows.requires", "flask_allows.requires",
            "flask_allows2.Allows.requires", "flask_allows2.requires",
        ),
        (403,): ("starlette.authentication.requires", "waffle.decorators.waffle_flag"),
        (302,): (
            "django.contrib.auth.decorators.login_required", "django.contrib.auth.decorators.user_passes_test",
            "django.contrib.auth.views.redirect_to_login", "django.contrib.auth.mixins.LoginRequiredMixin",
            "django.contrib.auth.mixins.UserPassesTestMixin", "django.contrib.admin.views.decorators.staff_member_required",
            "django.contrib.auth.middleware.LoginRequiredMiddleware", "django.contrib.auth.views.PasswordChangeView",
            "django.contrib.auth.views.PasswordChangeDoneView", "braces.views.LoginRequiredMixin",
            "django_otp.decorators.otp_required", "allauth.account.decorators.verified_email_required",
            "allauth.account.decorators.reauthentication_required", "allauth.account.decorators.login_required",
        ),
        (302, 403): (
            "django.contrib.auth.decorators.permission_required", "django.contrib.auth.mixins.PermissionRequiredMixin",
            "django.contrib.auth.mixins.AccessMixin.handle_no_permission", "guardian.decorators.permission_required",
            "guardian.decorators.permission_required_or_403", "guardian.mixins.PermissionRequiredMixin",
            "guardian.mixins.LoginRequiredMixin", "rules.contrib.views.permission_required",
            "rules.contrib.views.PermissionRequiredMixin", "braces.views.PermissionRequiredMixin",
            "braces.views.GroupRequiredMixin", "braces.views.StaffuserRequiredMixin", "braces.views.SuperuserRequiredMixin",
            "oauth2_provider.decorators.protected_resource", "oauth2_provider.decorators.rw_protected_resource",
            "oauth2_provider.views.generic.ProtectedResourceView",
        ),
        (429,): (
            "flask_limiter.Limiter.limit", "flask_limiter.Limiter.shared_limit", "slowapi.Limiter.limit",
            "slowapi.Limiter.shared_limit", "slowapi.extension.Limiter.limit", "quart_rate_limiter.rate_limit",
            "django_ratelimit.decorators.ratelimit", "ratelimit.decorators.ratelimit", "axes.decorators.axes_dispatch",
            "fastapi_limiter.depends.RateLimiter", "fastapi_limiter.depends.WebSocketRateLimiter",
            "aiohttplimiter.Limiter.limit",
        ),
    }.items()
    for name in names
}  # fmt: skip


@lru_cache(maxsize=4096)
def guarding(name: str) -> frozenset[int] | None:
    """Return what a library's decorator or function refuses; None when it is not known."""
    found = GUARDS.get(name)
    if found is not None:
        return found
    starts = (pattern for pattern in GUARDS if pattern.endswith("*") and name.startswith(pattern[:-1]))
    return next((GUARDS[pattern] for pattern in starts), None)


def is_optional(call: ast.expr) -> bool:
    """Does a call ask a guard to let strangers through: `jwt_required(optional=True)`?"""
    return isinstance(call, ast.Call) and any(
        keyword.arg in ("optional", "auto_error") and isinstance(keyword.value, ast.Constant)
        and keyword.value.value is (keyword.arg == "optional")
        for keyword in call.keywords
    )  # fmt: skip
