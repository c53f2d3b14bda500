FROM localhost/base
RUN echo "$HOME" > /home-is; echo two >> /home-is
ARG NAME=value
RUN mkdir /documents; echo "says $NAME" > /documents/one.txt; echo 'says $NAME' > /documents/two.txt
RUN echo "tabs $NAME" > /script; chmod 755 /script
