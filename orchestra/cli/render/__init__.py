"""Values to text: tables, ages, progress, errors. Nothing here asks or decides anything."""
