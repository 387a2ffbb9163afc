"""Wake-ups of listeners to a topic, after the commit that touched it."""

import asyncio
import threading


class Wakeups:
    """Listeners to topics, each an `asyncio.Event` of its own loop."""

    def __init__(self) -> None:
        self.stopping = False  # long polls then return what they have
        self._listeners: dict[str, dict[asyncio.Event, asyncio.AbstractEventLoop]] = {}
        self._topics: dict[asyncio.Event, tuple[str, ...]] = {}
        self._lock = threading.Lock()

    def listen(self, *topics: str) -> asyncio.Event:
        """Return an event that is set whenever one of the topics is notified; clear it before reading the tables."""
        event, loop = asyncio.Event(), asyncio.get_running_loop()
        with self._lock:
            self._topics[event] = topics
            for topic in topics:
                self._listeners.setdefault(topic, {})[event] = loop
        return event

    def unlisten(self, event: asyncio.Event) -> None:
        """Remove the listener."""
        with self._lock:
            for topic in self._topics.pop(event, ()):
                listeners = self._listeners[topic]
                del listeners[event]
                if not listeners:
                    del self._listeners[topic]

    def stop(self) -> None:
        """Wake every listener because the process is stopping."""
        self.stopping = True
        with self._lock:
            topics = set(self._listeners)
        self.notify(topics)

    def notify(self, topics: set[str]) -> None:
        """Set the events of these topics, from any thread; each loop is called once."""
        if self._listeners.keys().isdisjoint(topics):  # a concurrent new listener reads the tables afterwards
            return
        woken: dict[asyncio.AbstractEventLoop, list[asyncio.Event]] = {}
        with self._lock:
            for topic in topics:
                for event, loop in self._listeners.get(topic, {}).items():
                    woken.setdefault(loop, []).append(event)
        for loop, events in woken.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_set_all, events)


def _set_all(events: list[asyncio.Event]) -> None:
    for event in events:
        event.set()
