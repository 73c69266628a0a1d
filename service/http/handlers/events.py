"""`/events/{appid}`: where WeChat pushes messages and events of an account."""

from service.http.handlers.base import JsonHandler, Route
from service.webhooks.receiver import PushReceiver
from service.webhooks.relay import PushedMessage, PushReply

__all__ = ["routes"]


class EventsHandler(JsonHandler):
    """Receives deliveries, and proves to WeChat that the address is the account's."""

    def initialize(self, pushes: PushReceiver) -> None:
        """Take what the handler needs."""
        self.pushes = pushes

    def get(self, appid: str) -> None:
        """Answer the question that WeChat asks when the address is entered in the console."""
        self._answer(PushReply(body=self.pushes.verify_address(appid, self.request.query).encode()))

    async def post(self, appid: str) -> None:
        """Receive a delivery. WeChat repeats it after an error."""
        headers = self.request.headers
        message = PushedMessage(
            self.request.query, self.request.body, headers.get("Content-Type", ""), headers.get("Via", "")
        )
        self._answer(await self.pushes.receive(appid, message))

    def _answer(self, reply: PushReply) -> None:
        self.set_status(reply.status)
        self.clear_header("Content-Type")
        if reply.content_type:
            self.set_header("Content-Type", reply.content_type)
        if reply.body:  # Tornado takes no body at all, not even an empty one, with status 204
            self.write(reply.body)


def routes(pushes: PushReceiver) -> list[Route]:
    """Return where messages are pushed to."""
    return [(r"/events/([^/]+)", EventsHandler, {"pushes": pushes})]
