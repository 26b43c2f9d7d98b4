"""`backendgen new`: a spec -> the files of a service."""

from backendgen.files import File
from backendgen.scaffold.plan import plan

__all__ = ["File", "plan"]
