FROM scratch
COPY plain.txt /
LABEL only=label
