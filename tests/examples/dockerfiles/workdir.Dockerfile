FROM localhost/base
WORKDIR /a
WORKDIR b/c
ENV NEXT=/elsewhere
WORKDIR $NEXT/../there
COPY plain.txt .
WORKDIR relative
RUN pwd > here
WORKDIR /data/link
COPY plain.txt ./through-link
