FROM localhost/base
USER user
RUN id -u > /tmp/user; id -g >> /tmp/user; touch /tmp/owned
USER 12:34
RUN id -u > /tmp/numbers; id -g >> /tmp/numbers
COPY plain.txt /tmp/still-root
WORKDIR /made/by/root
USER user:root
