"""Turns values into text: tables, ages, progress, errors. Nothing here asks or decides anything."""
