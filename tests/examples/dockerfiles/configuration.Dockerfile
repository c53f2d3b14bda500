FROM localhost/base
EXPOSE 80 443/tcp 53/udp
EXPOSE 8000-8002
VOLUME /one "/two"
VOLUME ["/three", "/four five"]
STOPSIGNAL SIGQUIT
ENTRYPOINT ["/bin/echo", "entry"]
CMD ["one", "two words"]
