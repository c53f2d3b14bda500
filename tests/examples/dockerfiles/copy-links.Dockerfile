FROM localhost/base
COPY links /links
COPY links/to-file /followed
COPY links/to-directory /followed-directory
COPY plain.txt /data/link/
COPY plain.txt /data/link-to-one
