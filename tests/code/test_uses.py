"""What source files say of tables: strings in every language, models, and files of any bytes."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backendgen.code.literals import HOLE, in_python, in_text
from backendgen.code.models import Model, models
from backendgen.code.schemas import diesel, diesel_inserts, mention, prisma
from backendgen.code.sources import SUFFIXES, Source, is_searched
from backendgen.code.uses import may_use, uses


def texts(code: str) -> list[tuple[str, int]]:
    return sorted((literal.text, literal.line) for literal in in_python(ast.parse(code)))


def columns(model: Model) -> list[tuple[str, int, bool | None]]:
    return [(column.name, column.line, column.nullable) for column in model.columns]


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('"""Doc."""\nx = "a"', [("a", 2)]),
        ('x = f"a {b} c"', [(f"a {HOLE} c", 1)]),
        ('x = "a " + b + " c"', [(f"a {HOLE} c", 1)]),
        ('x = "a %s" % b', [("a %s", 1)]),
        ('x = ("a "\n "b")', [("a b", 1)]),
        ('x = f"a {g("b")}"' if False else "x = f\"a {g('b')}\"", [(f"a {HOLE}", 1), ("b", 1)]),
    ],
)
def test_strings_of_python(code: str, found: list[tuple[str, int]]) -> None:
    assert texts(code) == sorted(found)


@pytest.mark.parametrize(
    ("language", "code", "found"),
    [
        ("ts", "// 'no'\nq(`a ${b({})} c`, 'd')", [(f"a {HOLE} c", 2), ("d", 2)]),
        ("java", 'String s = "a " +\n  "b" + x + "c"; char q = \'"\'; f("d");', [(f"a b{HOLE}c", 1), ("d", 2)]),
        ("go", 's := `a\nb` /* `no` */\nt := "c"', [("a\nb", 1), ("c", 3)]),
        ("rs", 'query!(r#"a "b" c"#); let x: &\'a str = "d\ne";', [('a "b" c', 1), ("d\ne", 1)]),
        ("rb", "x = <<~SQL\n  a #{b}\nSQL\ny = 'c' # 'no'", [(f"  a {HOLE}\n", 2), ("c", 4)]),
        ("php", '$x = "a {$b}";', [(f"a {HOLE}", 1)]),
        ("kt", 'val x = """a\n$b"""', [(f"a\n{HOLE}", 1)]),
    ],
)
def test_strings_of_other_languages(language: str, code: str, found: list[tuple[str, int]]) -> None:
    assert [(literal.text, literal.line) for literal in in_text(code, language)] == found


def test_sqlalchemy_models() -> None:
    code = """
class Timed:
    created = Column(DateTime, nullable=False, server_default=func.now())

class Order(Timed, Base):
    __tablename__ = "orders"
    __table_args__ = (Index("i", "id"), {"schema": "app"})
    id: Mapped[int] = mapped_column(primary_key=True)
    memo: Mapped[str | None]
    state = deferred(Column("status", String))
    buyer: Mapped["User"] = relationship()

users = Table("users", metadata, Column("id", Integer, primary_key=True), Column("name", Text))
"""
    users, order = models(ast.parse(code), "app/models.py")
    assert (users.table, columns(users)) == ("users", [("id", 13, False), ("name", 13, True)])
    assert order.table == "app.orders"
    assert columns(order) == [("id", 8, False), ("memo", 9, True), ("status", 10, True), ("created", 3, False)]
    assert order.complete


def test_sqlmodel_models() -> None:
    code = """
