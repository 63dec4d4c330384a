"""A made-up marketplace: three orders of two sellers, in the columns of the real files.

The seller in São Paulo sells a lamp and a table, the one in Curitiba a chair. One customer lives in
São Paulo and orders a lamp, one in Curitiba and orders two chairs and a lamp, one in Rio a table.
"""

import csv
from pathlib import Path

SELLER_SP, SELLER_PR = "aaaaaaaa", "bbbbbbbb"
LAMP, CHAIR, TABLE = "lamp", "chair", "table"

_TIMES = (
    "order_purchase_timestamp",
    "order_delivered_carrier_date",
    "order_delivered_customer_date",
)
_FILES: dict[str, list[dict[str, str]]] = {
    "orders": [
        {"order_id": order, "customer_id": customer, "order_status": "delivered"}
        | dict(zip(_TIMES, times, strict=True))
        for order, customer, times in (
            ("o1", "c1", ("2018-01-01 10:00:00", "2018-01-02 10:00:00", "2018-01-04 10:00:00")),
            ("o2", "c2", ("2018-01-02 10:00:00", "2018-01-03 10:00:00", "2018-01-08 10:00:00")),
            ("o3", "c3", ("2018-01-03 10:00:00", "", "")),
        )
    ],
    "order_items": [
        {
            "order_id": order,
            "order_item_id": number,
            "product_id": product,
            "seller_id": seller,
            "price": "50.00",
            "freight_value": freight,
        }
        for order, number, product, seller, freight in (
            ("o1", "1", LAMP, SELLER_SP, "9.00"),
            ("o2", "1", CHAIR, SELLER_PR, "6.00"),
            ("o2", "2", CHAIR, SELLER_PR, "6.00"),
            ("o2", "3", LAMP, SELLER_SP, "15.00"),
            ("o3", "1", TABLE, SELLER_SP, "24.00"),
        )
    ],
    "order_payments": [
        {"order_id": "o1", "payment_value": "59.00"},
        {"order_id": "o2", "payment_value": "177.00"},
        {"order_id": "o3", "payment_value": "70.00"},
    ],
    "customers": [
        {"customer_id": "c1", "customer_city": "sao paulo", "customer_state": "SP"},
        {"customer_id": "c2", "customer_city": "curitiba", "customer_state": "PR"},
        {"customer_id": "c3", "customer_city": "rio de janeiro", "customer_state": "RJ"},
    ],
    "products": [
        {"product_id": LAMP, "product_category_name": "casa", "product_weight_g": "500.0"},
        {"product_id": CHAIR, "product_category_name": "", "product_weight_g": "1500.0"},
        {
            "product_id": TABLE,
            "product_category_name": "casa",
            "product_weight_g": "2000.0",
            "product_length_cm": "60.0",
            "product_width_cm": "40.0",
            "product_height_cm": "10.0",
        },
    ],
    "sellers": [
        {"seller_id": SELLER_SP, "seller_city": "sao paulo", "seller_state": "SP"},
        {"seller_id": SELLER_PR, "seller_city": "curitiba", "seller_state": "PR"},
        {"seller_id": "cccccccc", "seller_city": "campinas", "seller_state": "SP"},
        {"seller_id": "dddddddd", "seller_city": "campinas", "seller_state": "SP"},
        {"seller_id": "eeeeeeee", "seller_city": "no such city", "seller_state": "RJ"},
    ],
}


def write_files(folder: Path) -> Path:
    """Write the six files into a folder, and return it."""
    for name, rows in _FILES.items():
        columns = list(dict.fromkeys(column for row in rows for column in row))
        with (folder / f"olist_{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(rows)
    return folder
