"""The inventory of Django's endpoints: methods, paths, guards and limits, written by hand for small applications."""

from __future__ import annotations

from pathlib import Path

from apps import endpoints

from backendgen.audit.frameworks.django.paths import converted, simplified
from backendgen.audit.service import Endpoint

MANAGE = 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n'
SETTINGS = 'ROOT_URLCONF = "shop.urls"\nPREFIX = "v1/"\nMIDDLEWARE = []\n'


def table(found: tuple[Endpoint, ...]) -> dict[str, list[str]]:
    """Each endpoint with what guards it: `name:statuses`."""
    return {
        one.name: [f"{guard.name}:{','.join(map(str, sorted(guard.statuses)))}" for guard in one.guards]
        for one in found
    }


def app(root: Path, **files: str) -> tuple[Endpoint, ...]:
    texts = {"manage.py": MANAGE, "shop/__init__.py": "", "shop/settings.py": SETTINGS}
    return endpoints(root, texts | {f"shop/{name}.py": text for name, text in files.items()})


def test_paths_are_written_as_the_model_has_them() -> None:
    assert converted("orders/<int:pk>/<slug>/<path:rest>") == "orders/{pk:int}/{slug}/{rest:path}"
    assert simplified(r"^orders/(?P<pk>\d+)/(?P<name>[\w-]+)\.json$") == "orders/{pk:int}/{name}.json"
    assert simplified(r"(?P<a>[^/.]+)/(?P<b>[^.]+)/(?P<c>[\w/]+)") == "{a}/{b:path}/{c:path}"
    assert simplified(r"^(?:old/)?files/(?P<rest>.*)/([a-z()]+)\Z") == "old/files/{rest:path}/{var}"


def test_url_configurations_are_followed(tmp_path: Path) -> None:
    found = app(
        tmp_path,
        urls="""
from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path
from shop import more, views
from shop.helpers import both
NAMES = ("red", "blue")
urlpatterns = [
    path(settings.PREFIX + "orders/<int:pk>/", views.order, name="order"),
    path("more/", include("shop.more")),
    path("again/", include((more.urlpatterns, "more"), namespace="again")),
    path("admin/", admin.site.urls),
    path("accounts/", include("django.contrib.auth.urls")),
    path("elsewhere/", include("allauth.urls")),
    re_path(r"^old/(?P<year>[0-9]{4})/$", views.order),
    *both("files", views.order),
]
urlpatterns += [path(f"colours/{name}/", views.order) for name in NAMES]
if settings.DEBUG:
    urlpatterns += [path("debug/", views.order)]
else:
    urlpatterns.append(path("live/", views.order))
""",
        more="""
from django.urls import path
from shop import views
urlpatterns = [path("", views.Search.as_view()), path("<uuid:key>", views.order)]
""",
        helpers="""
from django.urls import path
def both(name, view):
    return [path(f"{name}/{end}", view) for end in ("list", "one")]
""",
        views="""
from django.http import HttpResponse
from django.views import View
def order(request, **kwargs): return HttpResponse()
class Search(View):
    def get(self, request): return HttpResponse()
    def post(self, request): return HttpResponse()
""",
    )
    assert sorted(one.name for one in found) == sorted([
        "* /v1/orders/{pk:int}/", "GET /more/", "POST /more/", "* /more/{key:uuid}", "GET /again/", "POST /again/",
        "* /again/{key:uuid}", "* /admin/{rest:path}", "* /elsewhere/{rest:path}", "* /old/{year:int}/", "* /files/list",
        "* /files/one", "* /colours/red/", "* /colours/blue/", "* /debug/", "* /live/",
        "GET /accounts/login/", "POST /accounts/login/", "PUT /accounts/login/", "POST /accounts/logout/",
        "GET /accounts/password_change/", "POST /accounts/password_change/", "PUT /accounts/password_change/",
        "GET /accounts/password_change/done/", "GET /accounts/password_reset/", "POST /accounts/password_reset/",
        "PUT /accounts/password_reset/", "GET /accounts/password_reset/done/", "GET /accounts/reset/{uidb64}/{token}/",
        "POST /accounts/reset/{uidb64}/{token}/", "PUT /accounts/reset/{uidb64}/{token}/", "GET /accounts/reset/done/",
    ])  # fmt: skip
    admin = next(one for one in found if one.path.startswith("/admin/"))
    assert (admin.handler.name, [(guard.name, guard.roles) for guard in admin.guards]) == (
        "django.contrib.admin.site.urls", [("AdminSite", ("staff",))],
    )  # fmt: skip
    assert {(one.location.path, one.location.line) for one in found if one.path == "/more/"} == {("shop/more.py", 4)}


