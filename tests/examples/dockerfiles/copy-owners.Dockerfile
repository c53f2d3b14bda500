FROM localhost/base
COPY --chown=user plain.txt /name
COPY --chown=user:root tree /name-group
COPY --chown=5:6 tree /made/by/numbers
COPY --chown=9 plain.txt /number
COPY --chmod=4751 plain.txt /mode
COPY --chmod=700 --chown=1000:1000 executable /both/
