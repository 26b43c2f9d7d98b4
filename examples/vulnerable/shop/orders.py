"""Orders of the signed-in user."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from shop import store
from shop.accounts import current_user

router = APIRouter()
User = Annotated[str, Depends(current_user)]


class NewOrder(BaseModel):
    product: str
    quantity: int


@router.get("")
def search(user: User, text: str = "", sort: str = "created_at") -> list[dict[str, Any]]:
    return store.search_orders(user, text, sort)


@router.post("")
def create(user: User, order: NewOrder) -> dict[str, Any]:
    return store.add_order(user, order.product, order.quantity)


@router.delete("/{order_id}")
def delete(order_id: int) -> None:
    store.delete_order(order_id)
