"""Where alerts arrive in tests: a webhook and a mail server on loopback, as real as any, that can be told to fail."""

import json
import threading
from contextlib import suppress
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.controller import Controller


class Webhook:
    """A web server that keeps what is posted to it and what is asked of it.

    `status` is what it answers with; while `answers` is not set it takes what comes and says nothing.
    """

    def __init__(self, port=0):
        self.status, self.posts, self.gets = 200, [], []
        self.came, self.answers = threading.Condition(), threading.Event()
        self.answers.set()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._take(hook.posts, {**body, "path": self.path, "status": hook.status})

            def do_GET(self):
                self._take(hook.gets, {"path": self.path, "agent": self.headers["User-Agent"]})

            def _take(self, kept, row):
                with hook.came:
                    kept.append(row)
                    hook.came.notify_all()
                if hook.answers.wait(60):
                    with suppress(OSError):  # who asked was killed
                        self.send_response(hook.status)
                        self.send_header("Content-Length", "0")
                        self.end_headers()

            def log_message(self, *_words):
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def wait(self, wanted, timeout_s=60.0):
        """Wait until this is true of the sink."""
        with self.came:
            assert self.came.wait_for(lambda: wanted(self), timeout_s), (self.posts, self.gets)

    def close(self):
        """Answer nobody any more."""
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Anywhere(Controller):
    """A mail server at the port that it was given."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


class Mailbox:
    """A mail server that keeps the mails it gets."""

    def __init__(self):
        self.mails, self.came = [], threading.Condition()
        self._controller = Anywhere(self, hostname="127.0.0.1", port=0)
        self._controller.start()
        self.port = self._controller.port

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd looks for this name
        """Take a mail."""
        with self.came:
            self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=default)))
            self.came.notify_all()
        return "250 taken"

    def wait(self, wanted, timeout_s=60.0):
        """Wait until this is true of the mails."""
        with self.came:
            assert self.came.wait_for(lambda: wanted(self.mails), timeout_s), self.mails

    def address(self):
        """Give its address as apprise writes it."""
        return f"mailto://127.0.0.1:{self.port}?from=joed@example.com&to=me@example.com&mode=insecure"

    def close(self):
        """Take no mail any more."""
        self._controller.stop()
