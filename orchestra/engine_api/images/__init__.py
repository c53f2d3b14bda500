"""Endpoints of images, and of builds."""
