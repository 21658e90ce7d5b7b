"""The choice of a provider for a message: by destination, then by how each has done of late in this process."""

from collections.abc import Iterator, Mapping
from typing import Final

from application.ports import Clock, Message, Provider, ProviderFailed
from domain import phone
from domain.keys import account_of
from domain.routing import Circuit, Routes

BLAMELESS: Final = "rejected"
"""A failure that says something of the message and nothing of the provider."""


class Router:
    """Routing for messages of live keys. Memory is one circuit for each provider."""

    def __init__(self, providers: Mapping[str, Provider], routes: Routes, clock: Clock) -> None:
        self._providers = providers
        self._routes = routes
        self._clock = clock
        self._circuits = dict.fromkeys(providers, Circuit())

    def providers(self, message: Message) -> Iterator[Provider]:
        """Those whose circuit allows it, when it is their turn; those that deliver little after the others."""
        now = self._clock.now()
        order = self._routes.order(message.to, phone.parse(message.to).country)
        for name in sorted(order, key=lambda name: self._circuits[name].is_poor(now)):
            circuit = self._circuits[name]
            if circuit.allows(self._clock.now()):
                self._circuits[name] = circuit.tried(self._clock.now())
                yield self._providers[name]

    def noted(self, provider: Provider, failure: ProviderFailed | None) -> None:
        """How a handoff ended."""
        circuit = self._circuits[provider.name]
        now = self._clock.now()
        answers = failure is None or failure.kind == BLAMELESS
        if failure is None or failure.kind != BLAMELESS or circuit.state(now) != "closed":
            self._circuits[provider.name] = circuit.ended(well=answers, now=now)

    def reported(self, provider: str, *, delivered: bool) -> None:
        """A delivery report came."""
        circuit = self._circuits.get(provider)
        if circuit is not None:
            self._circuits[provider] = circuit.reported(delivered=delivered, now=self._clock.now())

    def states(self) -> dict[str, str]:
        """The circuit of each provider: closed, open or half_open."""
        return {name: circuit.state(self._clock.now()) for name, circuit in self._circuits.items()}


class ByMode:
    """Routing of all messages: those of test keys go to one provider, which plays."""

    def __init__(self, *, live: Router, tests: Provider) -> None:
        self._live = live
        self._tests = tests

    def providers(self, message: Message) -> Iterator[Provider]:
        """By the log that the message is of."""
        return self._live.providers(message) if message.log == account_of(message.log) else iter((self._tests,))

    def noted(self, provider: Provider, failure: ProviderFailed | None) -> None:
        """For those whose circuit somebody looks at."""
        if provider is not self._tests:
            self._live.noted(provider, failure)
