"""Compose files: what containers may do on their host, and what they show to the network."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from backendgen.audit.checks.credentials import DEFAULT_PASSWORDS, is_real_secret, names_secret
from backendgen.audit.checks.images import is_development
from backendgen.audit.registry import Context, check
from backendgen.code.compose import ComposeFile, Container, Port, default_of
from backendgen.findings.finding import Hit, Location
from backendgen.rules import Confidence, Severity

# By the last part of an image's name.
STORES = {
    "postgres": "PostgreSQL", "postgis": "PostgreSQL", "pgvector": "PostgreSQL", "timescaledb": "PostgreSQL",
    "mysql": "MySQL", "mariadb": "MariaDB", "mongo": "MongoDB", "mongodb": "MongoDB", "redis": "Redis", "valkey": "Valkey",
    "keydb": "KeyDB", "memcached": "Memcached", "elasticsearch": "Elasticsearch", "opensearch": "OpenSearch",
    "rabbitmq": "RabbitMQ", "clickhouse-server": "ClickHouse", "minio": "MinIO", "cassandra": "Cassandra", "neo4j": "Neo4j",
    "couchdb": "CouchDB", "influxdb": "InfluxDB", "etcd": "etcd", "kafka": "Kafka", "nats": "NATS", "qdrant": "Qdrant",
}  # fmt: skip
STORE_PORTS = frozenset(
    {"5432", "3306", "27017", "6379", "11211", "9200", "5672", "9000", "8123", "9042", "7687", "5984", "2379", "9092"}
)
FOR_DEVELOPMENT = re.compile(
    r"localstack|mailhog|mailpit|maildev|mailcatcher|smtp4dev|greenmail|stripe-mock|wiremock|toxiproxy"
)
READS_DOCKER = re.compile(r"traefik|watchtower|portainer|nginx-proxy|autoheal|socket-proxy|dozzle|ouroboros")
WORK_TREES = (".", "./", "..", "../", "${PWD}", "$PWD")
RELOADS = re.compile(r"--reload|runserver|--debug\b|\bdev\b|sleep infinity")
LOOPBACK = ("127.", "::1", "localhost")
SYSTEM_PATHS = ("/", "/etc", "/root", "/proc", "/sys", "/var/run", "/run", "/var/lib/docker", "/boot", "/dev")
CAPABILITIES = frozenset({"ALL", "SYS_ADMIN", "SYS_PTRACE", "SYS_MODULE", "DAC_READ_SEARCH", "SYS_RAWIO"})


def _containers(context: Context) -> Iterator[tuple[ComposeFile, Container]]:
    return ((file, one) for file in context.configuration.compose for one in file.containers)


def is_for_development(file: ComposeFile) -> bool:
    """Is it named so, or does it run the code as it stands in the folder, or reload it?"""
    return is_development(file.path) or any(
        one.node.get("develop") is not None
        or FOR_DEVELOPMENT.search(one.image)
        or any(volume.source in WORK_TREES for volume in one.volumes)
        or RELOADS.search(f"{one.text('command')} {' '.join(_words(one, 'command'))}")
        for one in file.containers
    )


def _words(one: Container, key: str) -> list[str]:
    found = one.node.get(key)
    return [node.text for node in found.items] if found else []


def _once(hits: Iterable[Hit]) -> Iterator[Hit]:
    """What several variants of a compose file say is said once, with the number of the others."""
    groups: dict[tuple[str, Severity | None], list[Hit]] = {}
    for hit in hits:
        groups.setdefault((hit.message, hit.severity), []).append(hit)
    for group in groups.values():
        files = {hit.location.path for hit in group} - {group[0].location.path}
        others = f" (and so in {len(files)} more {'file' if len(files) == 1 else 'files'})" if files else ""
        yield replace(group[0], message=f"{group[0].message}{others}")


def _hit(file: ComposeFile, one: Container, line: int, what: str, fix: str, severity: Severity | None = None) -> Hit:
    """A finding of a service. What serves development only is low, and shown on request."""
    place = Location(file.path, line)
    if is_for_development(file):
        return Hit(place, what, fix, one.name, severity=Severity.LOW, confidence=Confidence.LOW)
    return Hit(place, what, fix, one.name, severity=severity)


@check("BG425")
def container_with_rights_of_host(context: Context) -> Iterator[Hit]:
    """Containers that are as good as root on the host."""
    return _once(_rights_of_host(context))


def _rights_of_host(context: Context) -> Iterator[Hit]:
    for file, one in _containers(context):
        for key, what, fix in _rights(one):
            yield _hit(file, one, one.line_of(key), f"service `{one.name}` {what}", fix)
        for volume in one.volumes:
            if volume.source.endswith("docker.sock"):
                is_tool = READS_DOCKER.search(one.image) is not None
                what = f"service `{one.name}` has Docker's socket: it can start a container that owns the host"
                fix = "take the mount away, or put a proxy between that lets through only what is needed"
                yield _hit(file, one, volume.line, what, fix, Severity.MEDIUM if is_tool else None)
            elif (volume.source.rstrip("/") or "/") in SYSTEM_PATHS:
                what = f"service `{one.name}` has the host's `{volume.source}`"
                yield _hit(
                    file, one, volume.line, what, "mount the one folder that is needed, `:ro` where it is only read"
                )


def _rights(one: Container) -> Iterator[tuple[str, str, str]]:
    """Yield (key, what it may do, the change) of a service."""
    if one.text("privileged") == "true":
        yield "privileged", "is privileged: it can do on the host what root can", "cap_add: [<the one that is needed>]"
    for key, shared in (("network_mode", "network"), ("pid", "processes"), ("ipc", "shared memory")):
        if one.text(key) == "host":
            yield key, f"shares the host's {shared}", f"leave out `{key}: host`"
    added = one.node.get("cap_add")
    for node in added.items if added else []:
        if node.text.upper().removeprefix("CAP_") in CAPABILITIES:
            yield "cap_add", f"has the capability {node.text}, which leads to root on the host", "cap_drop: [ALL]"


@check("BG426")
def store_published(context: Context) -> Iterator[Hit]:
    """Databases, caches and queues that listen on all addresses of the host."""
    return _once(_published(context))


def _published(context: Context) -> Iterator[Hit]:
    for file, one in _containers(context):
        kind = _store(one.image)
        for port in one.ports if kind else ():
            if not _is_everywhere(port) or (kind not in ("MinIO",) and port.target not in STORE_PORTS):
                continue
            what = f"{kind} of service `{one.name}` is published on all addresses of the host, past its firewall"
            fix = f'- "127.0.0.1:{port.published}:{port.target}"   # or no port: other services reach it by its name'
            yield _hit(file, one, port.line, what, fix)


def _store(image: str) -> str:
    name = image.partition("@")[0].rpartition("/")[2].partition(":")[0].lower()
    return STORES.get(name, "")


def _is_everywhere(port: Port) -> bool:
    return not port.address.startswith(LOOPBACK) and "$" not in port.address


@check("BG427")
def default_credentials(context: Context) -> Iterator[Hit]:
    """Passwords of stores and consoles that everybody knows."""
    return _once(_known_passwords(context))


def _known_passwords(context: Context) -> Iterator[Hit]:
    for file, one in _containers(context):
        is_seen = any(_is_everywhere(port) for port in one.ports)
        for setting in one.environment:
            value = default_of(setting.value or "")
            if not re.search(r"(?:PASSWORD|PASSWD|_PASS|SECRET_KEY|AUTH)$", setting.name, re.IGNORECASE) or not _store(
                one.image
            ):
                continue
            user = {entry.name.rpartition("_")[0]: entry.value for entry in one.environment if "USER" in entry.name}
            known = value.lower() in DEFAULT_PASSWORDS or (value and value in user.values())
            if not known:
                continue
            what = f"`{setting.name}` of service `{one.name}` is `{value}`, which everybody tries first"
            fix = f"{setting.name}: ${{{setting.name}:?set it in .env}}"
            hit = _hit(file, one, setting.line, what, fix)
            yield hit if is_seen else replace(hit, severity=Severity.LOW, confidence=Confidence.LOW)


@check("BG428")
def secret_in_compose(context: Context) -> Iterator[Hit]:
    """Secrets written into a compose file."""
    return _once(_written_secrets(context))


def _written_secrets(context: Context) -> Iterator[Hit]:
    for file, one in _containers(context):
        for setting in one.environment:
            value = default_of(setting.value or "")
            if names_secret(setting.name) and is_real_secret(value) and value.lower() not in DEFAULT_PASSWORDS:
                what = f"`{setting.name}` of service `{one.name}` is written into the file"
                yield _hit(file, one, setting.line, what, f"{setting.name}: ${{{setting.name}:?set it in .env}}")


@check("BG429")
def no_resource_limits(context: Context) -> Iterator[Hit]:
    """Compose files of which no service is bounded."""
    for file in context.configuration.compose:
        bounded = [one for one in file.containers if any(one.node.get(*keys) for keys in
                   (("mem_limit",), ("cpus",), ("deploy", "resources", "limits")))]  # fmt: skip
        if file.containers and not bounded and not is_for_development(file):
            first = file.containers[0]
            what = f"no service of {file.path} has a limit of memory: one of them can take all of the host's"
            yield _hit(file, first, first.line, what, "mem_limit: 512m")
