"""Registries: the OCI distribution specification 1.1 and Docker's API v2, which differ by media types only.

Top to bottom: ``source`` and ``push`` know what an image consists of; ``repository`` speaks the API of one repository;
``session`` has patience, follows redirects and proves who it is; ``http`` alone knows the HTTP library.
"""
