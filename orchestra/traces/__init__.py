"""What ``up`` does as a trace of OpenTelemetry, if the environment asks for one.

Only ``export`` imports OpenTelemetry, in a thread, when there is a trace to send; everything else is standard library.
"""
