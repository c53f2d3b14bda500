"""The nouns: what is desired, what is observed, what happened. Records and their JSON form.

What may live here: data and questions about data. No I/O, no decision, nothing but the standard library.
"""
