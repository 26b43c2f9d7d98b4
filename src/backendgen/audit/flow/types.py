"""Types as annotations write them: harmless ones, classes of the project, outside classes, and lists of these."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass

from backendgen.audit.flow.libraries import NUMBERS_AND_SUCH, returned
from backendgen.code.symbols import Class, External, Function, Module, Symbols, Variable

WRAPPERS = frozenset(
    {"Optional", "Annotated", "Final", "ClassVar", "Required", "NotRequired", "Mapped", "Awaitable", "Secret"}
)
CONTAINERS = frozenset({
    "list", "List", "Sequence", "set", "Set", "frozenset", "Iterable", "Iterator", "tuple", "AsyncIterator", "Generator",
    "AsyncGenerator", "Collection", "conlist",
})  # fmt: skip
VALIDATORS = frozenset({"AfterValidator", "BeforeValidator", "PlainValidator", "Predicate"})
MAX_DEPTH = 6


@dataclass(frozen=True, slots=True)
class Type:
    """What an annotation says. `harmless`: a number, date or enumeration; `element`: the type of a container's entries."""

    harmless: bool = False
    kind: Class | External | None = None
    element: Type | None = None

    @property
    def is_text(self) -> bool:
        """Is this a text, and no object?"""
        return isinstance(self.kind, External) and self.kind.name in TEXTS


TEXTS = frozenset({"str", "pydantic.EmailStr", "pydantic.AnyUrl", "pydantic.HttpUrl", "pydantic.constr"})
ANYTHING = Type()


