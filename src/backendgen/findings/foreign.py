"""Other tools' ignores, `# nosec` and `# nosemgrep`, honoured for the rules that say the same as theirs.

`# nosec` names bandit's tests (`# nosec B324, eval`) or none, which means all of them; `# nosemgrep: id` semgrep's rules
(`# nosem=id`, in letters of any size, is the same).
What else stands there is the reason, and no list of tests. A card's `peers` say which of them it stands for.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from backendgen.findings.finding import Finding, Ignored
from backendgen.findings.ignore import comments, line_starts
from backendgen.rules import Rulebook

COMMENT = re.compile(r"#\s*(?P<tool>nosec|(?i:nosem(?:grep)?))\b(?P<rest>[^#]*)")
TEST = re.compile(r"\bB\d{3}\b")
NAMES = re.compile(r"[:=]\s*(?P<names>[\w.-]+(?:\s*,\s*[\w.-]+)*)")

TESTS: Mapping[str, str] = {  # bandit's names of its tests, which may stand in the place of their ids
    "assert_used": "B101", "exec_used": "B102", "set_bad_file_permissions": "B103",
    "hardcoded_bind_all_interfaces": "B104", "hardcoded_password_string": "B105",
    "hardcoded_password_funcarg": "B106", "hardcoded_password_default": "B107", "hardcoded_tmp_directory": "B108",
    "try_except_pass": "B110", "try_except_continue": "B112", "request_without_timeout": "B113",
    "flask_debug_true": "B201", "tarfile_unsafe_members": "B202", "pickle": "B301", "marshal": "B302", "md5": "B303",
    "ciphers": "B304", "cipher_modes": "B305", "mktemp_q": "B306", "eval": "B307", "mark_safe": "B308",
    "urllib_urlopen": "B310", "random": "B311", "telnetlib": "B312", "xml_bad_cElementTree": "B313",
    "xml_bad_ElementTree": "B314", "xml_bad_expatreader": "B315", "xml_bad_expatbuilder": "B316",
    "xml_bad_sax": "B317", "xml_bad_minidom": "B318", "xml_bad_pulldom": "B319", "ftplib": "B321",
    "unverified_context": "B323", "hashlib_insecure_functions": "B324", "import_telnetlib": "B401",
    "import_ftplib": "B402", "import_pickle": "B403", "import_subprocess": "B404", "import_xml_etree": "B405",
    "import_xml_sax": "B406", "import_xml_expat": "B407", "import_xml_minidom": "B408", "import_xml_pulldom": "B409",
    "import_xmlrpclib": "B411", "import_httpoxy": "B412", "import_pycrypto": "B413", "import_pyghmi": "B415",
    "request_with_no_cert_validation": "B501", "ssl_with_bad_version": "B502", "ssl_with_bad_defaults": "B503",
    "ssl_with_no_version": "B504", "weak_cryptographic_key": "B505", "yaml_load": "B506",
    "ssh_no_host_key_verification": "B507", "snmp_insecure_version": "B508", "snmp_weak_cryptography": "B509",
    "paramiko_calls": "B601", "subprocess_popen_with_shell_equals_true": "B602",
    "subprocess_without_shell_equals_true": "B603", "any_other_function_with_shell_equals_true": "B604",
    "start_process_with_a_shell": "B605", "start_process_with_no_shell": "B606",
    "start_process_with_partial_path": "B607", "hardcoded_sql_expressions": "B608",
    "linux_commands_wildcard_injection": "B609", "django_extra_used": "B610", "django_rawsql_used": "B611",
    "logging_config_insecure_listen": "B612", "trojansource": "B613", "pytorch_load": "B614",
    "huggingface_unsafe_download": "B615", "jinja2_autoescape_false": "B701", "use_of_mako_templates": "B702",
    "django_mark_safe": "B703", "markupsafe_markup_xss": "B704",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Comment:
    """One such comment: the tool, what it names (nothing: all), whether it stands alone on its line, and its text."""

    tool: str
    names: frozenset[str]
    alone: bool
    text: str


def apply(
    findings: Iterable[Finding], texts: Mapping[str, str], rulebook: Rulebook
) -> tuple[list[Finding], list[Ignored]]:
    """Split findings into those that stand and those that another tool's comment hides."""
    standing: list[Finding] = []
    hidden: list[Ignored] = []
    known: dict[str, dict[int, Comment]] = {}
    for one in findings:
        path, peers = one.location.path, rulebook[one.rule_id].peers
        comment = None
        if peers and path.endswith((".py", ".pyi", ".pyw")):
            if path not in known:
                known[path] = scan(path, texts.get(path, ""))
            comment = _match(one, peers, known[path])
        if comment is None:
            standing.append(one)
        else:
            hidden.append(Ignored(one, comment.text, comment.tool))
    return standing, hidden


def scan(path: str, text: str) -> dict[int, Comment]:
    """Return the comments of other tools in a file, by line."""
    found: dict[int, Comment] = {}
    if "nosec" not in text and "nosem" not in text.lower():
        return found
    starts = line_starts(text)
    for start, end in comments(path, text):
        written = COMMENT.search(text[start:end])
        if written:
            tool = "nosec" if written["tool"] == "nosec" else "nosemgrep"
            names = _tests(written["rest"]) if tool == "nosec" else _rules(written["rest"])
            line_start = text.rfind("\n", 0, start) + 1
            alone = not text[line_start:start].strip()
            line = bisect(starts, start)
            shown = " ".join(written[0].lstrip("# ").split())
            found[line] = Comment(tool, frozenset(name.rpartition(".")[2] for name in names), alone, shown)
    return found


def _tests(rest: str) -> list[str]:
    """The tests that a `# nosec` names, by id or name; every other word is a part of the reason."""
    words = re.findall(r"\w+", rest)
    return [TESTS.get(word, word) for word in words if word in TESTS or TEST.fullmatch(word)]


def _rules(rest: str) -> list[str]:
    named = NAMES.match(rest)
    return re.split(r"\s*,\s*", named["names"]) if named else []


def _match(one: Finding, peers: tuple[str, ...], found: Mapping[int, Comment]) -> Comment | None:
    """The comment that hides a finding: on one of its lines, or, of semgrep, alone on the line above."""
    first, last = one.location.line, max(one.location.line, one.location.end_line)
    above = found.get(first - 1)
    candidates = [found[line] for line in range(first, last + 1) if line in found]
    if above is not None and above.alone and above.tool == "nosemgrep":
        candidates.append(above)
    for comment in candidates:
        meant = {peer for peer in peers if comment.tool == "nosemgrep" or TEST.fullmatch(peer)}
        if meant and (not comment.names or comment.names & meant):
            return comment
    return None
