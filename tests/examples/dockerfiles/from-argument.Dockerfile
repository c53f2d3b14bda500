ARG NAME=base
ARG REGISTRY=localhost
FROM ${REGISTRY}/$NAME AS first
FROM first
ENV FROM=first
