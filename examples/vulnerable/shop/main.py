"""A small shop with the mistakes that audits find most. Do not deploy it."""

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from shop import accounts, orders, partners

app = FastAPI(title="Shop")
app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_credentials=True)
app.include_router(accounts.router, prefix="/auth")
app.include_router(orders.router, prefix="/orders")
app.include_router(partners.router, prefix="/partners")


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}
