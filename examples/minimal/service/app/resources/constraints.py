"""The database's constraints in the words of the API: for the problems that tell of a violation."""

from app.problems import Constraint

CONSTRAINTS = {
    "notes_pkey": Constraint(("id",), "This id is already taken."),
    "notes_title_check": Constraint(("title",), "Must satisfy: length(title) BETWEEN 1 AND 200"),
}
