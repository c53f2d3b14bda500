FROM localhost/base
RUN rm /data/one && rm -r /data/directory && mkdir /data/directory && touch /data/directory/new
RUN mv /data/two /data/renamed && chmod 711 /data
