"""Measurements and helpers that one lesson owns, and the tables in `measured/`.

Each lesson has its own file.
Add a measurement to the file of its lesson, and the benchmark that writes its table.
"""