def test_methods_of_views(tmp_path: Path) -> None:
    found = app(
        tmp_path,
        urls="""
from django.urls import path
from shop import views
urlpatterns = [
    path("any", views.anything), path("form", views.form), path("only", views.only_post), path("listed", views.listed),
    path("refusing", views.refusing), path("create", views.Create.as_view()), path("safe", views.Safe.as_view()),
    path("delete", views.Delete.as_view()), path("home", views.TemplateView.as_view(template_name="x")),
]
""",
        views="""
from django.http import HttpResponse, HttpResponseNotAllowed
from django.views.decorators.http import require_http_methods, require_POST
from django.views.generic import CreateView, DeleteView, TemplateView
def anything(request): return HttpResponse()
def form(request):
    if request.method == "POST":
        return HttpResponse(request.POST["name"])
    return HttpResponse()
@require_POST
def only_post(request): return HttpResponse()
@require_http_methods(["GET", "PATCH"])
def listed(request): return HttpResponse()
def refusing(request):
    if request.method != "DELETE":
        return HttpResponseNotAllowed(["DELETE"])
    return HttpResponse()
class Create(CreateView): pass
class Safe(CreateView):
    http_method_names = ["get"]
class Delete(DeleteView): pass
""",
    )
    methods: dict[str, list[str]] = {}
    for one in found:
        methods.setdefault(one.path, []).append(one.method)
    assert methods == {
        "/any": ["*"], "/form": ["GET", "POST"], "/only": ["POST"], "/listed": ["GET", "PATCH"], "/refusing": ["DELETE"],
        "/create": ["GET", "POST", "PUT"], "/safe": ["GET"], "/delete": ["DELETE", "GET", "POST"], "/home": ["GET"],
    }  # fmt: skip


def test_guards_are_known_by_what_they_do(tmp_path: Path) -> None:
    found = app(
        tmp_path,
        urls="""
from django.contrib.auth.decorators import login_required, user_passes_test
from django.urls import path
from shop import views
staff = user_passes_test(lambda user: user.is_staff)
def everything(patterns, decorator):
    for pattern in patterns:
        pattern.callback = decorator(pattern.callback)
    return patterns
inner = everything([path("wrapped", views.Plain.as_view())], views.members)
urlpatterns = inner + [
    path("open", views.open_view), path("login", login_required(views.Plain.as_view())), path("named", views.named),
    path("own", views.own), path("staff", staff(views.open_view)), path("mixin", views.ByMixin.as_view()),
    path("tested", views.Tested.as_view()), path("body", views.body), path("hidden", views.hidden),
    path("method", views.ByMethod.as_view()), path("harmless", views.harmless), path("mine", views.Mine.as_view()),
    path("among", views.among), path("handed", views.handed), path("passed", views.passed_over),
]
""",
        views="""
from functools import wraps
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.mixins import AccessMixin, LoginRequiredMixin, UserPassesTestMixin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.decorators import method_decorator
from django.views import View
from django.views.generic import UpdateView
def members(view):
    @wraps(view)
    def inner(request, *args, **kwargs):
        if not request.user.is_authenticated:
            return redirect("welcome")
        return view(request, *args, **kwargs)
    return inner
def counted(view):
    def inner(request): return view(request)
    return inner
def open_view(request): return HttpResponse()
@permission_required("shop.change_order")
def named(request): return HttpResponse()
@members
def own(request): return HttpResponse()
@counted
def harmless(request):
    if request.user.is_authenticated:
        return redirect("home")
    return HttpResponse()
def body(request):
    if not request.user.has_perm("shop.add"):
        raise PermissionDenied
    return HttpResponse()
def among(request):
    get_object_or_404(orders_of(request), pk=1)
    return HttpResponse()
def orders_of(request): return Order.objects.filter(owner=request.user)
def handed(request):
    run(check, request)
    return HttpResponse()
def run(action, request): return action(request)
def check(request):
    if request.user.is_anonymous:
        raise PermissionDenied
def passed_over(request):
    if request.method == "POST" and request.user.is_authenticated:
        request.user.save()
    return HttpResponse()
def hidden(request):
    if request.user.is_anonymous:
        raise Http404
    return HttpResponse()
class Plain(View):
    def get(self, request): return HttpResponse()
class ByMixin(LoginRequiredMixin, Plain): pass
class Checked(AccessMixin):
    def dispatch(self, request, *args, **kwargs):
        if not request.user.is_authenticated:
            return self.handle_no_permission()
        return super().dispatch(request, *args, **kwargs)
class Tested(Checked, Plain): pass
@method_decorator(login_required, name="post")
class ByMethod(Plain):
    def post(self, request): return HttpResponse()
class Mine(UpdateView):
    def get_queryset(self): return self.request.user.orders.all()
""",
    )
    assert table(found) == {
        "* /open": [], "GET /login": ["login_required:302"], "GET /wrapped": ["members:302"],
        "* /named": ["permission_required:302,403"], "* /own": ["members:302"], "* /staff": ["user_passes_test:302"],
        "GET /mixin": ["LoginRequiredMixin:302"], "GET /tested": ["Checked:302,403"], "* /body": ["body:403"],
        "* /hidden": ["hidden:404"], "GET /method": [], "POST /method": ["login_required:302"], "* /harmless": [],
        "* /handed": ["handed:403"], "* /among": ["among:404"],
        "GET /passed": ["passed_over:403"], "POST /passed": ["passed_over:403"],
        "GET /mine": ["get:404"], "PUT /mine": ["put:404"], "POST /mine": ["post:404"],
    }  # fmt: skip
    roles = {one.path: one.roles for one in found if one.roles}
    assert roles == {"/named": ("shop.change_order",), "/staff": ("staff",)}