class Hero(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    team: "Team" = Relationship()
    kind: str = Field(sa_column=Column("type", String, nullable=False))

class HeroIn(SQLModel):
    name: str
"""
    (hero,) = models(ast.parse(code), "app/models.py")
    assert (hero.table, columns(hero)) == ("hero", [("id", 3, True), ("type", 5, False)])


def test_django_models() -> None:
    code = """
class Timed(models.Model):
    created = models.DateTimeField(auto_now_add=True)
    class Meta:
        abstract = True

class Order(Timed):
    buyer = models.ForeignKey("User", on_delete=models.CASCADE)
    tags = models.ManyToManyField("Tag")
    memo = models.TextField(null=True, db_column="note")

class Item(elsewhere.Shared):
    key = models.UUIDField(primary_key=True)
    class Meta:
        db_table = "items"

class OrderForm(forms.Form):
    memo = forms.CharField()
"""
    order, item = models(ast.parse(code), "shop/models/orders.py")
    assert order.table == "shop_order"
    assert columns(order) == [("id", 7, False), ("buyer_id", 8, False), ("note", 10, True), ("created", 3, False)]
    assert order.complete
    assert (item.table, columns(item), item.complete) == ("items", [("key", 13, False)], False)


def test_prisma_models_without_relations_and_ignored_fields() -> None:
    schema = """model Order {
  id      String  @id
  state   String? @map("status") // comment
  user    User    @relation(fields: [userId], references: [id])
  userId  String  @map("user_id")
  old     String  @ignore
  kind    Kind    @default(A)

  @@map("orders")
  @@schema("app")
}
model User {
  id     String
  orders Order[]
}
"""
    order, user = prisma(schema)
    assert order.table == "app.orders"
    assert columns(order) == [("id", 2, False), ("status", 3, True), ("user_id", 5, False), ("kind", 7, False)]
    assert (user.table, columns(user)) == ("User", [("id", 13, False)])


def test_diesel_tables_and_what_is_inserted() -> None:
    (table,) = diesel(
        "diesel::table! {\n    use diesel::sql_types::*;\n\n    app.orders (id) {\n        id -> Int8,\n"
        '        #[sql_name = "type"]\n        type_ -> Nullable<Text>,\n    }\n}\n'
    )
    assert (table.table, columns(table), table.inserts) == ("app.orders", [("id", 5, False), ("type", 7, True)], False)
    assert diesel_inserts("insert_into(schema::orders::table).values(x); insert_into(users)") == {"orders", "users"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('pgTable("orders", {\n  buyerId: text("x"),\n});', (2, True)),
        ('pgTable("orders", {\n});\npgTable("users", {\n  buyerId: text("buyer_id"),\n});', None),
        ('db.table("orders")\n  .select("buyer_id")', (2, True)),
        ('x = ["orders"]\ny = ["buyer_id"]', (2, False)),
        ('x = "orders"' + "\n" * 40 + 'y = "buyer_id"', None),
        ('// orders\ny = "buyer_id"', None),
    ],
)
def test_names_side_by_side(text: str, found: tuple[int, bool] | None) -> None:
    assert mention(text, "orders", "buyer_id") == found


@pytest.mark.parametrize(
    ("path", "searched"),
    [
        ("app/orders.py", True),
        ("src/orders.service.ts", True),
        ("src/orders.spec.ts", False),
        ("orders_test.go", False),
        ("tests/test_orders.py", False),
        ("shop/migrations/0001_initial.py", False),
        ("node_modules/x/index.js", False),
        ("dist/app.js", False),
        ("src/dist/app.js", True),
        ("README.md", False),
        (".next/app.js", False),
    ],
)
def test_code_is_what_runs_in_production(path: str, searched: bool) -> None:
    assert is_searched(path) is searched


def test_files_that_name_no_table_are_not_parsed() -> None:
    names, classes = frozenset({b"shop_order"}), frozenset({b"shop_order", b"shoporder", b"order"})
    assert may_use(Source("a.py", b'q("SELECT 1 FROM shop_order")'), names, classes)
    assert may_use(Source("a.py", b"class Order(models.Model):"), names, classes)
    assert not may_use(Source("a.py", b"order = shop_order"), names, classes)
    assert not may_use(Source("a.ts", b"shop_orders"), names, classes)


def test_queries_of_dbt_and_sqlc() -> None:
    (text,) = uses(Source("a.sql", b"SELECT a FROM {{ ref('orders') }} WHERE b = {{ var('x') }}")).texts
    assert text.text == f"SELECT a FROM orders WHERE b = {HOLE}"
    assert uses(Source("a.sql", b"-- name: Find :one\nSELECT * FROM t;")).names_columns
    assert not uses(Source("a.sql", b"-- name: find\nSELECT * FROM t;")).names_columns


@pytest.mark.parametrize("repeated", [b"/**/", b"/*", b"(", b"{{", b"{%", b"model a {\n", b'r#"', b'"""', b"'a' + "])
@pytest.mark.parametrize("suffix", ["ts", "sql", "rs", "prisma", "py"])
def test_what_never_ends_does_not_take_for_ever(suffix: str, repeated: bytes) -> None:
    uses(Source(f"a.{suffix}", b"x = '" + repeated * 2_000))


@given(st.sampled_from(sorted(SUFFIXES)), st.binary(max_size=300))
def test_any_bytes_can_be_searched(suffix: str, content: bytes) -> None:
    uses(Source(f"a.{suffix}", content))


PIECES = [
    *("model A {", "}", "table! {", "orders (id) {", "->", "@@map(", "class A(Model):\n", "    x = Column(", ")", "+"),
    *(
        '"',
        "'",
        "`",
        '"""',
        "f'",
        'r#"',
        "/*",
        "*/",
        "//",
        "<<~SQL\n",
        "SQL",
        "\n",
        "$",
        "{",
        "#{",
        "{{",
        "{%",
        "\\",
        "\0",
    ),
    "select a from b",
]


@given(st.sampled_from(sorted(SUFFIXES)), st.lists(st.sampled_from(PIECES), max_size=40))
def test_any_pieces_of_code_can_be_searched(suffix: str, pieces: list[str]) -> None:
    found = uses(Source(f"a.{suffix}", "".join(pieces).encode()))
    assert mention(found.text, "b", "a") is None or found.text
