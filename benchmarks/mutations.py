"""Weakens sound backends, one change at a time, and prints how many of the changes the audit finds: `mutations.py PATH ...`.

Each mutation takes one protection away in the text of one file: a guard, the owner's condition, a limit, a timeout, a bound
parameter and so on. It is caught when the default profile has a finding that it did not have before. Whether a change is a
weakness is asked of the service model before it: a guard counts only when no other one above the body guards the endpoint,
an owner's condition only when no role is asked for, and a bound parameter only when the caller chooses a text.
Own checks and data flow judge the whole project again; bandit and semgrep only the changed file.

What is no weakness is never drawn, whatever the audit says of it: a timeout of httpx is set to `None` and not left out,
since five seconds are its default; a flag that is off already, or on a cookie that is being deleted; a response model that
the return annotation repeats; a limit on calls anywhere but where credentials, codes or mails are at stake; the only
condition of a query for one row, which without it finds no row or all; `limit(1)`; a text that is one of a few; a guard
whose result the handler needs to work, or that stands above the handler twice.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from mutation import Mutation, Text
from mutation_kinds import UNSERVED, checks, credentials, views

from backendgen.audit import unhindered
from backendgen.audit.engines import bandit, own, semgrep
from backendgen.audit.properties import text_of
from backendgen.audit.registry import Context
from backendgen.audit.service import Endpoint
from backendgen.code.parse import Unparsable, parse
from backendgen.code.project import Project, SourceFile, is_test, load
from backendgen.code.symbols import Function
from backendgen.config import Config
from backendgen.findings.finding import Finding
from backendgen.rules import Confidence, Rulebook

TOOLING = re.compile(r"(?:^|/)(?:scripts|dev|tools|bin)/")
USER = re.compile(r"\b(?:current_?user|user|caller|auth_subject|me|identity|current_org|org|principal)\b")
OWNS = re.compile(r"owner|user|author|creator|org|tenant|account|project", re.IGNORECASE)
CLIENTS = re.compile(r"^(?:httpx|requests)\.(?:get|post|put|patch|delete|head|request|Client|AsyncClient)$")
SETS = re.compile(r"\brequest\.(\w+) = ")
READS = re.compile(r"\brequest\.(\w+)")
RULES = Rulebook()


def main() -> None:
    """Mutate each project in turn, and print what was caught by kind, and every miss."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("paths", nargs="+", type=Path)
    options.add_argument("--count", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--jobs", type=int, default=os.cpu_count())
    given = options.parse_args()
    verdicts: dict[tuple[str, str], Counter[str]] = {}
    done = 0
    for number, path in enumerate(given.paths):
        share = (given.count - done) // (len(given.paths) - number)  # what is left, evenly
        with unhindered(), tempfile.TemporaryDirectory() as folder:
            trial = Trial(path, Path(folder))
            name = "/".join(path.resolve().parts[-2:])
            mutations = chosen(trial, share, random.Random(given.seed))
            done += len(mutations)
            for mutation, verdict in zip(mutations, judged(trial, mutations, given.jobs), strict=True):
                verdicts.setdefault((mutation.kind, name), Counter())[verdict] += 1
                if verdict != "caught":
                    print(
                        f"{verdict}: {mutation.kind}: {name}/{mutation.path}:{mutation.line} {mutation.note}",
                        flush=True,
                    )
    show(verdicts)


def judged(trial: Trial, mutations: list[Mutation], jobs: int) -> Iterator[str]:
    """The verdicts in order. Children share what was read: it is read once, and copied by none of them."""
    with ProcessPoolExecutor(jobs, get_context("fork"), Judge.prepare, (trial,)) as pool:
        yield from pool.map(Judge.verdict, mutations)


class Judge:
    """A child's own copy of the trial."""

    trial: Trial

    @classmethod
    def prepare(cls, trial: Trial) -> None:
        """Work in a folder of one's own."""
        cls.trial = trial
        trial.folder = trial.folder / str(os.getpid())

    @classmethod
    def verdict(cls, mutation: Mutation) -> str:
        """What the audit says of one."""
        return cls.trial.verdict(mutation)


def show(verdicts: dict[tuple[str, str], Counter[str]]) -> None:
    """Caught of tried by kind and project: `3/4`, `3+1/4` when low confidence has one more."""
    projects = list(dict.fromkeys(name for _, name in verdicts))
    columns = ["", *projects, "all"]
    print("\n| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for kind in [*sorted({kind for kind, _ in verdicts}), "all"]:
        cells = []
        for project in [*projects, "all"]:
            found = Counter[str]()
            for (one, name), counted in verdicts.items():
                if kind in (one, "all") and project in (name, "all"):
                    found += counted
            low = f"+{found['low']}" if found["low"] else ""
            cells.append(f"{found['caught']}{low}/{found.total()}" if found else "")
        print(f"| {kind} | " + " | ".join(cells) + " |")
    every = sum(verdicts.values(), Counter[str]())
    both = every["caught"] + every["low"]
    print(
        f"\ncaught {every['caught']} of {every.total()}: {100 * every['caught'] / max(every.total(), 1):.1f} %", end=""
    )
    print(f" ({100 * both / max(every.total(), 1):.1f} % with low confidence)")


class Trial:
    """One project: what the audit says of it, and of each of its mutants."""

    def __init__(self, path: Path, folder: Path) -> None:
        start = time.perf_counter()
        self.folder = folder
        self.project = load(path, ())
        self.rules = tuple(one for one in RULES.select("audit", (), ()) if not one.id.startswith("BG6"))
        self.known, self.context = self._own(self.project)
        for engine in (bandit.run, semgrep.run):
            self.known |= {key(one) for one in engine(self.project.without_tests(), self.rules).findings}
        seconds = time.perf_counter() - start
        print(
            f"{path}: {len(self.context.service.endpoints)} endpoints, {len(self.known)} findings, {seconds:.1f} s",
            flush=True,
        )

    def _own(self, project: Project) -> tuple[set[tuple[str, str, str, Confidence]], Context]:
        result = own.run(project, self.rules, Config())
        return {key(one) for one in result.findings}, own.describe(project, Config())

    def verdict(self, mutation: Mutation) -> str:
        """`caught` in the default profile, `low` with low confidence only, or `missed`."""
        file = self.project.by_path[mutation.path]
        changed = mutated(file, mutation)
        place = self.folder / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(changed.text, encoding="utf-8")  # semgrep reads files
        changed = SourceFile(file.path, place, changed.text, changed.digest, changed.tree)
        files = tuple(changed if one is file else one for one in self.project.files)
        alone = replace(self.project, root=self.folder, files=(changed,), documents=())
        best = "missed"
        runs: tuple[Callable[[], tuple[Finding, ...]], ...] = (
            lambda: bandit.run(alone, self.rules).findings,
            lambda: own.run(replace(self.project, files=files), self.rules, Config()).findings,
            lambda: semgrep.run(alone, self.rules).findings,
        )
        for run in runs:
            new = [one for one in run() if key(one) not in self.known and not is_test(one.location.path)]
            if any(one.confidence >= Confidence.MEDIUM for one in new):
                return "caught"
            best = "low" if new else best
        return best


def key(one: Finding) -> tuple[str, str, str, Confidence]:
    """What tells findings apart, wherever they stand."""
    return one.rule_id, one.location.path, one.message, one.confidence


def mutated(file: SourceFile, mutation: Mutation) -> SourceFile:
    """The file with the change. Raises Unparsable when that is no Python."""
    text = file.text[: mutation.start] + mutation.text + file.text[mutation.end :]
    first = next(
        (
            one
            for one in file.tree.body
            if isinstance(one, ast.Import | ast.ImportFrom) and one.names[0].name != "annotations"
        ),
        None,
    )
    if mutation.needs and first is not None:
        start = Text(file).start(first)
        text = f"{text[:start]}{mutation.needs}; {text[start:]}"  # no line moves
    return replace_file(file, text)


def replace_file(file: SourceFile, text: str) -> SourceFile:
    """The file with another text."""
    return SourceFile(file.path, file.location, text, str(hash(text)), parse(text))


def chosen(trial: Trial, count: int, chance: random.Random) -> list[Mutation]:
    """So many mutations, each kind in turn as long as it has any, drawn by the seed."""
    kinds: dict[str, list[Mutation]] = {}
    for mutation in {(one.path, one.start, one.end, one.text): one for one in every(trial.context)}.values():
        kinds.setdefault(mutation.kind, []).append(mutation)
    for name in sorted(kinds):
        chance.shuffle(kinds[name])
    found: list[Mutation] = []
    while len(found) < count and any(kinds.values()):
        for name in sorted(kinds):
            if kinds[name] and len(found) < count:
                mutation = kinds[name].pop()
                try:
                    mutated(trial.project.by_path[mutation.path], mutation)
                except (Unparsable, SyntaxError):
                    continue
                found.append(mutation)
    return found


# -- what can be taken away ---------------------------------------------------------------------------------------------


def every(context: Context) -> Iterator[Mutation]:
    """All mutations of a project."""
    handlers: dict[int, Endpoint] = {}
    for endpoint in context.service.endpoints:
        handlers.setdefault(id(endpoint.handler.node), endpoint)
    yield from guards(context)
    for file in context.project.files:
        if is_test(file.path) or "/migrations/" in f"/{file.path}" or TOOLING.search(file.path):
            continue
        text = Text(file)
        for node in ast.walk(file.tree):
            if isinstance(node, ast.Call):
                yield from calls(text, node)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from statements(text, node)
            elif isinstance(node, ast.Assign):
                yield from settings(text, node)
            yield from credentials(text, node)
    yield from views(context)
    yield from checks(context, handlers.values())
    yield from handled(context, handlers)


def guards(context: Context) -> Iterator[Mutation]:
    """Take away what alone guards an endpoint: an element of `dependencies=[...]`, a decorator, a parameter nobody reads."""
    for endpoint in context.service.endpoints:
        above = [one for one in endpoint.guards if one.scope != "body"]
        file = context.project.by_path.get(endpoint.handler.path)
        if (
            len({(one.name, one.scope) for one in above}) != 1
            or file is None
            or not endpoint.mounted
            or not data(context, endpoint)
        ):
            continue
        if any(one.scope == "body" for one in endpoint.guards) or not (above[0].statuses or above[0].name):
            continue
        name, text = above[0].name, Text(file)
        node = endpoint.handler.node
        if attributes(context) & set(READS.findall(ast.unparse(node))):
            continue  # a guard or what stands before it puts it on the request
        if above[0].function is not None and set(SETS.findall(text_of(above[0].function))) & set(
            READS.findall(ast.unparse(node))
        ):
            continue  # without what the guard puts on the request the handler fails
        if endpoint.framework == "Django" and NEEDS_USER.search(ast.unparse(node)):
            continue
        yield from mixins(context, endpoint, name)
        for decorator in node.decorator_list:
            if above[0].scope == "route" and ast.unparse(decorator).startswith(name):
                start = text.start(decorator) - 1
                yield Mutation(
                    "guard removed", file.path, decorator.lineno, start, text.end(decorator), "", endpoint.name
                )
            for listed in decorator.keywords if isinstance(decorator, ast.Call) else ():
                if listed.arg == "dependencies" and isinstance(listed.value, ast.List):
                    for element in listed.value.elts:
                        if name in ast.unparse(element):
                            yield text.without("guard removed", element, endpoint.name)
        used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        for argument in [*node.args.args, *node.args.kwonlyargs]:
            is_guard = any(one.name == argument.arg and one.source == "dependency" for one in endpoint.parameters)
            if (
                (
                    is_guard
                    and above[0].scope == "parameter"
                    and argument.arg not in used
                    and argument.annotation is not None
                )
                and not node.args.defaults
                and not node.args.kw_defaults
            ):
                yield text.without("guard removed", argument, endpoint.name)


NEEDS_USER = re.compile(  # nobody's `request.user` has no row, no such attribute, and no password that can be set
    r"\b(?:self\.)?request\.user(?:\.(?!id\b|pk\b|is_|has_|username\b|get_|groups\b|user_permissions\b)\w"
    r"|(?=[,)])(?<=Form\(request\.user))"
)


def attributes(context: Context) -> set[str]:
    """What the project puts on requests."""
    return {name for one in context.project.files if "request." in one.text for name in SETS.findall(one.text)} - {
        "user"
    }


def mixins(context: Context, endpoint: Endpoint, name: str) -> Iterator[Mutation]:
    """A view class without the base that guards it."""
    view = endpoint.view
    file = context.project.by_path.get(view.module.file.path) if view is not None else None
    bases = view.node.bases if view is not None and isinstance(view.node, ast.ClassDef) else []
    for base in bases:
        if ast.unparse(base).rpartition(".")[2] == name.rpartition(".")[2] and file is not None:
            yield Text(file).without("guard removed", base, endpoint.name)


def limits(text: Text, endpoint: Endpoint) -> Iterator[Mutation]:
    """An endpoint for credentials, codes and mails without what counts how often it is called."""
    names = {one.name.rpartition(".")[2].partition("(")[0] for one in endpoint.limits}
    if not SENSITIVE.search(f"{endpoint.path} {endpoint.handler.node.name}") or not names:
        return
    for decorator in endpoint.handler.node.decorator_list:
        if len(names) == 1 and names & set(re.findall(r"\w+", ast.unparse(decorator).partition("(")[0])):
            start = text.start(decorator) - 1
            yield Mutation("limit of calls removed", text.file.path, decorator.lineno, start, text.end(decorator), "")
    for node in ast.walk(endpoint.handler.node):
        if isinstance(node, ast.If) and not node.orelse and names & set(re.findall(r"\w+", ast.unparse(node.test))):
            yield text.swapped("limit of calls removed", node, "pass", endpoint.name)


SENSITIVE = re.compile("log_?in|sign_?in|sign_?up|totp|passw|register|token", re.IGNORECASE)


def data(context: Context, endpoint: Endpoint) -> bool:
    """Does it do something with the database, so that a stranger gains by calling it?"""
    access = context.facts.access(endpoint)
    return endpoint.writes or bool(access.queries)


def calls(text: Text, node: ast.Call) -> Iterator[Mutation]:
    """What one call protects."""
    name = ast.unparse(node.func)
    last = name.rpartition(".")[2]
    is_limit = last == "limit" and len(node.args) == 1 and ast.unparse(node.args[0]) != "1" and "limiter" not in name
    if is_limit and isinstance(node.func, ast.Attribute) and not BATCHES.search(text.file.path):
        base = node.func.value
        if re.search(r"\bselect\(|\.query\b|\.objects\b|\bstatement\b|\bstmt\b", ast.unparse(base)):
            yield Mutation("limit removed", text.file.path, node.lineno, text.end(base), text.end(node), "")
    for keyword in node.keywords:
        if keyword.arg == "timeout" and CLIENTS.match(name) and ast.unparse(keyword.value) != "None":
            if name.startswith("httpx"):
                yield text.swapped("timeout removed", keyword, "timeout=None")
            else:
                yield text.without("timeout removed", keyword)
        is_shown = keyword.arg == "response_model" and isinstance(keyword.value, ast.Name)
        if is_shown and last in METHODS and OF_USERS.match(keyword.value.id) and not returns(text, node):  # type: ignore[attr-defined]
            yield text.without("response model removed", keyword)
        if (
            keyword.arg == "le"
            and last in ("Query", "Field")
            and re.search(r"\b(?:limit|page_size|per_page)\b[^,]*int\b", around(text, node))
        ):
            yield text.without("bound of a page removed", keyword)
        is_off = isinstance(keyword.value, ast.Constant) and not keyword.value.value
        if keyword.arg in ("httponly", "secure") and last == "set_cookie" and not is_off and not deletes(node):
            yield text.swapped("cookie flag off", keyword, f"{keyword.arg}=False")
        if keyword.arg == "dependencies" and last in METHODS and isinstance(keyword.value, ast.List):
            yield from misplaced(text, node, keyword)
        with_credentials = {"allow_credentials"} & {
            one.arg for one in node.keywords if ast.unparse(one.value) != "False"
        }
        if keyword.arg == "allow_origins" and with_credentials and "'*'" not in ast.unparse(keyword.value):
            yield text.swapped("any origin", keyword, 'allow_origins=["*"]')
    if name == "FastAPI" and not any(one.arg == "debug" for one in node.keywords):
        start = text.end(node.func) + 1
        yield Mutation("debug on", text.file.path, node.lineno, start, start, "debug=True, ")
    if (
        name == "hashlib.sha256"
        and node.args
        and re.search("passw|token|secret|api_?key|signature", around(text, node))
    ):
        yield text.swapped("sha256 to md5", node.func, "hashlib.md5")
    is_random = name.startswith("secrets.token_") or name in ("secrets.choice", "secrets.randbelow")
    if is_random and SECRETS.search(around(text, node).rpartition("\n")[2].replace(name, "")):
        yield weaker(text, node, last)
    if last == "compare_digest" and len(node.args) == 2:
        yield text.swapped("compare_digest to ==", node, f"({text.of(node.args[0])} == {text.of(node.args[1])})")
    if name == "yaml.safe_load" and node.args:
        yield text.swapped("safe_load to load", node, f"yaml.load({text.of(node.args[0])}, Loader=yaml.Loader)")
    if CLIENTS.match(name):
        end = text.end(node) - 1
        comma = "" if not (node.args or node.keywords) or text.file.text[:end].rstrip().endswith(",") else ", "
        yield Mutation("verify=False", text.file.path, node.lineno, end, end, f"{comma}verify=False")
    if (
        name == "jwt.decode"
        and re.search(r"^import jwt\b", text.file.text, re.MULTILINE)
        and not any(one.arg == "options" for one in node.keywords)
    ):
        end = text.end(node) - 1
        comma = "" if text.file.text[:end].rstrip().endswith(",") else ", "
        yield Mutation(
            "jwt not verified", text.file.path, node.lineno, end, end, f'{comma}options={{"verify_signature": False}}'
        )


def settings(text: Text, node: ast.Assign) -> Iterator[Mutation]:
    """Django's flags, and the permissions of a view of its REST framework."""
    target, value = text.of(node.targets[0]), text.of(node.value)
    if target in ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY") and value != "False":
        yield text.swapped("cookie flag off", node.value, "False", target)
    if (
        target == "DEBUG"
        and "True" not in value
        and "settings" in text.file.path
        and not UNSERVED.search(text.file.path)
    ):
        yield text.swapped("debug on", node.value, "True", target)
    owner = next((one for one in text.file.tree.body if isinstance(one, ast.ClassDef) and node in one.body), None)
    is_writable = owner is not None and re.search(r"ModelViewSet|Create|Update|Destroy", ast.unparse(owner)) is not None
    asks = isinstance(node.value, ast.List | ast.Tuple) and len(node.value.elts) == 1 and "AllowAny" not in value
    if (
        target == "permission_classes"
        and asks
        and is_writable
        and "ReadOnly" not in ast.unparse(owner or node)
        and re.search("IsAuthenticated|IsAdmin|Staff|Owner", value)
    ):
        yield text.swapped("guard removed", node.value, "[]", target)


def weaker(text: Text, node: ast.Call, last: str) -> Mutation:
    """The same from a generator whose next number can be told from the last ones."""
    kind = "random for secrets"
    if last == "choice":
        return replace(text.swapped(kind, node.func, "random.choice"), needs="import random")
    number = {"token_bytes": "random.randbytes(32)", "randbelow": f"random.randrange({argument(text, node)})"}
    changed = text.swapped(kind, node, number.get(last, '"%032x" % random.getrandbits(128)'))
    return replace(changed, needs="import random")


def argument(text: Text, node: ast.Call) -> str:
    """What a call is given first."""
    return text.of(node.args[0]) if node.args else ""


def deletes(node: ast.Call) -> bool:
    """Does it set a cookie to nothing?"""
    values = [*node.args[1:2], *(one.value for one in node.keywords if one.arg == "value")]
    return any(isinstance(one, ast.Constant) and not one.value for one in values)


def returns(text: Text, node: ast.Call) -> bool:
    """Does the function under this decorator say what it returns?"""
    return any(
        isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
        and node in one.decorator_list
        and one.returns is not None
        and ast.unparse(one.returns) not in ("Any", "None", "dict", "object")  # FastAPI takes what stands there
        for one in ast.walk(text.file.tree)
    )


BATCHES = re.compile(r"(?:^|/)(?:tasks|jobs|workers?|cli|commands)(?:/|\.py$)")  # their own pace, not a caller's
OF_USERS = re.compile(r"User(?:s|Out|Read|Public|Private|Response|Schema|Base|Detail|Profile|Pagination|Me)*$")
SECRETS = re.compile(r"token|secret|passw|(?<!_)code|nonce|salt|session|(?:api|private|signing)_?key", re.IGNORECASE)
METHODS = frozenset({"get", "post", "put", "patch", "delete"})


def misplaced(text: Text, node: ast.Call, keyword: ast.keyword) -> Iterator[Mutation]:
    """The dependencies in the handler's signature, where FastAPI does not look."""
    for function in ast.walk(text.file.tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and node in function.decorator_list:
            opening = re.compile(r"def\s+\w+\(").search(text.file.text, text.end(node))
            if opening is None or function.args.args or function.args.kwonlyargs:
                arguments = [*function.args.args, *function.args.kwonlyargs]
                if opening is None or not arguments or len(arguments) != len(function.args.defaults):
                    continue
            removed = text.without("", keyword)
            source = text.file.text
            after = source[text.end(node) : opening.end()]
            head = source[text.start(node) : removed.start] + source[removed.end : text.end(node)]
            comma = ", " if function.args.args or function.args.kwonlyargs else ""
            moved = f"{head}{after}dependencies={text.of(keyword.value)}{comma}"
            yield Mutation(
                "dependencies misplaced", text.file.path, node.lineno, text.start(node), opening.end(), moved
            )


def around(text: Text, node: ast.expr) -> str:
    """The line that a node stands in, and the one before."""
    return "\n".join(text.file.lines[max(node.lineno - 2, 0) : node.end_lineno])


def statements(text: Text, node: ast.Constant) -> Iterator[Mutation]:
    """A limit or an owner's condition in a query's text."""
    source = text.of(node)
    if not re.match(r"[rR]?[\"']+\s*(?:SELECT|UPDATE|DELETE)\b", source):
        return
    start = text.start(node)
    limit = re.search(r"\s+LIMIT\s+(?:%\([^)]*\)s|\$\d+|:\w+|\?|%s)", source)
    if limit:
        yield Mutation(
            "limit removed", text.file.path, node.lineno, start + limit.start(), start + limit.end(), "", "SQL"
        )
    for found in re.finditer(r"\s+AND \((?:%\(caller\.is_staff\)s OR )?\([^;]*?caller\.user_id\)s\)+", source):
        yield Mutation(
            "owner's condition removed",
            text.file.path,
            node.lineno,
            start + found.start(),
            start + found.end(),
            "",
            "SQL",
        )


def handled(context: Context, handlers: dict[int, Endpoint]) -> Iterator[Mutation]:
    """What handlers and the project's functions do about owners, and how they pass values to queries."""
    for endpoint in handlers.values():
        file = context.project.by_path.get(endpoint.handler.path)
        if (
            file is None
            or not endpoint.guards
            or context.facts.is_administration(endpoint)
            or context.facts.roles(endpoint) - OWN_ROLES
        ):
            continue
        text = Text(file)
        for node in ast.walk(endpoint.handler.node):
            if (
                isinstance(node, ast.If)
                and not node.orelse
                and isinstance(node.body[-1], ast.Raise)
                and owner_test(node.test)
            ):
                yield Mutation(
                    "owner's comparison removed",
                    file.path,
                    node.lineno,
                    text.start(node),
                    text.end(node),
                    "pass",
                    endpoint.name,
                )
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("where", "filter", "filter_by")
            ):
                yield from owner_terms(text, node, endpoint.name)
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ONE and node.keywords[1:]:
                yield from owner_terms(text, node, endpoint.name)
            if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
                yield from (
                    text.swapped("owner's comparison removed", one, "False", endpoint.name)
                    for one in node.values
                    if owner_test(one)
                )
    for endpoint in handlers.values():
        file = context.project.by_path.get(endpoint.handler.path)
        if file is not None:
            yield from limits(Text(file), endpoint)
            texts = frozenset(
                one.name
                for one in endpoint.parameters
                if one.source in ("path", "query")
                and one.annotation is not None
                and ast.unparse(one.annotation) in ("str", "str | None")
            )
            yield from bound(context, Text(file), endpoint.handler, texts, endpoint.name)


OWN_ROLES = frozenset(
    {"is_superuser", "is_admin", "admin"}
)  # tested beside the owner: `not user.is_admin and item.owner_id != ...`


def owner_test(test: ast.expr) -> bool:
    """`item.owner_id != current_user.id`, also beside others."""
    for node in ast.walk(test):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.NotEq):
            sides = [ast.unparse(node.left), ast.unparse(node.comparators[0])]
            if any(USER.search(one) for one in sides) and any(OWNS.search(one.rpartition(".")[2]) for one in sides):
                return all("." in one for one in sides)
    return False


ONE = frozenset({"get", "get_object_or_404", "aget"})


def owner_terms(text: Text, node: ast.Call, note: str) -> Iterator[Mutation]:
    """Conditions on the owner; the whole call when it is the only one. A number of rows shows none of them."""
    if "count(" in ast.unparse(node.func) or re.match(r"\s*\)?\s*\.count\(", text.file.text[text.end(node) :]):
        return
    own = [one for one in node.args if isinstance(one, ast.Compare) and USER.search(ast.unparse(one.comparators[0]))]
    named = [one for one in node.keywords if one.arg and OWNS.search(one.arg) and USER.search(ast.unparse(one.value))]
    for found in (*own, *named):
        if len(node.args) + len(node.keywords) > 1:
            yield text.without("owner's condition removed", found, note)
        elif isinstance(node.func, ast.Attribute):
            start = text.end(node.func.value)
            rest = ".all()" if text.of(node.func.value).endswith(".objects") else ""  # a manager is no query yet
            yield Mutation("owner's condition removed", text.file.path, node.lineno, start, text.end(node), rest, note)


def bound(
    context: Context, text: Text, function: Function, texts: frozenset[str], note: str, depth: int = 0
) -> Iterator[Mutation]:
    """`.where(User.email == email)` to `.where(text(f"email = '{email}'"))`, for a text of the caller's choice.

    Also in the project's functions that are given the text, as long as they don't assign it.
    """
    assigned = {
        one.id for one in ast.walk(function.node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
    }
    tested = {
        one.left.id
        for one in ast.walk(function.node)
        if isinstance(one, ast.Compare)
        and isinstance(one.left, ast.Name)
        and isinstance(one.ops[0], ast.In | ast.NotIn)
    }
    texts -= assigned | tested  # one of a few
    for node in ast.walk(function.node) if texts else ():
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("where", "filter"):
            yield from bindings(text, node, texts, note)
        callee = context.facts.tracer.outcomes.callee(node, function) if depth < 2 else None
        file = context.project.by_path.get(callee.path) if isinstance(callee, Function) else None
        if isinstance(callee, Function) and file is not None and not is_test(file.path):
            given = passed(node, callee, texts)
            if given:
                yield from bound(context, Text(file), callee, given, note, depth + 1)


def passed(node: ast.Call, callee: Function, texts: frozenset[str]) -> frozenset[str]:
    """The parameters that a call gives one of these names."""
    names = [one.arg for one in callee.node.args.args]
    names = names[1:] if names[:1] in (["self"], ["cls"]) else names
    pairs = [*zip(names, node.args, strict=False), *((one.arg, one.value) for one in node.keywords)]
    return frozenset(
        name for name, value in pairs if name is not None and isinstance(value, ast.Name) and value.id in texts
    )


def bindings(text: Text, node: ast.Call, texts: frozenset[str], note: str) -> Iterator[Mutation]:
    """A condition on a text, as SQL of SQLAlchemy or Django."""
    for one in node.args:
        right = one.comparators[0] if isinstance(one, ast.Compare) else None
        if isinstance(one, ast.Compare) and isinstance(right, ast.Name) and right.id in texts:
            column = ast.unparse(one.left).rpartition(".")[2]
            changed = text.swapped(
                "binding to f-string", one, f"sqlalchemy.text(f\"{column} = '{{{right.id}}}'\")", note
            )
            yield replace(changed, needs="import sqlalchemy")
    if len(node.keywords) == 1 and not node.args:
        value = node.keywords[0].value
        if isinstance(value, ast.Name) and value.id in texts and isinstance(node.func, ast.Attribute):
            inner = f"extra(where=[f\"{node.keywords[0].arg} = '{{{value.id}}}'\"])"
            start = text.end(node.func.value) + 1
            yield Mutation("binding to f-string", text.file.path, node.lineno, start, text.end(node), inner, note)


if __name__ == "__main__":
    sys.exit(main())
