"""tinycourse: from a spoken word to a microcontroller, as a course and as the library that its lessons use."""

from tinycourse.session import Session, start

__version__ = "0.1.0"
__all__ = ["Session", "start"]
