"""Removing what a run of its own left in the log."""

from __future__ import annotations


async def delete_topics(bootstrap: str, prefix: str) -> list[str]:
    """Delete every topic whose name begins with ``prefix``; their names. Raises ``ValueError`` for an empty prefix."""
    from aiokafka.admin import AIOKafkaAdminClient  # noqa: PLC0415 - costs 100 ms of every command

    if not prefix:
        raise ValueError("without a prefix every topic would be deleted")
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        doomed = [name for name in await admin.list_topics() if name.startswith(prefix)]
        if doomed:
            await admin.delete_topics(doomed)
    finally:
        await admin.close()
    return doomed
