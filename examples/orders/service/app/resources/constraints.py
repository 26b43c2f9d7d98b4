"""The database's constraints in the words of the API: for the problems that tell of a violation."""

from app.problems import Constraint

CONSTRAINTS = {
    "customers_email_check": Constraint(
        ("email",), "Must satisfy: length(email) BETWEEN 3 AND 254"
    ),
    "customers_email_key": Constraint(("email",), "This email is already taken."),
    "customers_pkey": Constraint(("id",), "This id is already taken."),
    "customers_tax_id_check": Constraint(("tax_id",), "Must satisfy: length(tax_id) <= 32"),
    "customers_user_id_fkey": Constraint(("user_id",), "There is no user with this key."),
    "orders_customer_id_fkey": Constraint(("customer_id",), "There is no customer with this key."),
    "orders_pkey": Constraint(("id",), "This id is already taken."),
    "orders_total_cents_check": Constraint(("total_cents",), "Must satisfy: total_cents >= 0"),
    "payments.amount_cents": Constraint(
        ("order_id",), "No amount_cents can be found for this order_id."
    ),
    "payments_amount_cents_check": Constraint(("amount_cents",), "Must satisfy: amount_cents >= 0"),
    "payments_order_id_fkey": Constraint(("order_id",), "There is no order with this key."),
    "payments_pkey": Constraint(("id",), "This id is already taken."),
    "payments_provider_ref_key": Constraint(
        ("provider_ref",), "This provider_ref is already taken."
    ),
    "payments_state_check": Constraint(
        ("state",), "Must satisfy: state IN ('pending', 'captured', 'failed', 'refunded')"
    ),
    "products_name_check": Constraint(("name",), "Must satisfy: length(name) BETWEEN 1 AND 200"),
    "products_pkey": Constraint(("id",), "This id is already taken."),
    "products_price_cents_check": Constraint(("price_cents",), "Must satisfy: price_cents >= 0"),
    "products_sku_check": Constraint(("sku",), "Must satisfy: length(sku) BETWEEN 1 AND 64"),
    "products_sku_key": Constraint(("sku",), "This sku is already taken."),
}