def test_middleware_guards_all_views(tmp_path: Path) -> None:
    files = {
        "settings": 'ROOT_URLCONF = "shop.urls"\nMIDDLEWARE = ["django.contrib.auth.middleware.LoginRequiredMiddleware"]\n',
        "urls": """
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.urls import path
def closed(request): return HttpResponse()
@login_not_required
def welcome(request): return HttpResponse()
urlpatterns = [path("closed", closed), path("welcome", welcome)]
""",
    }
    assert table(app(tmp_path, **files)) == {"* /closed": ["LoginRequiredMiddleware:302"], "* /welcome": []}


def test_what_no_settings_reach_is_not_mounted(tmp_path: Path) -> None:
    views = (
        "from django.http import HttpResponse\nfrom django.urls import path\ndef view(request): return HttpResponse()\n"
    )
    found = app(
        tmp_path,
        urls=f'{views}urlpatterns = [path("a", view)]\n',
        other=f'{views}urlpatterns = [path("b", view)]\n',
    )
    assert {(one.path, one.mounted) for one in found} == {("/a", True), ("/b", False)}


def test_registered_views_are_followed(tmp_path: Path) -> None:
    found = app(
        tmp_path,
        registry="""
from collections import defaultdict
views = defaultdict(list)
def register(model, path):
    def wrapper(view):
        views[model].append((path, view))
        return view
    return wrapper
def urls_of(model):
    from django.urls import path
    return [path(f"{end}/", view.as_view()) for end, view in views[model]]
""",
        views="""
from django.http import HttpResponse
from django.views import View
from shop.registry import register
@register("order", "history")
class History(View):
    def get(self, request): return HttpResponse()
""",
        apps="""
from django.apps import AppConfig
class Shop(AppConfig):
    name = "shop"
    def ready(self):
        from shop.late import Late
        from shop.registry import register
        register("order", "late")(Late)
""",
        late="""
from django.http import HttpResponse
from django.views import View
class Late(View):
    def post(self, request): return HttpResponse()
""",
        urls="""
from django.urls import include, path
from shop import views
from shop.registry import urls_of
urlpatterns = [path("orders/<int:pk>/", include(urls_of("order")))]
""",
    )
    assert {one.name for one in found} == {"GET /orders/{pk:int}/history/", "POST /orders/{pk:int}/late/"}
    assert {one.location.path for one in found} == {"shop/views.py", "shop/late.py"}


def test_parameters_have_the_types_of_their_converters(tmp_path: Path) -> None:
    (found,) = app(
        tmp_path,
        urls="""
from django.http import HttpResponse
from django.urls import path
def view(request, pk, name, key): return HttpResponse()
urlpatterns = [path("<int:pk>/<name>/<uuid:key>", view)]
""",
    )
    assert [(one.name, one.source, one.kind) for one in found.parameters] == [
        ("request", "request", "django.http.HttpRequest"), ("pk", "path", "int"), ("name", "path", ""),
        ("key", "path", "uuid.UUID"),
    ]  # fmt: skip


