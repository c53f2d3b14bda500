"""What is said of an image beside it: how it was built, and of which packages it consists. Pure.

Documents are in-toto statements (https://github.com/in-toto/attestation), about one manifest each.
"""
