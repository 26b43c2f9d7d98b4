"""Source code as data: the files of a project, their syntax trees, and what their names mean. Never imported, only read."""
