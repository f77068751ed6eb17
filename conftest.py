"""After a run of notebooks: the table of their sizes and times, so that every CI log has it."""

from collections import defaultdict


def pytest_terminal_summary(terminalreporter) -> None:
    """Print the course's measures where notebooks were run; nbval reports every cell as one test."""
    from tinycourse.authoring import course, report
    from tinycourse.cli.output import table

    seconds = defaultdict(list)
    for found in (found for kind in terminalreporter.stats.values() for found in kind):
        path, separator, _ = getattr(found, "nodeid", "").partition(".ipynb::")
        if separator and found.when == "call":
            seconds[f"{path}.ipynb"].append(found.duration)
    if seconds:
        total = sum(map(sum, seconds.values()))
        terminalreporter.section(f"the course: {len(seconds)} notebooks, {total / 60:.1f} minutes of computing in this run")
        terminalreporter.write_line(table(report.rows(course.repository_root(), seconds), report.HEADER))
