"""The inventory of GraphQL fields: names, operations and guards."""

from __future__ import annotations

from pathlib import Path

from apps import endpoints


def guarded(root: Path, text: str) -> dict[str, list[str]]:
    found = endpoints(root, {"app/main.py": text})
    return {one.name: [guard.name for guard in one.guards] for one in found}


def test_strawberry(tmp_path: Path) -> None:
    text = """
import strawberry
from strawberry.permission import BasePermission
from strawberry.tools import merge_types
class Member(BasePermission):
    def has_permission(self, source, info, **kwargs): return info.context.user is not None
class Anyone(BasePermission):
    def has_permission(self, source, info, **kwargs): return True
def orders() -> list[str]: return []
@strawberry.type
class Orders:
    order_list: list[str] = strawberry.field(resolver=orders, permission_classes=[Member])
    version: str
    @strawberry.field(name="mine")
    def my_orders(self) -> list[str]: return []
    def helper(self) -> str: return ""
@strawberry.type
class Health:
    @strawberry.field(permission_classes=[Anyone])
    def is_up(self) -> bool: return True
Query = merge_types("Query", (Orders, Health))
@strawberry.type
class Mutation:
    @strawberry.mutation
    def rename(self, info: strawberry.Info, name: str) -> str:
        if not info.context.user.is_authenticated:
            raise PermissionError
        return name
schema = strawberry.Schema(query=Query, mutation=Mutation)
"""
    assert guarded(tmp_path, text) == {
        "QUERY orderList": ["Member"], "QUERY version": [], "QUERY mine": [], "QUERY isUp": [],
        "MUTATION rename": ["Mutation.rename"],
    }  # fmt: skip


def test_graphene(tmp_path: Path) -> None:
    text = """
import graphene
from graphql_jwt.decorators import login_required
class Denied(Exception): pass
class Base(graphene.Mutation):
    @classmethod
    def mutate(cls, root, info, **data):
        if cls._meta.permissions and not info.context.user.has_perms(cls._meta.permissions):
            raise PermissionError()
        return cls.perform_mutation(root, info, **data)
class Create(Base):
    class Meta:
        permissions = ("shop.add",)
    @classmethod
    def perform_mutation(cls, root, info): return Create()
class Ping(Base):
    class Meta:
        description = "open"
    @classmethod
    def perform_mutation(cls, root, info): return Ping()
class Queries(graphene.ObjectType):
    my_orders = graphene.List(graphene.String)
    up = graphene.Boolean(name="isUp")
    @login_required
    def resolve_my_orders(root, info): return []
class Query(Queries): pass
class Mutation(graphene.ObjectType):
    create_order = Create.Field()
    ping = Ping.Field()
schema = graphene.Schema(query=Query, mutation=Mutation)
"""
    assert guarded(tmp_path, text) == {
        "QUERY myOrders": ["login_required"], "QUERY isUp": [], "MUTATION createOrder": ["permissions"], "MUTATION ping": [],
    }  # fmt: skip


def test_ariadne(tmp_path: Path) -> None:
    text = """
from ariadne import MutationType, ObjectType, QueryType
query, mutation = QueryType(), MutationType()
queries = ObjectType("Query")
mutations = MutationType()
@queries.field("orders")
def resolve_orders(root, info): return []
def delete(root, info, id):
    if info.context["user"] is None:
        raise PermissionError
mutations.set_field("deleteOrder", delete)
"""
    found = endpoints(tmp_path, {"app/main.py": text})
    assert [(one.name, one.framework, [given.name for given in one.parameters]) for one in found] == [
        ("QUERY orders", "Ariadne", ["info"]), ("MUTATION deleteOrder", "Ariadne", ["info", "id"]),
    ]  # fmt: skip
    assert [bool(one.guards) for one in found] == [False, True]
