FROM localhost/base
COPY special /special
RUN mkfifo /fifo; chmod 1777 /special/deep; chmod g+s /special
