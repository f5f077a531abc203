"""What several suites do to the embedded stack, from code without an event loop."""

from aiokafka.admin import AIOKafkaAdminClient

from tabiji_cli.stack.probe import complete


def delete_topics(bootstrap: str, prefix: str) -> None:
    """Delete every topic whose name begins so."""
    complete(_delete_topics(bootstrap, prefix))


async def _delete_topics(bootstrap: str, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        doomed = [name for name in await admin.list_topics() if name.startswith(prefix)]
        if doomed:
            await admin.delete_topics(doomed)
    finally:
        await admin.close()
