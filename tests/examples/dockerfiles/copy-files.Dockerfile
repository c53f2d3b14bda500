FROM localhost/base
COPY plain.txt /new/
COPY plain.txt /new/renamed
COPY plain.txt executable /both/
COPY ["with space", "/new/"]
COPY *.txt /glob/
COPY tree/n?sted/*.c /glob/
COPY hidden/.[a-z]* /glob/
COPY plain.txt relative
COPY plain.txt /data/directory
