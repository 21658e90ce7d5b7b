"""How long random programs run: a little every day, or `pytest tests/application --hypothesis-profile=long --timeout=0`."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "long", max_examples=1_000_000, stateful_step_count=200, deadline=None, suppress_health_check=list(HealthCheck)
)
