"""Where messages of test keys go when there is no inbox: nowhere. In production a test key sends nothing and shows nothing."""

from application.ports import Accepted, Message


class Nobody:
    """Accepts and forgets."""

    name = "test"

    async def send(self, message: Message) -> Accepted:
        """Always accepted."""
        return Accepted(message.message_id)
