"""What a class set came to: for a program, for the teacher, and as a page for each learner (HTML that needs nothing else)."""

import html
from collections import Counter
from dataclasses import asdict

STYLE = """body { font: 16px/1.5 sans-serif; max-width: 50em; margin: 2em auto; padding: 0 1em; }
section { border-left: 5px solid #D55E00; padding: 0.2em 1em; margin: 1em 0; }
section.passed { border-color: #009E73; }
h2 { font-size: 1.1em; margin: 0.2em 0; }
pre { white-space: pre-wrap; background: #f4f4f4; padding: 0.5em; }"""


def page(learner: str, rows: list, remarks: list[str]) -> str:
    """rows: grade.Row of this learner. remarks: what was odd in the notebooks."""
    lines = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
        f"<title>Feedback for {html.escape(learner)}</title><style>{STYLE}</style></head><body>",
        f"<h1>Feedback for {html.escape(learner)}</h1>",
        f"<p><b>{sum(r.points for r in rows)} of {sum(r.of for r in rows)} points.</b></p>",
    ]
    for r in rows:
        sign, kind = ("\u2713", "passed") if r.points else ("\u2717", "open")
        lines.append(
            f"<section class='{kind}'><h2>{sign} Lesson {r.lesson}, <code>{html.escape(r.exercise)}</code>: {html.escape(r.status)}</h2>"
        )
        lines.append(f"<p>{r.points} of {r.of} points</p>" + (f"<pre>{html.escape(r.text)}</pre>" if r.text else "") + "</section>")
    if remarks:
        items = "".join(f"<li>{html.escape(remark)}</li>" for remark in remarks)
        lines.append(f"<h2>About your notebooks</h2><ul>{items}</ul>")
    return "\n".join([*lines, "</body></html>\n"])


def figures(grades) -> dict:
    """grade.Grades as one JSON object."""
    found = asdict(grades) | {"table": str(grades.table), "feedback": str(grades.feedback)}
    return {"learners": len(grades.remarks)} | found


def summary(grades) -> str:
    """How the class did in every exercise, and what protected this machine."""
    counts = {}
    for r in grades.rows:
        counts.setdefault((r.lesson, r.exercise), Counter())[r.status] += 1
    lines = [f"{lesson} {name}: " + ", ".join(f"{n} {status}" for status, n in c.most_common()) for (lesson, name), c in counts.items()]
    odd = sum(map(bool, grades.remarks.values()))
    lines.append(
        f"{grades.notebooks} notebooks of {len(grades.remarks)} learners in {grades.seconds:.0f} s ({grades.cached} were graded before)"
    )
    lines.append(f"{grades.table}, {grades.feedback}; {odd} learners' notebooks were odd: see the last column")
    return "\n".join([*lines, *grades.protection.values()])
