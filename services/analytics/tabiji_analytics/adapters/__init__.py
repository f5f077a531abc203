"""What analytics needs of the outside, by technology: all of it is PostgreSQL."""

from tabiji_analytics.adapters.ids import PostgresIds
from tabiji_analytics.adapters.messages import PostgresMessages
from tabiji_analytics.adapters.moves import PostgresMoves
from tabiji_analytics.adapters.orders import PostgresOrders
from tabiji_analytics.adapters.people import PostgresPeople
from tabiji_analytics.adapters.rollups import PostgresRollups
from tabiji_analytics.adapters.touches import PostgresTouches
from tabiji_analytics.ports import Books


def books() -> Books:
    """Everything the pipeline keeps things in, on PostgreSQL."""
    return Books(
        PostgresOrders(),
        PostgresTouches(),
        PostgresMessages(),
        PostgresMoves(),
        PostgresRollups(),
        PostgresPeople(),
        PostgresIds(),
    )