class Types:
    """Reads annotations, each once."""

    def __init__(self, symbols: Symbols, proves: Callable[..., bool]) -> None:
        self.symbols = symbols
        self._proves = proves
        self._attributes: dict[int, dict[str, Type]] = {}
        self._known: dict[int, tuple[ast.expr, Type]] = {}

    def of(self, annotation: ast.expr | None, module: Module, depth: int = 0) -> Type:
        """Return what an annotation says; ANYTHING when that is not known."""
        if annotation is None or depth > MAX_DEPTH:
            return ANYTHING
        key = id(annotation)
        if key not in self._known:
            self._known[key] = (annotation, self._read(annotation, module, depth))
        return self._known[key][1]

    def of_attribute(self, owner: Class, name: str) -> Type:
        """Return the type of an attribute that a class's methods set: `self.pool = await create_pool()`."""
        for one in self.symbols.lineage(owner):
            key = id(one.node)
            if key not in self._attributes:
                self._attributes[key] = {}
                for member in one.module.members.get(key, {}).values():
                    if isinstance(member, Function) and member.parameters:
                        self._set_by(member, self._attributes[key])
            if name in self._attributes[key]:
                return self._attributes[key][name]
        return ANYTHING

    def _set_by(self, method: Function, known: dict[str, Type]) -> None:
        """The types of what a method assigns to its first parameter's attributes."""
        own, *others = method.parameters
        annotations = {each.arg: each.annotation for each in others}
        for node in ast.walk(method.node):
            if not isinstance(node, ast.Assign | ast.AnnAssign):
                continue
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if (
                    isinstance(target, ast.Attribute)
                    and isinstance(target.value, ast.Name)
                    and target.value.id == own.arg
                ):
                    found = ANYTHING
                    if isinstance(node, ast.AnnAssign):
                        found = self.of(node.annotation, method.module)
                    elif isinstance(node.value, ast.Name):
                        found = self.of(annotations.get(node.value.id), method.module)
                    elif node.value is not None:
                        found = self._of_call(node.value, method)
                    if found.kind is not None:
                        known.setdefault(target.attr, found)

    def _of_call(self, node: ast.expr, function: Function) -> Type:
        """What calling a class of the project, or something outside whose answer is known, gives."""
        node = node.value if isinstance(node, ast.Await) else node
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):  # pathlib: Path(root) / "files"
            return self._of_call(node.left, function)
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Call)
        ):
            inner = self._of_call(node.func.value, function).kind
            if isinstance(inner, External):
                is_path = inner.name == "pathlib.Path"
                return Type(kind=inner if is_path else returned(f"{inner.name}.{node.func.attr}"))
            return ANYTHING
        maker = self.symbols.value(node.func, function.module, function) if isinstance(node, ast.Call) else None
        if isinstance(maker, External):
            return Type(kind=returned(maker.name))
        return Type(kind=maker) if isinstance(maker, Class) else ANYTHING

    def _read(self, node: ast.expr, module: Module, depth: int) -> Type:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                return self._read(ast.parse(node.value, mode="eval").body, module, depth + 1)
            except (SyntaxError, ValueError):
                return ANYTHING
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return _either([self.of(side, module, depth + 1) for side in (node.left, node.right) if not _is_none(side)])
        if isinstance(node, ast.Subscript):
            return self._subscript(node, module, depth)
        target = self.symbols.resolve(node, module) if isinstance(node, ast.Name | ast.Attribute) else None
        if isinstance(target, Variable):
            if isinstance(target.value, ast.Call):
                return self._made(target, depth)
            return self.of(target.value, target.module, depth + 1)
        if isinstance(target, External):
            return Type(target.name in NUMBERS_AND_SUCH, target)
        if isinstance(target, Class):
            return Type(self._is_enumeration(target), target)
        return ANYTHING

    def _made(self, variable: Variable, depth: int) -> Type:
        """`UserId = NewType("UserId", int)`."""
        call = variable.value
        if isinstance(call, ast.Call) and len(call.args) == 2:
            maker = self.symbols.value(call.func, variable.module)
            if isinstance(maker, External) and maker.name == "typing.NewType":
                return self.of(call.args[1], variable.module, depth + 1)
        return ANYTHING

    def _subscript(self, node: ast.Subscript, module: Module, depth: int) -> Type:
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        outer = self.symbols.value(node.value, module)
        if not parts:  # tuple[()]
            return ANYTHING
        name = outer.name if isinstance(outer, External) else ""
        last = name.rpartition(".")[2]
        if name in NUMBERS_AND_SUCH:
            return Type(harmless=True)
        if last == "Annotated":
            return self._annotated(parts, module, depth)
        if last in WRAPPERS:
            return self.of(parts[0], module, depth + 1)
        if last == "Union":
            return _either([self.of(part, module, depth + 1) for part in parts if not _is_none(part)])
        if last in CONTAINERS:
            return Type(element=self.of(parts[0], module, depth + 1))
        if isinstance(outer, Class):
            return Type(kind=outer)
        return Type(kind=outer) if isinstance(outer, External) else ANYTHING

    def _annotated(self, parts: list[ast.expr], module: Module, depth: int) -> Type:
        """`Annotated[str, Query(pattern="^[a-z]+$")]`: what a pattern lets through is harmless."""
        if any(is_constrained(part) or self._is_validated(part, module) for part in parts[1:]):
            return Type(harmless=True)
        return self.of(parts[0], module, depth + 1)

    def _is_validated(self, node: ast.expr, module: Module) -> bool:
        """`AfterValidator(check)`, `Predicate(is_valid)`: what the function does decides."""
        if not isinstance(node, ast.Call) or not node.args:
            return False
        maker = self.symbols.value(node.func, module)
        name = maker.name.rpartition(".")[2] if isinstance(maker, External) else ""
        if name not in VALIDATORS:
            return False
        function = self.symbols.value(node.args[0], module)
        return isinstance(function, Function) and self._proves(function, by_answer=name == "Predicate")

    def _is_enumeration(self, owner: Class) -> bool:
        return any(
            base.rpartition(".")[2] in ("Enum", "IntEnum", "StrEnum", "Flag") for base in self.symbols.bases(owner)
        )


def is_constrained(node: ast.expr | None) -> bool:
    """`Query(pattern="^(asc|desc)$")`: an anchored pattern that lets no arbitrary text through."""
    if not isinstance(node, ast.Call):
        return False
    for keyword in node.keywords:
        if keyword.arg in ("pattern", "regex") and isinstance(keyword.value, ast.Constant):
            pattern = str(keyword.value.value)
            return pattern.startswith("^") and pattern.endswith("$") and ".*" not in pattern and ".+" not in pattern
    return False


def _either(types: list[Type]) -> Type:
    if not types:
        return ANYTHING
    if all(one.harmless for one in types):
        return Type(harmless=True)
    return next((one for one in types if not one.harmless), ANYTHING) if len(types) == 1 else _mixed(types)


def _mixed(types: list[Type]) -> Type:
    return next((one for one in types if isinstance(one.kind, Class) and not one.harmless), ANYTHING)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
