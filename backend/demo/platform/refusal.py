"""How the platform says no."""

from typing import Any


class Refusal(Exception):
    """A call that changed nothing, with its status, its code and what the caller should know."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": code, "message": message, **more}
        self.headers: dict[str, str] = {}


def too_many(field: str, count: int, most: int) -> Refusal:
    message = f"{count} in {field}, at most {most}"
    return Refusal(413, "too_many_items", message, field=field)


def invalid(field: str, message: str) -> Refusal:
    return Refusal(422, "invalid", message, field=field)


def unknown_shop(code: str) -> Refusal:
    return Refusal(404, "unknown_shop", f"there is no shop {code}")


def too_fast(retry_after_seconds: float) -> Refusal:
    refusal = Refusal(429, "too_many_calls", "the shop calls faster than it may")
    # Rounded up: whoever waits as long as it says is let in.
    refusal.headers["Retry-After"] = f"{retry_after_seconds + 0.0005:.3f}"
    return refusal
