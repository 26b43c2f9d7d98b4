"""Django's own views and those of its common companions, by their dotted names: which methods they answer.


This is what a project's classes inherit. What a library calls in between (`django.views.generic.edit.`) does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping

READ = ("get",)
FORM = ("get", "post", "put")
POST = ("post",)

METHODS: Mapping[str, tuple[str, ...]] = {
    **{f"django.views.generic.{name}": methods for name, methods in {
        "View": (), "TemplateView": READ, "DetailView": READ, "ListView": READ,
        "ArchiveIndexView": READ, "YearArchiveView": READ,
        "MonthArchiveView": READ, "WeekArchiveView": READ, "DayArchiveView": READ, "TodayArchiveView": READ,
        "DateDetailView": READ, "RedirectView": ("get", "post", "put", "patch", "delete"), "FormView": FORM,
        "CreateView": FORM,
        "UpdateView": FORM, "DeleteView": ("get", "post", "delete"), "ProcessFormView": FORM, "BaseFormView": FORM,
        "BaseCreateView": FORM, "BaseUpdateView": FORM, "BaseDeleteView": ("get", "post", "delete"),
        "BaseListView": READ, "BaseDetailView": READ, "DeletionMixin": ("post", "delete"),
        "BaseDateDetailView": READ, "BaseArchiveIndexView": READ,
    }.items()},
    **{f"django.contrib.auth.views.{name}": methods for name, methods in {
        "LoginView": FORM, "LogoutView": POST, "PasswordChangeView": FORM, "PasswordChangeDoneView": READ,
        "PasswordResetView": FORM, "PasswordResetDoneView": READ, "PasswordResetConfirmView": FORM,
        "PasswordResetCompleteView": READ,
    }.items()},
    "django.views.i18n.JavaScriptCatalog": READ, "django.views.i18n.JSONCatalog": READ,
    "django.contrib.syndication.views.Feed": (),
    "rest_framework.views.APIView": (), "rest_framework.generics.GenericAPIView": (),
    **{f"rest_framework.generics.{name}": methods for name, methods in {
        "CreateAPIView": POST, "ListAPIView": READ, "RetrieveAPIView": READ, "DestroyAPIView": ("delete",),
        "UpdateAPIView": ("put", "patch"), "ListCreateAPIView": ("get", "post"),
        "RetrieveUpdateAPIView": ("get", "put", "patch"),
        "RetrieveDestroyAPIView": ("get", "delete"), "RetrieveUpdateDestroyAPIView": ("get", "put", "patch", "delete"),
    }.items()},
    "rest_framework.routers.APIRootView": READ, "rest_framework.authtoken.views.ObtainAuthToken": POST,
    **{f"rest_framework_simplejwt.views.{name}": POST for name in (
        "TokenObtainPairView", "TokenRefreshView", "TokenVerifyView", "TokenBlacklistView", "TokenObtainSlidingView",
        "TokenRefreshSlidingView", "TokenViewBase",
    )},
    **{f"drf_spectacular.views.Spectacular{name}": READ for name in (
        "APIView", "SwaggerView", "RedocView", "JSONAPIView", "YAMLAPIView", "SwaggerSplitView",
        "SwaggerOauthRedirectView",
    )},
    **{f"oauth2_provider.views.{name}": methods for name, methods in {
        "BaseAuthorizationView": (), "AuthorizationView": FORM, "TokenView": POST, "RevokeTokenView": POST,
        "IntrospectTokenView": ("get", "post"), "ApplicationList": READ, "ApplicationDetail": READ,
        "ApplicationRegistration": FORM, "ApplicationUpdate": FORM, "ApplicationDelete": ("get", "post", "delete"),
        "AuthorizedTokensListView": READ, "AuthorizedTokenDeleteView": ("get", "post", "delete"),
        "ConnectDiscoveryInfoView": READ, "JwksInfoView": READ, "UserInfoView": ("get", "post"),
        "ProtectedResourceView": (), "ScopedProtectedResourceView": (), "ReadWriteScopedResourceView": (),
    }.items()},
    "vanilla.View": (), "vanilla.GenericView": (), "vanilla.TemplateView": READ, "vanilla.ListView": READ,
    "vanilla.DetailView": READ, "vanilla.FormView": ("get", "post"), "vanilla.CreateView": ("get", "post"),
    "vanilla.UpdateView": ("get", "post"), "vanilla.DeleteView": ("get", "post"),
    "vanilla.GenericModelView": (),
    "formtools.wizard.views.WizardView": ("get", "post"), "formtools.wizard.views.SessionWizardView": ("get", "post"),
    "formtools.wizard.views.NamedUrlSessionWizardView": ("get", "post"), "django_filters.views.FilterView": READ,
    "django_tables2.SingleTableView": READ, "django_tables2.views.SingleTableView": READ,
    "formtools.wizard.views.NamedUrlWizardView": ("get", "post"), "formtools.wizard.views.CookieWizardView": ("get", "post"),
    "allauth.account.views.LoginView": FORM, "allauth.account.views.LogoutView": ("get", "post"),
    "allauth.account.views.SignupView": FORM,
    "graphene_django.views.GraphQLView": ("get", "post"), "strawberry.django.views.GraphQLView": ("get", "post"),
    "strawberry.django.views.AsyncGraphQLView": ("get", "post"), "ariadne_django.views.GraphQLView": ("get", "post"),
}  # fmt: skip

FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    "django.views.static.serve": READ, "django.contrib.staticfiles.views.serve": READ,
        "django.views.i18n.set_language": POST,
    "django.contrib.sitemaps.views.sitemap": READ, "django.contrib.sitemaps.views.index": READ,
    "rest_framework.authtoken.views.obtain_auth_token": POST,
    "rest_framework.schemas.get_schema_view": READ, "django.views.defaults.page_not_found": READ,
    "django.views.defaults.permission_denied": READ, "django.views.defaults.server_error": READ,
    "django.views.defaults.bad_request": READ, "allauth.account.views.login": FORM, "allauth.account.views.signup": FORM,
    "allauth.account.views.logout": ("get", "post"),
}  # fmt: skip

VIEWSETS = ("rest_framework.viewsets.", "rest_framework.mixins.")
ACTIONS: Mapping[str, tuple[str, ...]] = {
    "ModelViewSet": ("list", "create", "retrieve", "update", "partial_update", "destroy"),
    "ReadOnlyModelViewSet": ("list", "retrieve"),
    "ListModelMixin": ("list",),
    "CreateModelMixin": ("create",),
    "RetrieveModelMixin": ("retrieve",),
    "UpdateModelMixin": ("update", "partial_update"),
    "DestroyModelMixin": ("destroy",),
}

URLS: Mapping[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    "django.contrib.auth.urls": tuple(
        (path, f"django.contrib.auth.views.{view}", METHODS[f"django.contrib.auth.views.{view}"])
        for path, view in (
            ("login/", "LoginView"), ("logout/", "LogoutView"), ("password_change/", "PasswordChangeView"),
            ("password_change/done/", "PasswordChangeDoneView"), ("password_reset/", "PasswordResetView"),
            ("password_reset/done/", "PasswordResetDoneView"), ("reset/{uidb64}/{token}/", "PasswordResetConfirmView"),
            ("reset/done/", "PasswordResetCompleteView"),
        )
    ),
    "django.conf.urls.i18n": (("setlang/", "django.views.i18n.set_language", POST),),
    "rest_framework.urls": (
        ("login/", "django.contrib.auth.views.LoginView", FORM), ("logout/", "django.contrib.auth.views.LogoutView",
        POST),
    ),
}  # fmt: skip


def methods_of(name: str) -> tuple[str, ...] | None:
    """Return the methods that a library's view answers, None when it is not known."""
    for prefix in ("django.views.generic.", "formtools.wizard.views.", "vanilla.", "oauth2_provider.views."):
        if name.startswith(prefix):
            name = prefix + name.rpartition(".")[2]
    return METHODS.get(name)


def actions_of(name: str) -> tuple[str, ...]:
    """Return the actions that a class of Django REST framework has."""
    return ACTIONS.get(name.rpartition(".")[2], ()) if name.startswith(VIEWSETS) else ()