REST_SETTINGS = """
ROOT_URLCONF = "shop.urls"
REST_FRAMEWORK = {
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_RATES": {"anon": "10/min"},
}
"""


def test_routers_and_permissions_of_rest_framework(tmp_path: Path) -> None:
    found = app(
        tmp_path,
        settings=REST_SETTINGS,
        urls="""
from django.urls import include, path
from rest_framework.routers import DefaultRouter, SimpleRouter
from shop import views
class Bulk(SimpleRouter):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.routes[0].mapping.update({"delete": "bulk_destroy"})
router = DefaultRouter()
router.register("orders", views.Orders)
router.register(r"notes", views.Notes, basename="note")
bulk = Bulk(trailing_slash=False)
bulk.register("items", views.Items)
urlpatterns = [
    path("api/", include(router.urls)), path("bulk/", include(bulk.urls)), path("ping", views.ping),
    path("prices", views.Prices.as_view()),
]
""",
        views="""
from rest_framework.decorators import action, api_view, permission_classes
from rest_framework.generics import RetrieveUpdateAPIView
from rest_framework.permissions import AllowAny, BasePermission, IsAdminUser, IsAuthenticated, IsAuthenticatedOrReadOnly
from rest_framework.response import Response
from rest_framework.throttling import AnonRateThrottle
from rest_framework.viewsets import GenericViewSet, ModelViewSet, ReadOnlyModelViewSet
from rest_framework.mixins import CreateModelMixin, ListModelMixin
class Owner(BasePermission):
    def has_object_permission(self, request, view, obj): return obj.owner == request.user
class Nobody(BasePermission):
    def has_permission(self, request, view): return True
class Orders(ModelViewSet):
    lookup_field = "number"
    lookup_value_regex = "[0-9]+"
    permission_classes = [Owner]
    http_method_names = ["get", "post", "delete"]
    @action(detail=True, methods=["post"], permission_classes=[IsAdminUser])
    def pay(self, request, number): return Response()
    @pay.mapping.delete
    def unpay(self, request, number): return Response()
    @action(detail=False, url_path="by-day")
    def daily(self, request): return Response()
class Notes(ReadOnlyModelViewSet):
    permission_classes = [IsAuthenticated | Nobody]
class Items(CreateModelMixin, ListModelMixin, GenericViewSet):
    def get_permissions(self):
        if self.action == "list":
            return [AllowAny()]
        return [permission() for permission in [IsAuthenticated]]
    def bulk_destroy(self, request): return Response()
@api_view(["GET", "POST"])
@permission_classes([IsAuthenticatedOrReadOnly])
def ping(request): return Response()
class Prices(RetrieveUpdateAPIView):
    throttle_classes = [AnonRateThrottle]
""",
    )
    both = "401,403"
    assert table(found) == {
        "GET /api/": [], "GET /api/orders/": [], "POST /api/orders/": [],
        "GET /api/orders/by-day/": [], "POST /api/orders/{number:int}/pay/": [f"IsAdminUser:{both}"],
        "DELETE /api/orders/{number:int}/pay/": [],
        "GET /api/orders/{number:int}/": [f"Owner:{both}"], "DELETE /api/orders/{number:int}/": [f"Owner:{both}"],
        "GET /api/notes/": [], "GET /api/notes/{pk}/": [],
        "GET /bulk/items": [], "POST /bulk/items": [f"IsAuthenticated:{both}"],
        "DELETE /bulk/items": [f"IsAuthenticated:{both}"],
        "GET /ping": [], "POST /ping": [f"IsAuthenticatedOrReadOnly:{both}"],
        "GET /prices": [f"IsAuthenticated:{both}"], "PUT /prices": [f"IsAuthenticated:{both}"],
        "PATCH /prices": [f"IsAuthenticated:{both}"],
    }  # fmt: skip
    assert {(limit.name, limit.rate) for one in found for limit in one.limits} == {("AnonRateThrottle", "10/min")}
    rest = next(one for one in found if one.path.endswith("/pay/") and one.method == "POST")
    assert (rest.framework, rest.location.path, rest.parameters[0].kind) == (
        "Django REST framework", "shop/views.py", "rest_framework.request.Request",
    )  # fmt: skip


