"""Visits that look like those of a real shop and are not: seeded, so that the same call gives the same visits."""

from __future__ import annotations

import bisect
import itertools
import random
from datetime import UTC, datetime, timedelta

from labkit.exceptions import LabkitError

# Name, category, price. The order is the popularity: the n-th product is looked at about 1/n as often as the first.
PRODUCTS = (
    ("Trail Shoe", "Shoes", "89.90"),
    ("Rain Jacket", "Clothing", "129.00"),
    ("Head Lamp", "Outdoor", "34.95"),
    ("Wool Socks", "Clothing", "14.50"),
    ("Daypack 20 l", "Bags", "59.90"),
    ("Water Bottle", "Outdoor", "19.95"),
    ("Road Shoe", "Shoes", "119.00"),
    ("Fleece Pullover", "Clothing", "64.90"),
    ("Camping Stove", "Outdoor", "49.00"),
    ("Running Shorts", "Clothing", "29.90"),
    ("Sleeping Bag", "Outdoor", "149.00"),
    ("Duffel Bag", "Bags", "79.00"),
    ("Sandals", "Shoes", "44.90"),
    ("Trekking Poles", "Outdoor", "69.90"),
    ("Sun Hat", "Clothing", "24.90"),
    ("Two-Person Tent", "Outdoor", "289.00"),
    ("Belt Bag", "Bags", "22.50"),
    ("Climbing Shoe", "Shoes", "109.90"),
    ("Gift Card", "Gifts", "25.00"),
    ("Sticker", "Gifts", "0.00"),
)
FIRST_NAMES = (
    "Ada",
    "Amal",
    "Bo",
    "Chen",
    "Dilnoza",
    "Eva",
    "Farid",
    "Grace",
    "Hana",
    "Ivan",
    "Jomo",
    "Kim",
    "Linh",
    "Maya",
)
LAST_NAMES = (
    "Okafor",
    "Lindqvist",
    "Haddad",
    "Novak",
    "Tanaka",
    "Silva",
    "Kaya",
    "Moreau",
    "Iyer",
    "Brandt",
    "Quispe",
    "Reid",
)
# How busy each UTC hour is beside the others: quiet at night, a small peak at noon, a large one in the evening.
RHYTHM = (3, 2, 1, 1, 1, 2, 4, 7, 9, 10, 11, 13, 15, 13, 11, 11, 12, 14, 18, 22, 24, 20, 13, 7)
WEEKEND = 1.4
MOST = 1_000_000


def visits(
    n: int, *, seed: int = 1, start: datetime | str = "2026-01-05T00:00:00Z", days: int = 7
) -> list[dict[str, str]]:
    """Return *n* synthetic product visits, in the order of their time.

    A few products and customers make most of the visits (Zipf's law), evenings are busier than nights, weekends busier
    than working days. The same arguments always give the same visits.

    Args:
        n: How many.
        seed: Another seed, other visits.
        start: The first moment, ISO 8601; without a time zone it is UTC.
        days: Over how many days they are spread.

    Returns:
        One dict per visit with the seven fields of the form: ``ProductId``, ``ProductName``, ``Category``,
        ``PricePerUnit`` (a decimal string), ``CustomerId``, ``CustomerName``, ``TimeOfVisit`` (ISO 8601, UTC).

    Raises:
        LabkitError: *n* or *days* is not possible, or *start* is no time.
    """
    if not 0 <= n <= MOST:
        raise LabkitError(f"visits(n={n}): n is how many visits to make, 0 to {MOST:,}")
    if days < 1:
        raise LabkitError(f"visits(days={days}): the visits are spread over one day or more")
    first = _moment(start)
    random_numbers = random.Random(f"{seed}/{n}/{days}/{first.isoformat()}")
    products = _zipf(len(PRODUCTS))
    customers = _zipf(max(20, n // 5))
    hours = [first + timedelta(hours=hour) for hour in range(24 * days)]
    busy = list(itertools.accumulate(RHYTHM[h.hour] * (WEEKEND if h.weekday() >= 5 else 1.0) for h in hours))
    made = []
    for _ in range(n):
        hour = hours[bisect.bisect(busy, random_numbers.random() * busy[-1])]
        moment = hour + timedelta(seconds=random_numbers.randrange(3600))
        product = bisect.bisect(products, random_numbers.random() * products[-1])
        customer = bisect.bisect(customers, random_numbers.random() * customers[-1])
        made.append((moment, product, customer))
    return [_visit(*one) for one in sorted(made)]


def _moment(start: datetime | str) -> datetime:
    try:
        moment = datetime.fromisoformat(start) if isinstance(start, str) else start
    except ValueError:
        raise LabkitError(f"visits(start={start!r}): give a time such as 2026-01-05T00:00:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _zipf(size: int) -> list[float]:
    return list(itertools.accumulate(1 / rank for rank in range(1, size + 1)))


def _visit(moment: datetime, product: int, customer: int) -> dict[str, str]:
    name, category, price = PRODUCTS[product]
    first = FIRST_NAMES[customer * 5 % len(FIRST_NAMES)]
    last = LAST_NAMES[customer * 7 % len(LAST_NAMES)]
    return {
        "ProductId": f"P-{1001 + product}",
        "ProductName": name,
        "Category": category,
        "PricePerUnit": price,
        "CustomerId": f"C-{2001 + customer}",
        "CustomerName": f"{first} {last}",
        "TimeOfVisit": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
