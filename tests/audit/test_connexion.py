"""Connexion: endpoints from the document, handlers from its operation ids."""

from __future__ import annotations

from pathlib import Path

from apps import endpoints

APP = """
import connexion

app = connexion.App(__name__, specification_dir="./spec")
app.add_api("openapi.yml")
"""
NOTES = """
from flask import request


class Notes:
    @staticmethod
    def one(note_id):
        return note_id


def create():
    if request.headers.get("Authorization") is None:
        return "sign in", 401
    return "done"
"""
SPEC = """
openapi: 3.0.1
info: {title: Notes, version: "1"}
servers: [{url: /v1}]
components:
  securitySchemes:
    bearer: {type: http, scheme: bearer, x-bearerInfoFunc: api.auth.decode}
    unchecked: {type: http, scheme: bearer}
paths:
  /notes/{note_id}:
    parameters: [{name: note_id, in: path, required: true, schema: {type: integer}}]
    get:
      operationId: api.notes.Notes.one
      security: [{bearer: []}]
      responses: {"200": {description: one}}
    delete:
      operationId: api.notes.Notes.one
      security: [{unchecked: []}]
      responses: {"200": {description: one}}
  /notes:
    post:
      x-openapi-router-controller: api.notes
      operationId: create
      responses: {"200": {description: done}}
    get:
      operationId: api.gone.list
      responses: {"200": {description: all}}
"""


def test_operations_lead_to_functions(tmp_path: Path) -> None:
    files = {"app.py": APP, "api/__init__.py": "", "api/notes.py": NOTES, "spec/openapi.yml": SPEC}
    found = endpoints(tmp_path, files)
    assert [(one.name, one.handler.name, one.location.line, [guard.name for guard in one.guards]) for one in found] == [
        ("GET /v1/notes/{note_id}", "Notes.one", 7, ["bearer"]),
        ("DELETE /v1/notes/{note_id}", "Notes.one", 7, []),
        ("POST /v1/notes", "create", 11, ["create"]),
    ]
    assert [(one.name, one.source) for one in found[0].parameters] == [("note_id", "path")]


def test_without_connexion_a_document_routes_nothing(tmp_path: Path) -> None:
    assert endpoints(tmp_path, {"api/notes.py": NOTES, "spec/openapi.yml": SPEC}) == ()