def test_operations_of_ninja(tmp_path: Path) -> None:
    found = app(
        tmp_path,
        urls="""
from django.urls import path
from ninja import NinjaAPI, Router
from ninja.security import HttpBearer
from shop.orders import router
class Token(HttpBearer):
    def authenticate(self, request, token): return token
api = NinjaAPI(auth=Token())
api.add_router("/orders/", router)
@api.get("/open", auth=None)
def welcome(request): return {}
@api.post("/closed/{int:id}")
def closed(request, id: int): return {}
urlpatterns = [path("api/", api.urls)]
""",
        orders="""
from ninja import Router, Schema
router = Router()
class Order(Schema):
    name: str
@router.put("/{id}")
def change(request, id: int, order: Order, dry: bool = False): return {}
""",
    )
    assert table(found) == {
        "GET /api/open": [], "POST /api/closed/{id:int}": ["Token:401"], "PUT /api/orders/{id}": ["Token:401"],
    }  # fmt: skip
    change = next(one for one in found if one.method == "PUT")
    assert change.framework == "django-ninja"
    assert [(one.name, one.source) for one in change.parameters] == [
        ("request", "request"), ("id", "path"), ("order", "body"), ("dry", "query"),
    ]  # fmt: skip


def test_authentication_that_takes_strangers_is_no_guard(tmp_path: Path) -> None:
    found = app(
        tmp_path,
        urls="""
from django.contrib.auth.models import AnonymousUser
from django.urls import path
from ninja import NinjaAPI
from ninja.security import HttpBearer
class Token(HttpBearer):
    def authenticate(self, request, token): return token
class Anyone:
    def __call__(self, request): return AnonymousUser()
class Known:
    def __call__(self, request):
        request.user = AnonymousUser()
        if not request.headers.get("token"): return None
        return request.user
api = NinjaAPI()
@api.get("/open", auth=[Token(), Anyone()])
def shown(request): return {}
@api.get("/closed", auth=[Token()])
def closed(request): return {}
@api.get("/known", auth=[Known()])
def known(request): return {}
urlpatterns = [path("api/", api.urls)]
""",
    )
    assert table(found) == {
        "GET /api/open": [], "GET /api/closed": ["Token:401"], "GET /api/known": ["Known:401"],
    }  # fmt: skip


def test_split_settings_and_middleware_that_sees_what_the_path_names(tmp_path: Path) -> None:
    found = app(
        tmp_path,
        settings='from split_settings.tools import include, optional\ninclude("parts.py", optional("local.py"))\n',
        parts='ROOT_URLCONF = "shop.urls"\nMIDDLEWARE = ["shop.guards.Objects"]\n',
        guards="""
from django.core.exceptions import PermissionDenied
from shop.models import Order
class Objects:
    def __init__(self, get_response): self.get_response = get_response
    def __call__(self, request): return self.get_response(request)
    def process_view(self, request, view, view_args, view_kwargs):
        if not Order.objects.filter(pk=view_kwargs.get("pk"), owner=request.user).exists():
            raise PermissionDenied
""",
        urls="""
from django.http import JsonResponse
from django.urls import path
def order(request, pk): return JsonResponse({})
urlpatterns = [path("orders/<int:pk>", order)]
""",
    )
    assert table(found) == {"* /orders/{pk:int}": ["Objects:403"]}
    (guard,) = found[0].guards
    assert guard.function is not None
    assert guard.function.name == "Objects.process_view"


def test_a_router_that_fills_its_registry_by_itself(tmp_path: Path) -> None:
    found = app(
        tmp_path,
        urls="""
from django.urls import include, path
from rest_framework.routers import SimpleRouter
from rest_framework.viewsets import ReadOnlyModelViewSet
class Orders(ReadOnlyModelViewSet): ...
class Lines(ReadOnlyModelViewSet): ...
class Own(SimpleRouter):
    def register(self, prefix, viewset, basename=None):
        self.registry.append((prefix, viewset, basename or "one"))
class Checked(SimpleRouter):
    def register(self, prefix, viewset, basename=None):
        super().register(prefix, viewset, basename)
own, checked = Own(), Checked()
own.register("orders", Orders)
own.register("lines", Lines)
checked.register("checked", Lines)
urlpatterns = [path("api/", include(own.urls)), path("", include(checked.urls))]
""",
    )
    assert sorted(one.name for one in found) == [
        "GET /api/lines/", "GET /api/lines/{pk}/", "GET /api/orders/", "GET /api/orders/{pk}/", "GET /checked/",
        "GET /checked/{pk}/",
    ]  # fmt: skip


