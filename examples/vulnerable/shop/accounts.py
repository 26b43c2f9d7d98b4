"""Signing in."""

import hashlib
import logging
from typing import Annotated

import jwt
from fastapi import APIRouter, Depends, HTTPException
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel

from shop import store

SECRET_KEY = "5f2b9c1e7a"
logger = logging.getLogger(__name__)
router = APIRouter()
scheme = OAuth2PasswordBearer("auth/login")


class Credentials(BaseModel):
    email: str
    password: str


def current_user(token: Annotated[str, Depends(scheme)]) -> str:
    try:
        return jwt.decode(token, SECRET_KEY, algorithms=["HS256"])["sub"]
    except jwt.InvalidTokenError as error:
        raise HTTPException(status_code=401) from error


@router.post("/login")
def login(credentials: Credentials) -> dict[str, str]:
    user = store.user(credentials.email)
    if user is None or user["password_hash"] != hashlib.md5(credentials.password.encode()).hexdigest():
        logger.warning("wrong password %s for %s", credentials.password, credentials.email)
        raise HTTPException(status_code=401)
    return {"access_token": jwt.encode({"sub": credentials.email}, SECRET_KEY, algorithm="HS256")}
