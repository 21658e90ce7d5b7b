"""The profile as a page that can be committed."""

from interfaces.bench.profile import OTHER, Profile
from interfaces.bench.report import Report, Scenario


def page(profile: Profile, scenario: Scenario, report: Report) -> str:
    """Markdown: shares of the server's CPU by part, by thread and by function."""
    machine, total = report.machine, profile.cpu_seconds
    explained = 1 - profile.parts.get(OTHER, 0.0) / total
    seen = (
        f"Written by `./doneotp bench --profile FILE`: {scenario.clients} clients on one hot account, one worker,"
        f" {scenario.flows_per_second:.0f} flows/s while watched; {total:.1f} s of CPU, {profile.samples} samples of"
        f" working threads, {explained:.0%} of the CPU in a named part."
    )
    where = (
        f"Machine: {machine.cpus} CPUs ({machine.cpu}), {machine.platform}, Python {machine.python},"
        f" Postgres {machine.postgres} ({machine.durability})."
    )
    how = (
        "A sample belongs to the part of its innermost frame that has one; a thread's samples divide the CPU time that"
        " the kernel counted for the thread. Calls into C count for the function that makes them."
    )
    functions = {f"`{name}`": seconds for name, seconds in profile.functions.items()}
    return "\n\n".join(
        [
            "# Where the server's CPU goes",
            seen,
            where,
            how,
            _table("part", profile.parts, total),
            _table("thread", profile.threads, total),
            _table("function", functions, total) + "\n",
        ]
    )


def _table(title: str, seconds: dict[str, float], total: float) -> str:
    rows = [f"| {name} | {value / total:.1%} |" for name, value in seconds.items() if value > 0]
    return "\n".join([f"| {title} | share of CPU |", "|---|---:|", *rows])
