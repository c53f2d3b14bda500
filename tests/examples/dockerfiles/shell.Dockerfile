FROM localhost/base
SHELL ["/bin/sh", "-euc"]
RUN echo $- | grep -q e && touch /strict
SHELL ["/bin/sh", "-xc"]
RUN touch /reached
CMD echo shell form