def test_what_a_condition_on_settings_adds_is_optional(tmp_path: Path) -> None:
    found = app(
        tmp_path,
        urls="""
from django.conf import settings
from django.urls import include, path
from rest_framework.routers import SimpleRouter
from rest_framework.viewsets import ReadOnlyModelViewSet
class Orders(ReadOnlyModelViewSet): ...
def one(request): ...
debug = [path("debug", one)]
router = SimpleRouter()
if settings.UNKNOWN:
    router.register("maybe", Orders)
urlpatterns = [path("sure", one), *([path("either", one)] if settings.UNKNOWN else []), path("", include(router.urls))]
if settings.ROOT_URLCONF:
    urlpatterns += [path("default", one)]
else:
    urlpatterns += [path("other", one)]
if settings.UNKNOWN:
    urlpatterns += debug
    urlpatterns = urlpatterns + [path("more/", include([path("inner", one)]))]
""",
    )
    assert {one.path for one in found if not one.optional} == {"/sure", "/default"}
    assert {one.path for one in found if one.optional} == {
        "/either", "/maybe/", "/maybe/{pk}/", "/other", "/debug", "/more/inner"
    }  # fmt: skip


def test_patterns_that_a_helper_makes_by_hand(tmp_path: Path) -> None:
    found = app(
        tmp_path,
        urls="""
from django.urls import URLPattern, include, path
from django.urls.resolvers import RegexPattern, RoutePattern
def one(request): ...
def by_regex(route, view, name=None):
    if callable(view):
        pattern = RegexPattern(route, name=name, is_endpoint=True)
        pattern.is_live = True
        return URLPattern(pattern, view, {}, name)
    raise TypeError("view must be callable")
def by_route(route, view):
    return URLPattern(RoutePattern(route, is_endpoint=True), view, {})
urlpatterns = [path("pay/", include([by_regex(r"^hook/(?P<key>[0-9]+)/$", one), by_route("<int:key>/", one)]))]
""",
    )
    assert sorted(one.path for one in found) == ["/pay/hook/{key:int}/", "/pay/{key:int}/"]


def test_imports_begin_beside_manage_in_a_package(tmp_path: Path) -> None:
    inner = {
        "manage.py": MANAGE.replace("shop.settings", "core.settings"),
        "__init__.py": "",
        "core/__init__.py": "",
        "core/settings.py": 'ROOT_URLCONF = "core.urls"\nMIDDLEWARE = []\n',
        "core/urls.py": """
from django.urls import path
from orders import views
urlpatterns = [path("orders/", views.Orders.as_view())]
""",
        "orders/__init__.py": "",
        "orders/views.py": """
from django.views import View
class Orders(View):
    def get(self, request): ...
""",
    }
    found = endpoints(tmp_path, {"setup.py": "", **{f"shop/{name}": text for name, text in inner.items()}})
    assert [one.name for one in found] == ["GET /orders/"]


def test_plugins_are_told_by_the_class_that_configures_them(tmp_path: Path) -> None:
    found = app(
        tmp_path,
        **{
            "settings": 'ROOT_URLCONF = "shop.urls"\nMIDDLEWARE = []\nINSTALLED_APPS = ["shop.api", "shop.pay"]\n',
            "api/__init__": "",
            "api/apps": "from django.apps import AppConfig\nclass Api(AppConfig):\n    name = 'shop.api'\n",
            "api/urls": """
from django.urls import path
def orders(request): ...
urlpatterns = event_patterns = [path("orders/", orders)]
""",
            "pay/__init__": "",
            "pay/apps": """
from django.apps import AppConfig
class Pay(AppConfig):
    name = "shop.pay"
    class Plugin: ...
""",
            "pay/urls": """
from django.urls import include, path
def done(request): ...
event_patterns = [path("pay/", include([path("done/", done)]))]
""",
            "urls": """
import importlib
from django.apps import apps
from django.urls import include, path
def guarded(view):
    def inner(request, *args): return view(request, *args)
    return inner
def around(entries):
    for entry in entries:
        if hasattr(entry, "url_patterns"):
            around(entry.url_patterns)
        elif hasattr(entry, "callback"):
            entry.callback = guarded(entry.callback)
    return entries
urlpatterns = [path("v1/", include("shop.api.urls"))]
for one in apps.get_app_configs():
    if hasattr(one, "Plugin"):
        urls = importlib.import_module(one.name + ".urls")
        urlpatterns.append(path("<event>/", include(around(urls.event_patterns))))
""",
        },
    )
    assert [one.name for one in found if one.mounted] == ["* /v1/orders/", "* /{event}/pay/done/"]
